/* SPDX-License-Identifier: MIT */
/*
 * Members of a JSON object (RFC 8259) to standard output, each with a comma in
 * front: for telephonectl and `tokend --check`. The caller prints the braces
 * and the first member.
 */
#ifndef COMMON_JSONOUT_H
#define COMMON_JSONOUT_H

#include <stdbool.h>
#include <stdint.h>

/* A string without its name; what is not UTF-8 becomes U+FFFD. */
void jsonout_string(const char *text);
void jsonout_text(const char *name, const char *text);
void jsonout_int(const char *name, int64_t);
void jsonout_bool(const char *name, bool);

#endif
