/* SPDX-License-Identifier: MIT */
/* What an end is called, and how long the next attempt waits. */
#include <inttypes.h>

#include "conf.h"
#include "log.h"
#include "metrics.h"
#include "timer.h"
#include "tunnel_parts.h"
#include "util.h"

/* Over which all telephones of a server that restarts come back. */
#define RESTART_SPREAD_MS 1000

static void
wait_ms(struct tunnel *t, int64_t ms)
{
	t->state = PROTO_TUNNEL_WAITING;
	t->retry_at_ms = util_mono_ms() + ms;
	timer_set_ms(t->retry, ms);
}

static bool
has_given_up(struct tunnel *t)
{
	int64_t max = conf_num(t->params.conf, CONF_MAX_RETRIES);

	return max >= 0 && t->failures > max;
}

/* What the server asks for, and up to a quarter more, so that all who were
 * told the same do not come back in the same moment. */
static int64_t
retry_after_ms(int32_t retry_after_s)
{
	int64_t ms = (int64_t)retry_after_s * 1000;

	return retry_after_s <= 0 ? 0 : ms + backoff_spread(ms / 4);
}

static int64_t
next_wait_ms(struct tunnel *t, const struct plugboard_end *end)
{
	int64_t ms, asked_ms = retry_after_ms(end->retry_after_s);

	/* A healthy connection was cut: most likely another one can be had.
	 * A close frame: the server goes away, and all come back at once. */
	if (t->stable && end->reason == PROTO_REASON_EOF)
		return 0;
	if (t->stable && end->reason == PROTO_REASON_CLOSED)
		return backoff_spread(RESTART_SPREAD_MS);
	ms = backoff_next(&t->backoff, backoff_random());
	if (t->slow && ms < t->backoff.max_ms)
		ms = t->backoff.max_ms;
	return ms < asked_ms ? asked_ms : ms;
}

/* A cause of TLS stands in the text, which says more of it. */
static const char *
name_of(enum proto_reason reason, const char *text)
{
	return proto_reason_name(text != NULL && proto_reason_is_tls(reason)
		? PROTO_REASON_TLS
		: reason);
}

/* One line for each end, which names the cause and what happens next. */
static void
log_end(const struct tunnel *t, const char *text, int64_t ms)
{
	char detail[32] = "";

	if (t->last_detail != 0)
		(void)util_fmt(detail, sizeof(detail), " %u", t->last_detail);
	log_warnx("tunnel %u to %s ended: %s%s%s%s; next attempt in %" PRId64
		  ".%" PRId64 " s",
	    t->params.number, t->where, name_of(t->last_reason, text), detail,
	    text != NULL ? ": " : "", text != NULL ? text : "", ms / 1000,
	    ms % 1000 / 100);
}

static enum metrics_id
metric_of(enum proto_reason reason)
{
	_Static_assert(METRICS_RECONNECT_TOO_SLOW - METRICS_RECONNECT_RESOLVE ==
		PROTO_REASONS - 1 - PROTO_REASON_RESOLVE,
	    "a row for each reason, in its order");

	return (enum metrics_id)(
	    METRICS_RECONNECT_RESOLVE + (int)(reason - PROTO_REASON_RESOLVE));
}

void
tunnel_again(struct tunnel *t, const struct plugboard_end *end)
{
	int64_t ms;

	t->last_reason = end->reason;
	t->last_detail = end->detail;
	metrics_add(t->params.metrics, metric_of(end->reason), 1);
	if (t->draining) {
		log_warnx("tunnel %u ended while draining: %s",
		    t->params.number, proto_reason_name(end->reason));
		tunnel_leave(t);
		return;
	}
	if (!t->stable)
		t->failures++;
	ms = next_wait_ms(t, end);
	t->stable = false;
	log_end(t, end->text, ms);
	if (has_given_up(t) && !t->params.ops->on_given_up(t->params.arg))
		return;
	wait_ms(t, ms);
}
