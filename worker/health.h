/* SPDX-License-Identifier: MIT */
/*
 * The health listener: /livez /live (this process runs its loop), /readyz
 * /ready /healthz /health (the channel is joined and not draining), /metrics
 * (Prometheus text format). GET and HEAD only.
 */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

#include <stdbool.h>

struct event_base;
struct health;
struct metrics;

struct health_params {
	struct event_base *base;
	int fd; /* a listening socket, owned from now on */
	struct metrics *metrics;
	/* True when requests are served; else *why is a static text. */
	bool (*is_ready)(const char **why, void *arg);
	/* Brings the metrics up to date that are looked at. */
	void (*look)(void *arg);
	void *arg;
};

/* NULL with the descriptor closed when it cannot be set up. */
struct health *health_create(const struct health_params *);
void health_free(struct health *); /* stops listening; NULL is fine */

#endif
