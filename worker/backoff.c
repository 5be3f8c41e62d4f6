/* SPDX-License-Identifier: MIT */
/* The arithmetic of backoff.h. */
#include "backoff.h"
#include "util.h"

uint32_t
backoff_random(void)
{
	uint32_t r;

	util_random(&r, sizeof(r));
	return r;
}

int64_t
backoff_spread(int64_t max_ms)
{
	return (int64_t)(backoff_random() % (uint32_t)(max_ms + 1));
}

int64_t
backoff_next(struct backoff *b, uint32_t random)
{
	int64_t ms = b->initial_ms;
	uint32_t i;

	/* By steps, not by a shift: attempt 60 must not overflow. Nothing would
	 * never grow up. */
	for (i = 0; i < b->attempt && ms > 0 && ms < b->max_ms; i++)
		ms = ms > b->max_ms / 2 ? b->max_ms : ms * 2;
	if (ms > b->max_ms)
		ms = b->max_ms;
	if (b->attempt < UINT32_MAX)
		b->attempt++;
	/* From 75 % to 125 %. max_ms is at most a day: no overflow. */
	return ms * 3 / 4 + (int64_t)((ms / 2) * (int64_t)(random >> 8) >> 24);
}

void
backoff_reset(struct backoff *b)
{
	b->attempt = 0;
}
