/* SPDX-License-Identifier: MIT */
/* The timers of timer.h. */
#include <stddef.h>

#include <event2/event.h>

#include "log.h"
#include "timer.h"

struct event *
timer_create_ms(
    struct event_base *base, void (*cb)(int, short, void *), void *arg)
{
	struct event *ev = evtimer_new(base, cb, arg);

	if (ev == NULL)
		fatalx("out of memory");
	return ev;
}

void
timer_set_ms(struct event *ev, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (evtimer_add(ev, &tv) == -1)
		fatalx("a timer cannot be armed");
}

void
timer_stop(struct event *ev)
{
	if (ev != NULL)
		(void)evtimer_del(ev);
}

void
timer_clear(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}
