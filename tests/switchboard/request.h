/* SPDX-License-Identifier: MIT */
/*
 * request: an HTTP/1.x request head, parsed.  Pure: http.c brings the bytes
 * and reads the body.
 */
#ifndef SWITCHBOARD_REQUEST_H
#define SWITCHBOARD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define REQUEST_LINE_MAX 10000 /* above: 414, as Bandit */
#define REQUEST_HEAD_MAX 65536 /* above: 431 */
#define REQUEST_HEADERS_MAX 500

struct request_header {
	const char *name; /* lower case */
	const char *value;
};

struct request {
	const char *method, *path, *query; /* query may be "" */
	struct request_header *headers;
	size_t headers_len;
	int minor; /* of HTTP/1.x */
	bool keep_alive, chunked, expect_continue;
	int64_t content_length; /* 0 when not given */
	struct buf raw;		/* the head as it came */
	struct buf body;
	char *text; /* what the strings point to */
};

/*
 * Parse a head up to and with its empty line.  0, or the HTTP status that
 * refuses it.  request_clear frees in both cases; begin with a zeroed one.
 */
int request_parse(struct request *, const void *, size_t);
void request_clear(struct request *);

/* The last value of a header, NULL when there is none. */
const char *request_header(const struct request *, const char *name);
/* Whether a comma list header has this word, in any case. */
bool
request_has_word(const struct request *, const char *name, const char *word);

#endif
