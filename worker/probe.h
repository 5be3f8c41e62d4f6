/* SPDX-License-Identifier: MIT */
/*
 * Asks the application whether it is well, each BACKEND_HEALTH_INTERVAL, when
 * BACKEND_HEALTH_PATH names something to ask for: a status below 400 within
 * 5 seconds is good. It goes the way of the requests, so what would fail for
 * them fails here, and the breaker does not hear of it.
 */
#ifndef WORKER_PROBE_H
#define WORKER_PROBE_H

#include "ready.h"

struct backend;
struct conf;
struct event_base;
struct probe;

struct probe_params {
	struct event_base *base;
	struct backend *backend;
	const struct conf *conf; /* outlives it */
	/* Once, when the first answer is in, or did not come in time. */
	void (*on_known)(void *arg);
	void *arg;
};

/* NULL when out of memory. */
struct probe *probe_create(const struct probe_params *);
void probe_free(struct probe *); /* before the backend; NULL is fine */

enum ready_backend probe_result(const struct probe *);

#endif
