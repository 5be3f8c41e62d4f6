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

/* NULL when out of memory. The configuration outlives it. */
struct probe *
probe_create(struct event_base *, struct backend *, const struct conf *);
void probe_free(struct probe *); /* before the backend; NULL is fine */

enum ready_backend probe_result(const struct probe *);

#endif
