/* SPDX-License-Identifier: MIT */
/* The counters of limit.h. */
#include "limit.h"

enum limit_verdict
limit_enter(struct limit *l)
{
	if (l->running < l->running_max && l->waiting == 0) {
		l->running++;
		return LIMIT_RUN;
	}
	if (l->waiting >= l->waiting_max)
		return LIMIT_FULL;
	l->waiting++;
	return LIMIT_WAIT;
}

bool
limit_advance(struct limit *l)
{
	if (l->waiting == 0 || l->running >= l->running_max)
		return false;
	l->waiting--;
	l->running++;
	return true;
}

void
limit_leave(struct limit *l)
{
	l->running--;
}

void
limit_give_up(struct limit *l)
{
	l->waiting--;
}

bool
limit_hold(struct limit *l, size_t len)
{
	if (l->bytes > 0 && len > 0 &&
	    (l->bytes >= l->bytes_max || len > l->bytes_max - l->bytes))
		return false;
	l->bytes += len;
	return true;
}

void
limit_release(struct limit *l, size_t len)
{
	l->bytes -= len;
}
