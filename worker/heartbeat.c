/* SPDX-License-Identifier: MIT */
/* `beat` is the schedule, `ack` the deadline of the one under way. */
#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>

#include "heartbeat.h"
#include "metrics.h"
#include "pace.h"
#include "timer.h"
#include "util.h"

/* Between two that are not both of the schedule. */
#define APART_MS 1000

struct heartbeat {
	struct heartbeat_params params;
	struct event *beat, *ack;
	bool running;
	bool stable;	    /* it was said */
	int64_t started_ms; /* this join */
	int64_t next_ms;    /* of the schedule */
	bool waiting;	    /* one is under way … */
	bool looked;	    /* its time is up, and what has come is read */
	int64_t ts;	    /* … with this stamp … */
	int64_t sent_ms;    /* … queued at this time */
	unsigned queued;    /* that have not yet left the queue */
	uint64_t mark;	    /* the stream's bytes up to its end, once it has */
	int64_t left_ms;    /* when the peer's TCP had it, 0: not yet */
	int64_t checked_ms;
	int64_t acked_ms; /* the last one in this join, 0: none */
};

/* --- the deadline --------------------------------------------------------- */

/*
 * When the wait for the answer began. Behind other bytes a heartbeat is on its
 * way as long as these move; once the peer's TCP has it, nothing but the
 * answer counts. On a dead connection nothing moves: then it is the sending.
 */
static int64_t
wait_began_ms(struct heartbeat *h, int64_t now_ms)
{
	const struct pace *pace = h->params.ops->pace(h->params.arg);

	if (h->left_ms == 0 && h->queued == 0 && pace->left >= h->mark)
		h->left_ms = h->checked_ms;
	if (h->left_ms != 0)
		return h->left_ms;
	h->checked_ms = now_ms;
	return pace->progress_ms > h->sent_ms ? pace->progress_ms : h->sent_ms;
}

/* Looks again soon as long as it is not known when the heartbeat left. */
static void
await(struct heartbeat *h)
{
	int64_t now_ms = util_mono_ms(), ms;

	ms = wait_began_ms(h, now_ms) + h->params.timeout_ms - now_ms;
	/* A loop that slept comes to its timers before it has looked at its
	 * sockets. */
	if (ms <= 0 && !h->looked) {
		h->looked = true;
		timer_set_ms(h->ack, 0);
		return;
	}
	if (ms <= 0) {
		heartbeat_stop(h);
		h->params.ops->on_dead(h->params.arg);
		return;
	}
	if (h->left_ms == 0 && ms > PACE_SAMPLE_MS)
		ms = PACE_SAMPLE_MS;
	timer_set_ms(h->ack, ms);
}

static void
on_ack_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	await(arg);
}

void
heartbeat_sent(struct heartbeat *h)
{
	/* Of several (from earlier joins), the last one is ours. */
	if (h->queued > 0 && --h->queued == 0)
		h->mark = h->params.ops->pace(h->params.arg)->written;
}

/* One out of turn, for a long answer, proves nothing in the first moment: who
 * asks for the answer does not decide how soon we come back. A timer may be a
 * little early. */
static bool
is_old(const struct heartbeat *h)
{
	return h->acked_ms - h->started_ms >= h->params.interval_ms * 3 / 4;
}

void
heartbeat_ack(struct heartbeat *h, int64_t ts)
{
	if (!h->waiting || ts != h->ts)
		return;
	h->waiting = false;
	timer_stop(h->ack);
	h->acked_ms = util_mono_ms();
	metrics_add(h->params.metrics, METRICS_HEARTBEATS, 1);
	metrics_set(
	    h->params.metrics, METRICS_HEARTBEAT_RTT, h->acked_ms - h->sent_ms);
	h->params.ops->on_ack(h->params.arg);
	if (h->stable || !is_old(h))
		return;
	h->stable = true;
	h->params.ops->on_stable(h->params.arg);
}

/* --- the schedule --------------------------------------------------------- */

static void
beat(struct heartbeat *h)
{
	if (h->waiting)
		return; /* its deadline speaks */
	h->ts = util_wall_ms() / 1000;
	h->queued++;
	if (h->params.ops->send(h->ts, h->params.arg) == -1) {
		h->queued--; /* the next one may find memory */
		return;
	}
	h->waiting = true;
	h->looked = false;
	h->sent_ms = h->checked_ms = util_mono_ms();
	h->left_ms = 0;
	await(h);
}

/* Due an interval after the last one was due, however late that was. */
static void
plan(struct heartbeat *h)
{
	int64_t now_ms = util_mono_ms();

	h->next_ms += h->params.interval_ms;
	if (h->next_ms < now_ms)
		h->next_ms = now_ms;
	timer_set_ms(h->beat, h->next_ms - now_ms);
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct heartbeat *h = arg;

	(void)fd;
	(void)what;
	plan(h);
	beat(h);
}

void
heartbeat_now(struct heartbeat *h)
{
	if (h->running && util_mono_ms() - h->sent_ms >= APART_MS)
		beat(h);
}

void
heartbeat_start(struct heartbeat *h)
{
	h->running = true;
	h->started_ms = h->next_ms = util_mono_ms();
	plan(h);
}

void
heartbeat_stop(struct heartbeat *h)
{
	timer_stop(h->beat);
	timer_stop(h->ack);
	h->running = h->waiting = h->stable = false;
	h->sent_ms = h->acked_ms = 0;
}

void
heartbeat_reset(struct heartbeat *h)
{
	heartbeat_stop(h);
	h->queued = 0;
	h->mark = 0;
}

int64_t
heartbeat_age_ms(const struct heartbeat *h)
{
	return h->acked_ms > 0 ? util_mono_ms() - h->acked_ms : -1;
}

/* --- life ----------------------------------------------------------------- */

struct heartbeat *
heartbeat_create(const struct heartbeat_params *params)
{
	struct heartbeat *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->params = *params;
	h->beat = timer_create_ms(params->base, on_beat, h);
	h->ack = timer_create_ms(params->base, on_ack_timer, h);
	return h;
}

void
heartbeat_free(struct heartbeat *h)
{
	if (h == NULL)
		return;
	timer_clear(&h->beat);
	timer_clear(&h->ack);
	free(h);
}
