/* SPDX-License-Identifier: MIT */
/*
 * Whether requests are served, as a list of checks, each with the one reason
 * why not. Pure: dispatch says what there is.
 */
#ifndef WORKER_READY_H
#define WORKER_READY_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum ready_check {
	READY_DRAIN,
	READY_TOKEN,
	READY_TUNNEL,
	READY_HEARTBEAT,
	READY_BACKEND,
	READY_CHECKS
};

enum ready_backend {
	READY_BACKEND_UNASKED, /* no BACKEND_HEALTH_PATH */
	READY_BACKEND_UNKNOWN, /* no answer yet */
	READY_BACKEND_GOOD,
	READY_BACKEND_BAD,
};

/* What is asked for. */
struct ready_facts {
	bool draining;
	bool joined;
	int64_t token_expiry_s;	  /* wall clock, 0: there is none */
	int64_t joined_ms;	  /* age of the join, -1: none */
	int64_t heartbeat_ms;	  /* since the last acknowledgement, -1: none */
	int64_t heartbeat_max_ms; /* after which it is late */
	enum ready_backend backend;
	int64_t wall_s;
	int64_t uptime_ms;
};

/* NULL: passed. Else a stable word: draining, no_token, token_expired,
 * not_joined, heartbeat_late, backend_unknown, backend_unhealthy. */
const char *ready_why(const struct ready_facts *, enum ready_check);

/* The first reason why not, or NULL. */
const char *ready_not(const struct ready_facts *);

/* "ok" or the reason; verbose: a line for each check. */
void ready_text(const struct ready_facts *, bool verbose, struct buf *out);

/* The document of the Go Telephone, with the reasons besides; status is the
 * word for good or bad. */
void
ready_json(const struct ready_facts *, const char *status, struct buf *out);

#endif
