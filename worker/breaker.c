/* SPDX-License-Identifier: MIT */
/* The three states of breaker.h. */
#include <string.h>

#include "breaker.h"

void
breaker_init(struct breaker *b, unsigned failures_max, int64_t open_ms)
{
	memset(b, 0, sizeof(*b));
	b->failures_max = failures_max;
	b->open_ms = open_ms;
}

bool
breaker_is_open(const struct breaker *b, int64_t now_ms)
{
	if (b->state == BREAKER_OPEN)
		return now_ms < b->until_ms;
	return b->state == BREAKER_HALF_OPEN && b->probing;
}

int64_t
breaker_wait_ms(const struct breaker *b, int64_t now_ms)
{
	return b->until_ms > now_ms ? b->until_ms - now_ms : 1;
}

bool
breaker_admit(struct breaker *b, int64_t now_ms, bool *probe)
{
	*probe = false;
	if (breaker_is_open(b, now_ms))
		return false;
	if (b->state != BREAKER_CLOSED) {
		b->state = BREAKER_HALF_OPEN;
		b->probing = true;
		*probe = true;
	}
	return true;
}

void
breaker_succeeded(struct breaker *b, bool probe, int64_t now_ms)
{
	(void)now_ms;
	/* Those that began before it opened prove nothing about now; the
	 * probe does. */
	if (b->state != BREAKER_CLOSED && !probe)
		return;
	b->state = BREAKER_CLOSED;
	b->failures = 0;
	b->probing = false;
}

void
breaker_failed(struct breaker *b, bool probe, int64_t now_ms)
{
	if (b->failures_max == 0 || (b->state != BREAKER_CLOSED && !probe))
		return;
	b->failures++;
	if (!probe && b->failures < b->failures_max)
		return;
	b->state = BREAKER_OPEN;
	b->until_ms = now_ms + b->open_ms;
	b->probing = false;
}

void
breaker_forgotten(struct breaker *b, bool probe, int64_t now_ms)
{
	(void)now_ms;
	if (probe)
		b->probing = false; /* the next one looks */
}
