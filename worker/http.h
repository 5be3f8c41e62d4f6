/* SPDX-License-Identifier: MIT */
/*
 * A very small HTTP server for the health listener: one request a connection,
 * GET and HEAD, all of it bounded in size and in time. Whoever comes is heard
 * even when others hold every connection: the one that has waited longest for
 * its own request makes room, and when more is held for those who do not take
 * their answers than HTTP_HELD_MAX, the one that has had longest for it goes.
 * Its events go before all others of the loop, so that a probe is answered
 * while the rest is busy.
 */
#ifndef WORKER_HTTP_H
#define WORKER_HTTP_H

#include "buf.h"
#include "http_head.h"

struct event_base;
struct http;

/* Of all answers together that have yet to leave. */
#define HTTP_HELD_MAX ((size_t)2 * 1024 * 1024)

struct http_answer {
	int status;
	const char *type;  /* of the body, a constant */
	const char *extra; /* further field lines with their ends, or "" */
	struct buf body;
	/* In its place: bytes that are there for ever, and are not copied. */
	const uint8_t *fixed;
	size_t fixed_len;
};

struct http_params {
	struct event_base *base;
	int fd; /* a listening socket, owned from now on */
	/* Fills in the answer, which is a 404 without a body before. */
	void (*answer)(const struct http_head *, struct http_answer *, void *);
	void *arg;
};

/* NULL with the descriptor closed when out of memory. */
struct http *http_create(const struct http_params *);
void http_free(struct http *); /* NULL is fine */

/* Takes no more connections; those that there are go on. */
void http_retire(struct http *);

#endif
