/* SPDX-License-Identifier: MIT */
/*
 * Exponential backoff with jitter. Pure arithmetic but for the random
 * bits, which are the kernel's.
 */
#ifndef WORKER_BACKOFF_H
#define WORKER_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t initial_ms, max_ms;
	uint32_t attempt; /* since the last reset */
};

/*
 * How long to wait before the next attempt: initial · 2^attempt, at most max,
 * then spread by ±25 % by `random` (any 32 bits), so that a thousand
 * telephones do not come back in step. Counts the attempt.
 */
int64_t backoff_next(struct backoff *, uint32_t random);
void backoff_reset(struct backoff *);

/* 32 random bits from the kernel. */
uint32_t backoff_random(void);

/* A random time from 0 to max_ms, both included; max_ms is at most a day. */
int64_t backoff_spread(int64_t max_ms);

#endif
