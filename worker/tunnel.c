/* SPDX-License-Identifier: MIT */
/*
 * no token → waiting → (token) → connecting → joining → joined, and from each
 * of them back to waiting. `retry` is the one timer: it ends a wait.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "ceiling.h"
#include "conf.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "reach.h"
#include "timer.h"
#include "tunnel_parts.h"
#include "util.h"

/* How long a join or a close handshake (RFC 6455 §7.1.2) may take when
 * leaving. */
#define CLOSE_TIMEOUT_MS 2000

/* --- attempts ------------------------------------------------------------- */

static void
wait_for_token(struct tunnel *t)
{
	t->state = PROTO_TUNNEL_NO_TOKEN;
	t->params.ops->on_need_token(t->params.arg);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wait_for_token(arg);
}

void
tunnel_start(struct tunnel *t)
{
	t->started = true;
	wait_for_token(t);
}

bool
tunnel_wants_token(const struct tunnel *t)
{
	return t->started && !t->left && t->state == PROTO_TUNNEL_NO_TOKEN;
}

void
tunnel_token(struct tunnel *t, const struct proto_token *token)
{
	struct plugboard_end end = {
	    .reason = PROTO_REASON_HANDSHAKE,
	    .retry_after_s = -1,
	    .text = "out of memory",
	};

	if (!tunnel_wants_token(t) || token->state == PROTO_TOKEN_NONE)
		return;
	t->slow = token->state == PROTO_TOKEN_REFUSED_ALL;
	(void)util_strlcpy(t->path_id, token->path_id, sizeof(t->path_id));
	(void)util_strlcpy(t->jti, token->jti, sizeof(t->jti));
	t->state = PROTO_TUNNEL_CONNECTING;
	log_debug("connecting to %s", t->where);
	if (plugboard_connect(t->plugboard, token->token) == -1)
		tunnel_again(t, &end);
}

void
tunnel_token_news(struct tunnel *t)
{
	bool waits = t->state == PROTO_TUNNEL_NO_TOKEN ||
	    (t->state == PROTO_TUNNEL_WAITING &&
		(t->slow || t->last_reason == PROTO_REASON_FORBIDDEN ||
		    t->last_reason == PROTO_REASON_JOIN_REFUSED));

	if (!t->started || t->left || !waits)
		return;
	timer_stop(t->retry);
	backoff_reset(&t->backoff);
	wait_for_token(t);
}

void
tunnel_reconnect(struct tunnel *t)
{
	if (!t->started || t->left || t->draining)
		return;
	if (t->state == PROTO_TUNNEL_JOINED) {
		channel_beat(t->channel);
		return;
	}
	timer_stop(t->retry);
	backoff_reset(&t->backoff);
	if (t->state != PROTO_TUNNEL_WAITING &&
	    t->state != PROTO_TUNNEL_NO_TOKEN) {
		plugboard_drop(t->plugboard);
		channel_closed(t->channel);
	}
	wait_for_token(t);
}

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

static const struct plugboard_ops plugboard_ops = {
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

static void
on_left(void *arg)
{
	struct tunnel *t = arg;

	plugboard_close(t->plugboard, 1000, "telephone leaves");
	timer_set_ms(t->close, CLOSE_TIMEOUT_MS);
}

static const struct channel_ops channel_ops = {
    on_joined,
    on_lost,
    on_refused,
    on_dead,
    on_ack,
    on_stable,
    on_refresh,
    on_left,
};

bool
tunnel_refresh(struct tunnel *t)
{
	return channel_refresh(t->channel);
}

/* --- leaving -------------------------------------------------------------- */

static void
on_closed(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel *t = arg;

	(void)fd;
	(void)what;
	plugboard_drop(t->plugboard);
	channel_closed(t->channel);
	t->params.ops->on_left(t->params.arg);
}

void
tunnel_drain(struct tunnel *t)
{
	t->draining = true;
	/* In the middle of a join the server may have given us requests. */
	if (!channel_is_joined(t->channel) && !channel_is_joining(t->channel))
		tunnel_leave(t);
}

void
tunnel_leave(struct tunnel *t)
{
	if (t->left)
		return;
	t->draining = t->left = true;
	timer_stop(t->retry);
	if (channel_is_joined(t->channel)) {
		t->state = PROTO_TUNNEL_DRAINING;
		channel_leave(t->channel);
		return;
	}
	if (channel_is_joining(t->channel)) { /* on_joined goes on */
		t->state = PROTO_TUNNEL_DRAINING;
		timer_set_ms(t->close, CLOSE_TIMEOUT_MS);
		return;
	}
	if (plugboard_is_open(t->plugboard)) { /* it waits to join again */
		t->state = PROTO_TUNNEL_DRAINING;
		channel_closed(t->channel);
		on_left(t);
		return;
	}
	plugboard_drop(t->plugboard);
	timer_set_ms(t->close, 0);
}

/* --- life and questions --------------------------------------------------- */

unsigned
tunnel_number(const struct tunnel *t)
{
	return t->params.number;
}

struct channel *
tunnel_channel(struct tunnel *t)
{
	return t->channel;
}

struct plugboard *
tunnel_plugboard(struct tunnel *t)
{
	return t->plugboard;
}

bool
tunnel_is_joined(const struct tunnel *t)
{
	return t->state == PROTO_TUNNEL_JOINED;
}

void
tunnel_status(const struct tunnel *t, struct proto_worker_status *s)
{
	s->tunnel = t->state;
	s->last_reason = t->last_reason;
	s->last_detail = t->last_detail;
	s->joined_ms = channel_joined_ms(t->channel);
	s->heartbeat_ms = channel_heartbeat_ms(t->channel);
	s->retry_ms = -1;
	if (t->state == PROTO_TUNNEL_WAITING) {
		s->retry_ms = t->retry_at_ms - util_mono_ms();
		if (s->retry_ms < 0)
			s->retry_ms = 0;
	}
	s->reconnects = (uint64_t)metrics_sum(t->params.metrics,
	    METRICS_RECONNECT_RESOLVE, METRICS_RECONNECT_TOO_SLOW);
	s->rejoins = (uint64_t)metrics_sum(
	    t->params.metrics, METRICS_REJOIN_ERROR, METRICS_REJOIN_UNMATCHED);
}

/* Without its query, which is nobody else's business. */
static void
name_where(struct tunnel *t, const struct url *url)
{
	char host[URL_HOST_MAX + 8];

	if (url_host_header(url, host, sizeof(host)))
		(void)util_fmt(t->where, sizeof(t->where), "%s://%s%s",
		    url->tls ? "wss" : "ws", host, url->path);
}

static struct plugboard *
make_plugboard(struct tunnel *t)
{
	const struct conf *conf = t->params.conf;
	struct plugboard_params params = {
	    .loop = t->params.loop,
	    .resolve = t->params.resolve,
	    .tls = t->params.tls,
	    .connect_timeout_ms = conf_num(conf, CONF_CONNECT_TIMEOUT),
	    .message_max = (size_t)conf_num(conf, CONF_MAX_REQUEST_SIZE),
	    .send_timeout_ms = conf_num(conf, CONF_SEND_TIMEOUT),
	    .message_send_ms = conf_num(conf, CONF_MAX_SEND_TIME),
	    .ops = &plugboard_ops,
	    .arg = t,
	};
	struct proxy_url proxy;
	struct plugboard *plugboard;

	if (url_parse(&params.url, conf_text(conf, CONF_PLUGBOARD_URL)) != NULL)
		return NULL; /* conf.c has accepted it: cannot be */
	name_where(t, &params.url);
	if (reach_choose(&proxy, conf, &params.url)) {
		params.proxy = &proxy;
		log_info("tunnel %u goes through the proxy %s, port %u",
		    t->params.number, proxy.host, proxy.port);
	}
	plugboard = plugboard_create(&params);
	explicit_bzero(&proxy, sizeof(proxy));
	return plugboard;
}

static struct channel *
make_channel(struct tunnel *t)
{
	const struct conf *conf = t->params.conf;
	struct channel_params params = {
	    .base = loop_base(t->params.loop),
	    .plugboard = t->plugboard,
	    .metrics = t->params.metrics,
	    .heartbeat_interval_ms = conf_num(conf, CONF_HEARTBEAT_INTERVAL),
	    .heartbeat_timeout_ms = conf_num(conf, CONF_HEARTBEAT_TIMEOUT),
	    .reply_timeout_ms = conf_num(conf, CONF_CONNECT_TIMEOUT),
	    .events = t->params.events,
	    .event_count = t->params.event_count,
	    .ops = &channel_ops,
	    .arg = t,
	};

	return channel_create(&params);
}

struct tunnel *
tunnel_create(const struct tunnel_params *params)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	struct event_base *base = loop_base(params->loop);

	if (t == NULL)
		return NULL;
	t->params = *params;
	t->retry = timer_create_ms(base, on_retry, t);
	t->close = timer_create_ms(base, on_closed, t);
	t->plugboard = make_plugboard(t);
	if (t->plugboard != NULL)
		t->channel = make_channel(t);
	if (t->channel == NULL) {
		tunnel_free(t);
		return NULL;
	}
	t->backoff.initial_ms = conf_num(params->conf, CONF_INITIAL_BACKOFF);
	t->backoff.max_ms = conf_num(params->conf, CONF_MAX_BACKOFF);
	return t;
}

void
tunnel_free(struct tunnel *t)
{
	if (t == NULL)
		return;
	plugboard_free(t->plugboard);
	channel_free(t->channel);
	timer_clear(&t->retry);
	timer_clear(&t->close);
	free(t);
}
