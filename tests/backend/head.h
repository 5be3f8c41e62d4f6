/* SPDX-License-Identifier: MIT */
#ifndef HEAD_H
#define HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The head of an HTTP/1.1 request (RFC 9112), read strictly and changed in
 * nothing: every span points into the bytes as they came.  Pure: knows no
 * socket and no loop.
 */

#define HEAD_MAX 65536 /* request line, fields and the empty line */

struct span {
	const char *p;
	size_t len;
};

struct head {
	struct span raw; /* without the empty line at the end */
	struct span method;
	struct span target; /* as received */
	struct span path;   /* of the target, not decoded */
	struct span query;  /* behind '?', p is NULL without one */
	struct span fields; /* all field lines */
	uint64_t length;    /* of content-length, else 0 */
	int minor;	    /* HTTP/1.minor */
	bool has_length;
	bool chunked;
	bool close;   /* the client wants no second request */
	bool expects; /* expect: 100-continue */
};

/*
 * Looks for the end of a head in buf.  *seen counts the bytes already
 * looked at; start with 0 and keep it between calls.  Returns the length
 * of the head with its empty line, 0 when more is needed, and -1 for what
 * can never become one (a bare CR or LF, a NUL).
 */
ssize_t head_find(const uint8_t *buf, size_t len, size_t *seen);

/*
 * Parses a complete head of len bytes, which must outlive *head.  Returns
 * 0, or the status to refuse it with: 400, 417, 501 or 505.
 */
int head_parse(struct head *head, const uint8_t *buf, size_t len);

/* The value of the nth (from 0) field of this name; false without one. */
bool head_field(
    const struct head *head, const char *name, size_t nth, struct span *value);

/* Has a field of this name, a comma separated list, this token in it? */
bool
head_has_token(const struct head *head, const char *name, const char *token);

/* Takes the next element of a comma separated list; false at its end. */
bool head_next_token(struct span *list, struct span *token);

bool head_is_token(const char *p, size_t len);
bool head_span_is(struct span span, const char *text);

#endif
