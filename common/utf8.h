/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. Pure.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the longest prefix that is valid and complete. */
size_t utf8_valid_len(const uint8_t *, size_t len);
bool utf8_is_valid(const uint8_t *, size_t len);

/* The largest n <= max at which this valid text can be cut without cutting a
 * character. 0 when not even the first character fits. */
size_t utf8_cut(const uint8_t *, size_t len, size_t max);

/* The same judgement over a text that arrives in pieces. */
struct utf8_state {
	uint8_t held[4]; /* an unfinished character */
	uint8_t held_len;
	bool invalid; /* for good */
};
void utf8_init(struct utf8_state *);
void utf8_feed(struct utf8_state *, const uint8_t *, size_t len);
/* True when all that was fed is valid and ends with a whole character. */
bool utf8_is_complete(const struct utf8_state *);

#endif
