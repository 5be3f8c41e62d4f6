/* SPDX-License-Identifier: MIT */
/* The buckets of rate.h. */
#include "rate.h"

void
rate_init(struct rate *r, int64_t count, int64_t per_ms, int64_t burst)
{
	r->count = count;
	r->per_ms = per_ms;
	if (burst == 0)
		burst = count * 1000 / per_ms;
	r->burst = burst > 0 ? burst : 1;
}

static int64_t
capacity(const struct rate *r)
{
	return r->burst * r->per_ms;
}

void
rate_fill(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
	b->level = capacity(r);
	b->at_ms = now_ms;
}

/* As of now. A clock that went back gives nothing. */
static void
refill(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
	int64_t missing = capacity(r) - b->level;
	int64_t elapsed = now_ms - b->at_ms;

	if (elapsed <= 0)
		return;
	b->at_ms = now_ms;
	if (elapsed > missing / r->count)
		b->level += missing;
	else
		b->level += elapsed * r->count;
}

bool
rate_is_full(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
	refill(r, b, now_ms);
	return b->level == capacity(r);
}

int64_t
rate_wait_ms(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
	if (r->count == 0)
		return 0;
	refill(r, b, now_ms);
	if (b->level >= r->per_ms)
		return 0;
	return (r->per_ms - b->level + r->count - 1) / r->count;
}

void
rate_take(const struct rate *r, struct rate_bucket *b)
{
	if (r->count > 0)
		b->level -= r->per_ms;
}
