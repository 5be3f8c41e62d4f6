/* SPDX-License-Identifier: MIT */
/* The questions and the watchdog of liveness.h. */
#include <event2/event.h>

#include "liveness.h"
#include "log.h"
#include "notify.h"
#include "service.h"

/* Every child is asked this often, and killed when it has let that many
 * questions pass: 8 seconds. tokend may wait for a locked store besides. */
#define POLL_MS 2000
#define SILENT_POLLS 4
/* The watchdog is not fed on behalf of a worker that has let so many pass; how
 * soon it is looked again. */
#define STUCK_POLLS 3
#define WATCHDOG_LOOK_MS 500
/* A step of a birth may take longer: 30 seconds. */
#define BIRTH_POLLS 15

static void
check(struct service *s, struct child *c)
{
	int64_t max;

	if (c == NULL)
		return;
	max = child_is_running(c) ? SILENT_POLLS : BIRTH_POLLS;
	if (child_role(c) == PROTO_TOKEND)
		max += conf_num(&s->conf, CONF_DB_TIMEOUT) / POLL_MS;
	if (child_poll(c) <= max)
		(void)service_ask_status(s, c);
	else
		child_kill(c,
		    child_is_running(c) ? "it answers nothing any more"
					: "it does not become ready");
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;
	size_t i;

	(void)fd;
	(void)what;
	check(s, s->tokend);
	check(s, s->worker);
	check(s, s->fresh);
	for (i = 0; i < SERVICE_WORKERS_MAX; i++)
		check(s, s->old[i]);
	service_set_timer(s->poll, POLL_MS);
}

/* The worker that serves leaves questions unanswered: on_poll will kill it, and
 * if that is of no use systemd has to do something. One that is being born or
 * is yet to be started has no loop. */
static bool
is_stuck(const struct service *s)
{
	return s->worker != NULL && child_is_running(s->worker) &&
	    child_unheard(s->worker) >= STUCK_POLLS;
}

/* systemd is told that this loop turns, and the worker's. Where one feeding is
 * left out the next is due as soon as there is a reason: half of the time that
 * systemd allows is over. */
static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;
	int64_t ms = notify_watchdog_ms();

	(void)fd;
	(void)what;
	if (!is_stuck(s))
		notify_send("WATCHDOG=1");
	else if (ms > WATCHDOG_LOOK_MS)
		ms = WATCHDOG_LOOK_MS;
	service_set_timer(s->watchdog, ms);
}

void
liveness_open(struct service *s)
{
	s->poll = evtimer_new(s->base, on_poll, s);
	s->watchdog = evtimer_new(s->base, on_watchdog, s);
	if (s->poll == NULL || s->watchdog == NULL)
		fatalx("out of memory");
	service_set_timer(s->poll, POLL_MS);
	if (notify_watchdog_ms() > 0)
		service_set_timer(s->watchdog, notify_watchdog_ms());
}

void
liveness_close(struct service *s)
{
	event_free(s->poll);
	event_free(s->watchdog);
}
