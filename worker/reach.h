/* SPDX-License-Identifier: MIT */
/*
 * A connected socket to Plugboard: straight (dial.h), or through an HTTP proxy
 * (dial.h to the proxy, then via.h), in which case the proxy resolves
 * Plugboard's name and we the proxy's.
 */
#ifndef WORKER_REACH_H
#define WORKER_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "lookup.h"
#include "proto.h"
#include "proxy_url.h"
#include "url.h"

struct conf;
struct event_base;
struct reach;
struct resolve;

struct reach_result {
	enum proto_reason reason; /* PROTO_REASON_NONE: there it is */
	uint16_t detail;	  /* HTTP status of the proxy, 0: none */
	const char *text;	  /* static, for the log, or NULL */
	int fd; /* connected, not blocking, the callback's to close; or -1 */
	char addr[LOOKUP_ADDR_MAX]; /* where it is connected to */
	uint16_t port;
};

/* The reach is gone when this runs. The result is borrowed. */
typedef void reach_cb(const struct reach_result *, void *arg);

struct reach_params {
	struct event_base *base;
	struct resolve *resolve;
	const struct url *url;
	const struct proxy_url *proxy; /* NULL: straight */
	int64_t timeout_ms;	       /* for everything together */
	reach_cb *cb; /* from the loop, never from reach_start */
	void *arg;
};

/* Which proxy the configuration has for this URL: HTTP_PROXY for ws://,
 * HTTPS_PROXY for wss://, none for what NO_PROXY names. False: none. */
bool reach_choose(struct proxy_url *, const struct conf *, const struct url *);

/* NULL when out of memory or when too many names are being resolved. url and
 * proxy must outlive it. */
struct reach *reach_start(const struct reach_params *);

/* No callback comes after this. NULL is fine. */
void reach_cancel(struct reach *);

#endif
