/* SPDX-License-Identifier: MIT */
/*
 * Members of a JSON object (RFC 8259), each with a comma in front: to standard
 * output for telephonectl and `tokend --check`, or appended to a buffer. The
 * caller writes the braces and the first member.
 *
 * A string is any text: what is not UTF-8 becomes U+FFFD, and whatever a
 * terminal would obey is escaped.
 */
#ifndef COMMON_JSONOUT_H
#define COMMON_JSONOUT_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* A string without its name. */
void jsonout_string(const char *text);
void jsonout_text(const char *name, const char *text);
void jsonout_int(const char *name, int64_t);
void jsonout_bool(const char *name, bool);

void jsonout_put_string(struct buf *, const char *text);
/* NULL and the empty text become null. */
void jsonout_put_text(struct buf *, const char *name, const char *text);
void jsonout_put_int(struct buf *, const char *name, int64_t);
void jsonout_put_bool(struct buf *, const char *name, bool);
/* Microseconds as milliseconds with a fraction; a negative number as null. */
void jsonout_put_ms(struct buf *, const char *name, int64_t us);

#endif
