/* SPDX-License-Identifier: MIT */
/*
 * Token buckets. A bucket holds `burst` requests at most and is filled again at
 * a rate; one that is full knows nothing that a new one does not know. All is
 * counted in whole numbers, so nothing is lost to rounding however often it is
 * asked. The clock is the caller's. Pure.
 */
#ifndef WORKER_RATE_H
#define WORKER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	int64_t count, per_ms; /* so many in so long; count 0: no limit */
	int64_t burst;	       /* at least 1 */
};

/* burst 0: what the rate gives in a second, at least 1. */
void rate_init(struct rate *, int64_t count, int64_t per_ms, int64_t burst);

struct rate_bucket {
	int64_t level; /* in 1/per_ms of a request */
	int64_t at_ms; /* … as of then */
};

/* A full one. */
void rate_fill(const struct rate *, struct rate_bucket *, int64_t now_ms);

bool rate_is_full(const struct rate *, struct rate_bucket *, int64_t now_ms);

/* 0: there is one request in it. Else how long until there is. */
int64_t rate_wait_ms(const struct rate *, struct rate_bucket *, int64_t now_ms);

/* Takes one out, which rate_wait_ms has just seen. */
void rate_take(const struct rate *, struct rate_bucket *);

#endif
