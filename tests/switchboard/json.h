/* SPDX-License-Identifier: MIT */
/*
 * json: a reader that builds no tree.  A document is checked once as a whole;
 * after that a value is a span of its text, and the functions here walk it in
 * place.  So an array of eight million numbers costs no memory at all, and
 * \u0000 is a character like any other.  Pure: no socket, no state.
 */
#ifndef SWITCHBOARD_JSON_H
#define SWITCHBOARD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* One value, without white space around it; p is NULL for "not there". */
struct json {
	const char *p;
	size_t len;
};

/*
 * Check a whole document (RFC 8259; a lone surrogate escape is an error, as
 * it is for Jason) and give its value.  The bytes must be valid UTF-8 and
 * outlive every span taken from them.  Returns -1 when it is not JSON.
 */
int json_check(const void *, size_t, struct json *);

/* '{' '[' '"' '0' (any number) 't' 'f' 'n', or 0 when not there. */
int json_type(struct json);

/*
 * Look up n keys of an object in one pass; values[i] has p NULL when keys[i]
 * is missing, the last of duplicates wins.  Not an object: all missing.
 */
void
json_pick(struct json, const char *const *keys, struct json *values, size_t n);

/* Walk an array or object; begin with a zeroed cursor. */
struct json_cursor {
	size_t at;
};
bool json_next(
    struct json, struct json_cursor *, struct json *key, struct json *value);

/* Append a string's decoded bytes; -1 when the value is no string. */
int json_string(struct json, struct buf *);
/* The decoded string, for the caller to free; NULL: no string, or NUL in it. */
char *json_strdup(struct json);
bool json_is_string(struct json, const char *);
/* An integer; -1 when it is none (a fraction or exponent is none). */
int json_int(struct json, int64_t *);

/*
 * Erlang iodata (a string, or nested arrays of strings and byte values) as
 * bytes; with code_points the numbers are code points and become UTF-8.
 * -1 when the value is not that; out then holds a part.
 */
int json_iodata(struct json, bool code_points, struct buf *);

/* Append as a quoted JSON string; the bytes must be UTF-8. */
void json_put(struct buf *, const void *, size_t);
void json_puts(struct buf *, const char *);

#endif
