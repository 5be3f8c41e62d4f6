/* SPDX-License-Identifier: MIT */
/*
 * What `telephonectl top` makes of the figures that it has seen: rates between
 * the last two, and the latencies of the last minute, from the difference of
 * two histograms. Pure.
 */
#ifndef SUPERVISOR_TELEPHONECTL_MODEL_H
#define SUPERVISOR_TELEPHONECTL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "watch.h"

#define MODEL_WINDOW_US 60000000
#define MODEL_SEEN_MAX 128

struct model {
	uint32_t pid; /* of the worker whose figures they are */
	struct watch_load seen[MODEL_SEEN_MAX];
	unsigned count; /* all that were ever added */
};

/* Figures of this worker. Those of another, and those that go back, begin
 * anew. */
void model_add(struct model *, uint32_t pid, const struct watch_load *);
void model_forget(struct model *);

/* The newest, or NULL. */
const struct watch_load *model_now(const struct model *);

/* In thousandths a second, between the last two; false: there are none yet. */
struct model_rates {
	int64_t requests, failed, retries;
	int64_t bytes_to, bytes_from;
};
bool model_rates(const struct model *, struct model_rates *);

/* Over as much of the last minute as was seen; false: no request has ended in
 * it. */
struct model_latency {
	int64_t window_us;
	uint64_t requests;
	int64_t p50_us, p95_us, p99_us;
	bool more; /* the last one is more than that: beyond the last bucket */
};
bool model_latency(const struct model *, struct model_latency *);

#endif
