/* SPDX-License-Identifier: MIT */
/*
 * A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6) over a socket that
 * is connected to it, with basic credentials (RFC 7617) where there are any.
 * What follows the answer's head is left in the socket.
 */
#ifndef WORKER_VIA_H
#define WORKER_VIA_H

#include <stdint.h>

#include "proto.h"

struct event_base;
struct via;

struct via_result {
	enum proto_reason reason; /* PROTO_REASON_NONE: the tunnel is there */
	uint16_t detail;	  /* HTTP status, 0: none */
	const char *text;	  /* static, for the log, or NULL */
};

/* The via is gone when this runs. The result is borrowed. */
typedef void via_cb(const struct via_result *, void *arg);

struct via_params {
	struct event_base *base;
	int fd; /* not blocking; stays the caller's, who closes it after */
	const char *host; /* of the tunnel; the proxy resolves it */
	uint16_t port;
	const char *user; /* "user:password", or "" */
	int64_t timeout_ms;
	via_cb *cb; /* from the loop, never from via_start */
	void *arg;
};

/* NULL when out of memory. */
struct via *via_start(const struct via_params *);

/* No callback comes after this. NULL is fine. */
void via_cancel(struct via *);

#endif
