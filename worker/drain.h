/* SPDX-License-Identifier: MIT */
/*
 * The end of a worker that has requests in flight: all of them are answered,
 * those that still arrive too, and it leaves at a quiet moment, or when
 * SHUTDOWN_TIMEOUT is over.
 */
#ifndef WORKER_DRAIN_H
#define WORKER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct drain;
struct event_base;
struct proxy;

struct drain_params {
	struct event_base *base;
	const struct proxy *proxy; /* which requests there are */
	int64_t timeout_ms;
	/* Nothing new has come for a while: close the WebSockets. False: there
	 * are none; else drain_closed follows. Called once. */
	bool (*on_close)(void *arg);
	/* The moment to leave has come, in this turn of the loop: what is read
	 * in the next one would be begun in vain. Called once. */
	void (*on_over)(void *arg);
	void *arg;
};

/* NULL when out of memory. Nothing is drained yet. */
struct drain *drain_create(const struct drain_params *);
void drain_free(struct drain *); /* NULL is fine */

/* Begins; a second call does nothing. */
void drain_start(struct drain *);

/* Nothing is in flight at this moment. */
void drain_check(struct drain *);

/* There is no tunnel any more: it says what became of the requests. */
void drain_bereft(struct drain *);

/* The WebSockets are closed. */
void drain_closed(struct drain *);

bool drain_has_begun(const struct drain *);

#endif
