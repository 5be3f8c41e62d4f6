/* SPDX-License-Identifier: MIT */
/* What a tunnel does when its socket or its channel reports. */
#include <inttypes.h>
#include <string.h>

#include "ceiling.h"
#include "log.h"
#include "metrics.h"
#include "timer.h"
#include "tunnel_parts.h"
#include "util.h"

/* --- the socket ----------------------------------------------------------- */

static void
on_open(void *arg)
{
	struct tunnel *t = arg;

	metrics_add(t->params.metrics, METRICS_CONNECTS, 1);
	t->stable = false;
	t->state = PROTO_TUNNEL_JOINING;
	channel_open(t->channel, t->path_id);
}

static void
on_message(uint8_t *data, size_t len, void *arg)
{
	struct tunnel *t = arg;

	channel_message(t->channel, data, len, false);
}

static void
on_too_long(uint8_t *data, size_t len, size_t whole_len, void *arg)
{
	struct tunnel *t = arg;

	metrics_add(t->params.metrics, METRICS_MESSAGES_TOO_LONG, 1);
	log_debug("tunnel %u: a message of %zu bytes is longer than "
		  "MAX_REQUEST_SIZE",
	    t->params.number, whole_len);
	channel_message(t->channel, data, len, true);
}

/* RFC 6455 §7.4.1: a message was too big for the server to take. */
static void
note_too_big(struct tunnel *t)
{
	struct ceiling *c = t->params.ceiling;

	if (!ceiling_refused(c, plugboard_sent(t->plugboard), util_mono_ms()))
		return;
	ceiling_note(c, t->params.metrics);
	log_warnx("tunnel %u: plugboard closed it with 1009, too big: messages "
		  "of %" PRIu64 " bytes and more are not sent for %" PRId64
		  " s",
	    t->params.number, c->refused, c->hold_ms / 1000);
}

static void
on_gone(const struct plugboard_end *end, void *arg)
{
	struct tunnel *t = arg;

	if (end->reason == PROTO_REASON_CLOSED && end->detail == 1009)
		note_too_big(t);
	channel_closed(t->channel);
	if (t->left) {
		timer_set_ms(t->close, 0);
		return;
	}
	if (end->reason == PROTO_REASON_FORBIDDEN)
		t->params.ops->on_token_refused(
		    end->detail, t->jti, t->params.arg);
	tunnel_again(t, end);
}

static void
on_discard(size_t len, const char *why, void *arg)
{
	struct tunnel *t = arg;

	metrics_add(t->params.metrics, METRICS_MESSAGES_DROPPED, 1);
	log_warnx("a message of %zu bytes from plugboard was discarded: %s",
	    len, why);
}

static void
on_long(void *arg)
{
	struct tunnel *t = arg;

	channel_beat(t->channel);
}

const struct plugboard_ops tunnel_plugboard_ops = {
    on_open,
    on_message,
    on_gone,
    on_too_long,
    on_discard,
    on_long,
};

/* --- the channel ---------------------------------------------------------- */

static void
on_joined(void *arg)
{
	struct tunnel *t = arg;

	if (t->left) {
		channel_leave(t->channel);
		return;
	}
	t->state = PROTO_TUNNEL_JOINED;
	log_info("joined %s at %s by tunnel %u", channel_topic(t->channel),
	    t->where, t->params.number);
	t->params.ops->on_joined(t->params.arg);
}

static void
on_lost(void *arg)
{
	struct tunnel *t = arg;

	if (t->state == PROTO_TUNNEL_JOINED)
		t->state = PROTO_TUNNEL_JOINING;
	t->params.ops->on_lost(t->params.arg);
}

/* The socket is of no use: end it ourselves, so that no report of its end
 * follows. */
static void
abandon(struct tunnel *t, enum proto_reason reason, const char *text)
{
	struct plugboard_end end = {
	    .reason = reason,
	    .retry_after_s = -1,
	    .text = text,
	};

	plugboard_drop(t->plugboard);
	if (t->left)
		timer_set_ms(t->close, 0);
	else
		tunnel_again(t, &end);
}

static void
on_refused(const char *reason, void *arg)
{
	struct tunnel *t = arg;

	if (strcmp(reason, "path_id_mismatch") == 0)
		t->params.ops->on_token_refused(0, t->jti, t->params.arg);
	abandon(t, PROTO_REASON_JOIN_REFUSED, reason);
}

static void
on_dead(enum proto_reason reason, const char *text, void *arg)
{
	abandon(arg, reason, text);
}

static void
on_ack(void *arg)
{
	struct tunnel *t = arg;
	struct ceiling *c = t->params.ceiling;

	if (ceiling_proved(c, plugboard_sent(t->plugboard)))
		ceiling_note(c, t->params.metrics);
}

static void
on_stable(void *arg)
{
	struct tunnel *t = arg;

	backoff_reset(&t->backoff);
	t->failures = 0;
	t->stable = true;
}

static void
on_refresh(enum proto_refresh outcome, const char *token, void *arg)
{
	struct tunnel *t = arg;

	t->params.ops->on_refresh(outcome, token, t->params.arg);
}

void
tunnel_close(struct tunnel *t)
{
	plugboard_close(t->plugboard, 1000, "telephone leaves");
	timer_set_ms(t->close, TUNNEL_CLOSE_MS);
}

static void
on_left(void *arg)
{
	tunnel_close(arg);
}

const struct channel_ops tunnel_channel_ops = {
    on_joined,
    on_lost,
    on_refused,
    on_dead,
    on_ack,
    on_stable,
    on_refresh,
    on_left,
};
