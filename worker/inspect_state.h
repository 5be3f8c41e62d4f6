/* SPDX-License-Identifier: MIT */
/*
 * How the worker stands, as the page of INSPECT is told it: one JSON object of
 * numbers and of words from closed lists. Pure.
 */
#ifndef WORKER_INSPECT_STATE_H
#define WORKER_INSPECT_STATE_H

#include "buf.h"
#include "proto.h"
#include "ready.h"
#include "tunnels.h"

struct conf;
struct metrics;

struct inspect_facts {
	const char *worker; /* which one it is: of no other in its life */
	struct ready_facts ready;
	const struct conf *conf;
	const struct metrics *metrics;
	struct proto_worker_status tunnel[TUNNELS_MAX];
	unsigned tunnels;
	int64_t resident; /* bytes, 0: unknown */
};

/* Appends it. Times are in ms, sizes in bytes, null: there is none. */
void inspect_state(const struct inspect_facts *, struct buf *out);

#endif
