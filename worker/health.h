/* SPDX-License-Identifier: MIT */
/*
 * The health listener: /livez /live (this process runs its loop, and nothing
 * outside is asked), /readyz /ready, /healthz /health (requests are served),
 * /metrics (Prometheus text format), and below /inspect/ the page of inspect.h.
 * The names with a z answer in words, with
 * ?verbose in a line for each check; those without one in JSON.
 */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

#include "ready.h"

struct event_base;
struct health;
struct inspect;
struct metrics;

struct health_params {
	struct event_base *base;
	int fd; /* a listening socket, owned from now on */
	struct metrics *metrics;
	const struct inspect *inspect; /* outlives it */
	void (*facts)(struct ready_facts *, void *arg);
	/* Brings the metrics up to date that are looked at. */
	void (*look)(void *arg);
	void *arg;
};

/* NULL with the descriptor closed when it cannot be set up. */
struct health *health_create(const struct health_params *);
void health_free(struct health *); /* NULL is fine */

/* Stops listening, for somebody else who does; NULL is fine. */
void health_retire(struct health *);

#endif
