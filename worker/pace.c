/* SPDX-License-Identifier: MIT */
/* The arithmetic of pace.h. */
#include <string.h>

#include "pace.h"

/* A measurement takes at least that long, or it says more about the kernel's
 * buffers than about the way. */
#define WINDOW_MS 500
#define RATE_GOOD_MS 60000

void
pace_init(struct pace *p, int64_t now_ms)
{
	memset(p, 0, sizeof(*p));
	p->progress_ms = now_ms;
}

bool
pace_is_idle(const struct pace *p)
{
	return p->left == p->written;
}

void
pace_wrote(struct pace *p, uint64_t len, int64_t now_ms)
{
	if (pace_is_idle(p))
		p->progress_ms = now_ms;
	p->written += len;
}

static void
measure(struct pace *p, int64_t now_ms)
{
	uint64_t rate;

	if (p->window_ms == 0) {
		p->window_ms = now_ms;
		p->window_left = p->left;
		return;
	}
	if (now_ms - p->window_ms < WINDOW_MS)
		return;
	rate = (p->left - p->window_left) * 1000 /
	    (uint64_t)(now_ms - p->window_ms);
	/* One bad half second is no reason to refuse anything. */
	p->rate = p->rate == 0 ? rate : (p->rate * 3 + rate) / 4;
	p->rate_ms = now_ms;
	p->window_ms = now_ms;
	p->window_left = p->left;
}

void
pace_sample(struct pace *p, uint64_t queued, bool busy, int64_t now_ms)
{
	uint64_t left = queued < p->written ? p->written - queued : 0;

	/* TLS and the frames' heads make the queue longer than what we count:
	 * then the number goes back a little, and no byte came back. */
	if (left > p->left) {
		p->left = left;
		p->progress_ms = now_ms;
	}
	if (busy)
		measure(p, now_ms);
	else
		p->window_ms = 0;
}

int64_t
pace_project_ms(const struct pace *p, uint64_t len, int64_t now_ms)
{
	if (p->rate == 0 || now_ms - p->rate_ms > RATE_GOOD_MS)
		return 0;
	return (int64_t)(len / p->rate) * 1000 +
	    (int64_t)(len % p->rate * 1000 / p->rate);
}
