/* SPDX-License-Identifier: MIT */
/*
 * no token → waiting → (token) → connecting → joining → joined, and from each
 * of them back to waiting. `retry` is the one timer: it ends a wait.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "conf.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "reach.h"
#include "timer.h"
#include "tunnel_parts.h"
#include "util.h"

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
		t->stable = false;
		plugboard_drop(t->plugboard);
		channel_closed(t->channel);
	}
	wait_for_token(t);
}

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
		timer_set_ms(t->close, TUNNEL_CLOSE_MS);
		return;
	}
	if (plugboard_is_open(t->plugboard)) { /* it waits to join again */
		t->state = PROTO_TUNNEL_DRAINING;
		channel_closed(t->channel);
		tunnel_close(t);
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
	    .ops = &tunnel_plugboard_ops,
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
	    .ops = &tunnel_channel_ops,
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
