/* SPDX-License-Identifier: MIT */
/*
 * Which clients may come (ALLOW_CLIENTS), and how often (RATE_LIMIT and what
 * belongs to it): for requests and for WebSockets, which share the buckets.
 * A client is whom TRUST_FORWARDED has us believe in; with a list of clients,
 * one that is not known is not allowed.
 */
#ifndef WORKER_CLIENTS_H
#define WORKER_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cidr.h"
#include "head.h"

struct clients;
struct conf;
struct metrics;

/* hops: see rules_trusted_hops. NULL when out of memory. Of the configuration
 * nothing is kept. */
struct clients *
clients_create(const struct conf *, unsigned hops, struct metrics *);
void clients_free(struct clients *); /* NULL is fine */

struct clients_who {
	bool known;
	struct cidr_addr addr;
};

/* Who has sent a request with this head. Ask before head_request_finish. */
void
clients_who(const struct clients *, const struct head *, struct clients_who *);

struct clients_refusal {
	int status; /* 403 or 429 */
	const char *code, *reason;
	int64_t wait_ms; /* until it may be allowed, 0: never */
};

/* May this client come at all? NULL, or why not. */
const struct clients_refusal *
clients_allow(struct clients *, const struct clients_who *);

/* May it come now? Then it is counted as having come. NULL, or why not, good
 * until the next call. */
const struct clients_refusal *
clients_take(struct clients *, const struct clients_who *, int64_t now_ms);

#endif
