/* SPDX-License-Identifier: MIT */
/* When to leave, and what to say of it. */
#include <inttypes.h>
#include <stdlib.h>

#include <event2/event.h>

#include "drain.h"
#include "log.h"
#include "proxy.h"
#include "timer.h"
#include "util.h"

/* A drain leaves when nothing new has come for so long. */
#define QUIET_MS 1000

struct drain {
	struct drain_params params;
	bool begun;
	bool closing; /* the WebSockets, or that is done … */
	bool closed;  /* … as it is now */
	bool late;    /* SHUTDOWN_TIMEOUT is over */
	bool over;
	struct event *bound;
	struct event *quiet; /* may be the moment to leave */
	int64_t began_ms;
	uint64_t answered, bereft; /* requests, by then */
};

static void
say_end(const struct drain *d)
{
	size_t abandoned = proxy_in_flight(d->params.proxy);
	uint64_t finished = proxy_answered(d->params.proxy) - d->answered;
	uint64_t lost = proxy_bereft(d->params.proxy) - d->bereft;
	char left[64] = "none abandoned", gone[64] = "";

	if (lost > 0)
		(void)util_fmt(gone, sizeof(gone),
		    "%" PRIu64 " lost with their tunnel, ", lost);
	if (abandoned > 0)
		(void)util_fmt(left, sizeof(left),
		    "%zu abandoned at the end of SHUTDOWN_TIMEOUT", abandoned);
	if (lost > 0 || abandoned > 0)
		log_warnx("drained: %" PRIu64 " requests finished, %s%s",
		    finished, gone, left);
	else
		log_info("drained: %" PRIu64 " requests finished, %s", finished,
		    left);
}

/* Leaves in this very turn of the loop: what is read in a later one before
 * phx_leave is queued would be begun, and lost. */
static void
leave(struct drain *d)
{
	d->over = true;
	timer_stop(d->bound);
	timer_stop(d->quiet);
	say_end(d);
	d->params.on_over(d->params.arg);
}

/* WebSockets have no quiet moment of their own: they are closed in the one of
 * the requests, which go on being answered meanwhile. */
static void
close_websockets(struct drain *d)
{
	if (d->closing)
		return;
	d->closing = true;
	d->closed = !d->params.on_close(d->params.arg);
}

void
drain_closed(struct drain *d)
{
	d->closed = true;
	if (d->late && !d->over)
		leave(d);
	else
		drain_check(d);
}

/*
 * The moment to leave: nothing in flight, and nothing new for a second. Under
 * a load that makes no such pause, any moment with nothing in flight in the
 * second half of SHUTDOWN_TIMEOUT.
 */
void
drain_check(struct drain *d)
{
	int64_t now_ms = util_mono_ms(), at_ms, half_ms;

	if (!d->begun || d->over || proxy_in_flight(d->params.proxy) > 0)
		return;
	at_ms = proxy_last_ms(d->params.proxy) + QUIET_MS;
	half_ms = d->began_ms + d->params.timeout_ms / 2;
	if (at_ms > half_ms)
		at_ms = half_ms;
	if (!d->closing && now_ms < at_ms) {
		timer_set_ms(d->quiet, at_ms - now_ms);
		return;
	}
	close_websockets(d);
	if (d->closed)
		leave(d);
}

static void
on_quiet(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drain_check(arg);
}

static void
on_bound(evutil_socket_t fd, short what, void *arg)
{
	struct drain *d = arg;

	(void)fd;
	(void)what;
	d->late = true;
	close_websockets(d);
	if (d->closed)
		leave(d);
}

void
drain_start(struct drain *d)
{
	if (d->begun)
		return;
	d->begun = true;
	d->began_ms = util_mono_ms();
	d->answered = proxy_answered(d->params.proxy);
	d->bereft = proxy_bereft(d->params.proxy);
	log_info("draining: %zu requests in flight",
	    proxy_in_flight(d->params.proxy));
	timer_set_ms(d->bound, d->params.timeout_ms);
	drain_check(d);
}

void
drain_bereft(struct drain *d)
{
	if (!d->begun || d->over)
		return;
	d->over = true;
	say_end(d);
}

bool
drain_has_begun(const struct drain *d)
{
	return d->begun;
}

struct drain *
drain_create(const struct drain_params *params)
{
	struct drain *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->params = *params;
	d->bound = timer_create_ms(params->base, on_bound, d);
	d->quiet = timer_create_ms(params->base, on_quiet, d);
	return d;
}

void
drain_free(struct drain *d)
{
	if (d == NULL)
		return;
	timer_clear(&d->bound);
	timer_clear(&d->quiet);
	free(d);
}
