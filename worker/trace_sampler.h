/* SPDX-License-Identifier: MIT */
/*
 * Which traces are recorded: the samplers of OTEL_TRACES_SAMPLER. A ratio is
 * exact to 2^-56 and the same for everybody who samples by OpenTelemetry's
 * consistent probability: a trace is kept when the last 56 bits of its id, or
 * the explicit randomness that its tracestate holds (ot=rv:…), are not below
 * the threshold (1 - ratio) * 2^56. So what a lower ratio keeps, a higher one
 * keeps as well. Pure.
 */
#ifndef WORKER_TRACE_SAMPLER_H
#define WORKER_TRACE_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "trace_context.h"

/* In the order of OTEL_TRACES_SAMPLER's choices. */
enum trace_sampler_kind {
	TRACE_ALWAYS_ON,
	TRACE_ALWAYS_OFF,
	TRACE_RATIO,
	TRACE_PARENT_ALWAYS_ON,
	TRACE_PARENT_ALWAYS_OFF,
	TRACE_PARENT_RATIO,
};

struct trace_sampler {
	bool parent_based; /* what comes with a parent is its decision */
	/* Of the 2^56 values there are, those from here on are kept. */
	uint64_t threshold;
};

/* The ratio, from 0 to 1, counts for the two that have one. */
void trace_sampler_init(
    struct trace_sampler *, enum trace_sampler_kind, double ratio);

/* Whether a span of this trace is recorded; of one that begins here the parent
 * is not valid. */
bool trace_sampler_takes(const struct trace_sampler *,
    const struct trace_parent *, const uint8_t trace_id[TRACE_ID_LEN]);

#endif
