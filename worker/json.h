/* SPDX-License-Identifier: MIT */
/*
 * A scanner of RFC 8259 texts that neither allocates nor copies: a cursor
 * walks members and elements, values are slices of the input, and strings are
 * unescaped where they stand. Strict: whatever is not JSON, is nested deeper
 * than JSON_DEPTH_MAX, or holds invalid UTF-8 in a string is refused. Of
 * duplicate names the caller sees all, in order. Pure.
 */
#ifndef WORKER_JSON_H
#define WORKER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define JSON_DEPTH_MAX 64

/* A piece of the input. data NULL: absent, or null where that is allowed. */
struct json_str {
	uint8_t *data;
	size_t len;
};

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_type type;
	/* The text of the value; of a string what stands between the quotes,
	 * still escaped. */
	struct json_str raw;
};

struct json_cursor {
	uint8_t *at, *end;
	bool first;
	bool failed; /* the text is not JSON; sticky */
};

/* One value with nothing but white space around it. False: not JSON. */
bool json_parse(struct json_value *, uint8_t *data, size_t len);

/*
 * Walks the elements or members of a text that nobody has judged yet, without
 * a pass of its own: a walk to the end without `failed` has judged all of it.
 * False (and failed) when the text is no container of this type.
 */
bool json_open(struct json_cursor *, enum json_type, uint8_t *data, size_t len);

/* Walks those of a value, which must be an array or an object. */
void json_enter(struct json_cursor *, const struct json_value *);
/* The next element; false at the end, or when `failed` was set. */
bool json_next_element(struct json_cursor *, struct json_value *);
/* The next member; the name is raw, too. */
bool json_next_member(
    struct json_cursor *, struct json_str *name, struct json_value *);

/* Unescapes a raw string in place; \u0000 becomes a NUL byte. False for a
 * lone surrogate, or what is no raw string (a control, a quote, an escape that
 * there is not). UTF-8 was the scanner's to judge. */
bool json_unescape(struct json_str *);

/* True when a raw name says this text (of at most 42 bytes), however it is
 * spelt. Changes nothing. */
bool json_name_is(struct json_str raw, const char *text);

/* An integer without fraction and exponent that fits. */
bool json_int(const struct json_value *, int64_t *);

/* How many bytes at the start stand in a string as they are. */
size_t json_plain_len(const uint8_t *, size_t len);

/* Escapes as much of in as fits into out, whole characters only: returns the
 * bytes written and sets *taken. The text must be valid UTF-8; a cap of 6
 * always makes progress. */
size_t json_escape(
    const uint8_t *in, size_t len, size_t *taken, uint8_t *out, size_t cap);

/* Appends a string with its quotes; the text must be valid UTF-8. 0 or -1. */
int json_put_str(struct buf *, const void *data, size_t len);

#endif
