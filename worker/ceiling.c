/* SPDX-License-Identifier: MIT */
/* The bookkeeping of ceiling.h. */
#include <string.h>

#include "ceiling.h"
#include "metrics.h"

static uint64_t
longest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void
ceiling_init(struct ceiling *c, uint64_t fixed, int64_t retry_ms)
{
	memset(c, 0, sizeof(*c));
	c->fixed = fixed;
	c->retry_ms = c->hold_ms = retry_ms;
}

uint64_t
ceiling_fixed(const struct ceiling *c)
{
	return c->fixed == 0 ? UINT64_MAX : c->fixed;
}

uint64_t
ceiling_max(const struct ceiling *c)
{
	uint64_t fixed = ceiling_fixed(c);

	return c->refused != 0 && c->refused - 1 < fixed ? c->refused - 1
							 : fixed;
}

bool
ceiling_try(struct ceiling *c, int64_t now_ms)
{
	if (c->refused == 0 || now_ms < c->again_ms)
		return false;
	c->again_ms = now_ms + c->hold_ms;
	return true;
}

void
ceiling_wrote(struct ceiling_sent *s, size_t len, bool last)
{
	s->len += len;
	if (!last)
		return;
	s->unproved = longest(s->unproved, s->len);
	s->len = 0;
}

void
ceiling_asked(struct ceiling_sent *s)
{
	s->asked = longest(s->asked, s->unproved);
	s->unproved = 0;
}

bool
ceiling_proved(struct ceiling *c, struct ceiling_sent *s)
{
	uint64_t len = s->asked;

	s->asked = 0;
	if (len <= c->accepted)
		return false;
	c->accepted = len;
	if (len >= c->refused) { /* it takes more than it did */
		c->refused = 0;
		c->hold_ms = c->retry_ms;
	}
	return true;
}

bool
ceiling_refused(struct ceiling *c, const struct ceiling_sent *s, int64_t now_ms)
{
	uint64_t len = longest(s->len, longest(s->unproved, s->asked));

	if (len <= CEILING_LEAST)
		return false;
	if (c->refused == 0 || len < c->refused) {
		c->refused = len;
		c->hold_ms = c->retry_ms;
	} else { /* it was tried again, in vain */
		c->hold_ms = c->hold_ms > CEILING_HOLD_MAX_MS / 2
		    ? CEILING_HOLD_MAX_MS
		    : c->hold_ms * 2;
	}
	c->again_ms = now_ms + c->hold_ms;
	if (c->accepted >= c->refused)
		c->accepted = c->refused - 1;
	return true;
}

void
ceiling_note(const struct ceiling *c, struct metrics *m)
{
	metrics_set(m, METRICS_MESSAGE_ACCEPTED, (int64_t)c->accepted);
	metrics_set(m, METRICS_MESSAGE_REFUSED, (int64_t)c->refused);
}
