/* SPDX-License-Identifier: MIT */
/*
 * Finds an address of a host that answers TCP: resolves the name, then races
 * its addresses as RFC 8305 has it (a new attempt every 250 ms, or at once
 * when one fails), first one wins. libwebsockets hides why a connect failed
 * and never tries a second address, so it is given the winner's socket.
 */
#ifndef WORKER_DIAL_H
#define WORKER_DIAL_H

#include <stdint.h>

#include "proto.h"
#include "resolve.h"

struct dial;

struct dial_result {
	enum proto_reason reason; /* PROTO_REASON_NONE: addr answers */
	const char *error;	  /* static text for the log, or NULL */
	int fd; /* connected, not blocking, the callback's to close; or -1 */
	char addr[LOOKUP_ADDR_MAX]; /* where to */
};

/* The dial is gone when this runs. The result is borrowed. */
typedef void dial_cb(const struct dial_result *, void *arg);

struct dial_params {
	struct event_base *base;
	struct resolve *resolve;
	const char *host;
	uint16_t port;
	int64_t timeout_ms; /* for everything together */
	dial_cb *cb;	    /* from the loop, never from dial_start */
	void *arg;
};

/* NULL when out of memory or when too many names are being resolved. */
struct dial *dial_start(const struct dial_params *);

/* No callback comes after this. NULL is fine. */
void dial_cancel(struct dial *);

#endif
