/* SPDX-License-Identifier: MIT */
/*
 * answer: turns a proxy_res into the HTTP response that Plug would send
 * (PROTOCOL 4).  Pure.
 */
#ifndef SWITCHBOARD_ANSWER_H
#define SWITCHBOARD_ANSWER_H

#include <stdbool.h>

#include "buf.h"
#include "json.h"

struct answer {
	struct json status, headers, body, chunked, chunks;
	bool is_head; /* the client asked with HEAD */
	int minor;    /* its HTTP/1.x */
	bool close;   /* in: wanted; out: needed */
};

/* Append the response.  NULL, or why it becomes a 500 (nothing appended). */
const char *answer_put(struct buf *, struct answer *);

#endif
