/* SPDX-License-Identifier: MIT */
/*
 * channel: what Phoenix.Socket and Plugboard's channel do with a message.
 * The order of the cases follows Phoenix.Socket.handle_in: the topic phoenix,
 * then topics not joined, then the joined one.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "board.h"
#include "channel.h"
#include "phx.h"
#include "record.h"
#include "tokens.h"

static const char unmatched[] = "{\"reason\":\"unmatched topic\"}";
static const char mismatch[] = "{\"reason\":\"path_id_mismatch\"}";

static const struct channel_hooks *hooks;

void
channel_set_hooks(const struct channel_hooks *h)
{
	hooks = h;
}

static void
put_json(struct buf *out, struct json j)
{
	if (j.p != NULL)
		buf_add(out, j.p, j.len);
	else
		buf_adds(out, "null");
}

/* Send a phx_reply; join_ref is null when joined is false. */
static void
reply(struct phx *p, const struct channel_message *m, bool with_join_ref,
    const char *status, const char *response)
{
	struct buf out = BUF_INIT;

	buf_addc(&out, '[');
	put_json(&out, with_join_ref ? m->join_ref : (struct json){NULL, 0});
	buf_addc(&out, ',');
	put_json(&out, m->ref);
	buf_addc(&out, ',');
	put_json(&out, m->topic);
	buf_addf(
	    &out, ",\"phx_reply\",{\"status\":\"%s\",\"response\":", status);
	buf_adds(&out, response);
	buf_adds(&out, "}]");
	phx_send(p, out.data, out.len);
	buf_clear(&out);
}

/* phx_error and phx_close: both refs are the join's they are about. */
static void
send_end(struct phx *p, const struct channel *c, const char *event,
    const char *payload)
{
	struct buf out = BUF_INIT;

	buf_addf(&out, "[%s,%s,", c->join_ref_json, c->join_ref_json);
	json_puts(&out, c->topic);
	buf_addf(&out, ",\"%s\",%s]", event, payload);
	phx_send(p, out.data, out.len);
	buf_clear(&out);
}

void
channel_push(
    struct phx *p, const char *event, const void *payload, size_t payload_len)
{
	struct buf out = BUF_INIT;

	buf_addf(&out, "[%s,null,", p->channel.join_ref_json);
	json_puts(&out, p->channel.topic);
	buf_addc(&out, ',');
	json_puts(&out, event);
	buf_addc(&out, ',');
	buf_add(&out, payload, payload_len);
	buf_addc(&out, ']');
	phx_send(p, out.data, out.len);
	buf_clear(&out);
}

static void
free_parts(struct channel *c)
{
	if (c->timer != NULL)
		event_free(c->timer);
	free(c->join_ref);
	free(c->join_ref_json);
	free(c->topic);
	memset(c, 0, sizeof(*c));
}

/* Off the socket first: what fails must not be sent here again. */
static struct channel
take_channel(struct phx *p, bool detached)
{
	struct channel c = p->channel;

	memset(&p->channel, 0, sizeof(p->channel));
	if (c.joined)
		hooks->lost(p, detached);
	return c;
}

void
channel_clear(struct phx *p)
{
	struct channel c = take_channel(p, false);

	free_parts(&c);
}

void
channel_crash(struct phx *p, const char *payload, const char *why)
{
	struct channel c;

	if (!p->channel.joined)
		return;
	board.count[COUNT_CRASHES]++;
	board_log(
	    "socket %llu channel crash: %s", (unsigned long long)p->id, why);
	record_event(p->id, "crash", "%s", why);
	c = take_channel(p, false);
	send_end(p, &c, "phx_error", payload);
	free_parts(&c);
}

void
channel_stop(struct phx *p)
{
	struct channel c;

	if (!p->channel.joined)
		return;
	c = take_channel(p, false);
	send_end(p, &c, "phx_close", "{}");
	free_parts(&c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct phx *p = arg;
	int64_t limit = board.settings.heartbeat_timeout_ms;

	(void)fd;
	(void)what;
	if (board_now_ms() - p->channel.last_heartbeat_ms >= limit)
		channel_crash(p, "{}", "no heartbeat in time");
	else
		board_timer_set(p->channel.timer, limit / 2);
}

void
channel_rearm(struct phx *p)
{
	if (p->channel.joined)
		board_timer_set(
		    p->channel.timer, board.settings.heartbeat_timeout_ms / 2);
}

static void
open_channel(struct phx *p, const struct channel_message *m)
{
	struct channel *c = &p->channel;
	struct buf text = BUF_INIT;

	put_json(&text, m->join_ref);
	c->joined = true;
	c->join_ref = json_strdup(m->join_ref);
	c->join_ref_json = buf_str(&text);
	c->topic = json_strdup(m->topic);
	c->last_heartbeat_ms = board_now_ms();
	c->timer = evtimer_new(board.base, on_timer, p);
	if (c->timer == NULL)
		abort();
	channel_rearm(p);
}

static bool
is_own_topic(const struct phx *p, const char *topic)
{
	return strncmp(topic, "telephone:", 10) == 0 &&
	    strcmp(topic + 10, p->claims.path_id) == 0;
}

static void
accept_join(struct phx *p, const struct channel_message *m)
{
	struct buf response = BUF_INIT, path = BUF_INIT;

	open_channel(p, m);
	board.count[COUNT_JOINS]++;
	board_log("socket %llu joined %s", (unsigned long long)p->id,
	    p->channel.topic);
	record_event(p->id, "join", "%s", p->channel.topic);
	buf_addf(&path, "/call/%s", p->claims.path_id);
	buf_adds(&response, "{\"status\":\"ok\",\"path\":");
	json_put(&response, path.data, path.len);
	buf_addf(&response, ",\"expires_in\":%lld}",
	    (long long)(p->claims.exp - board_wall_s()));
	reply(p, m, true, "ok", buf_str(&response));
	buf_clear(&response);
	buf_clear(&path);
}

static void
join(struct phx *p, const struct channel_message *m, const char *topic)
{
	int64_t style = board.settings.join;

	if (style == JOIN_SILENT)
		record_event(p->id, "drop", "join, as set");
	else if (style == JOIN_UNMATCHED ||
	    strncmp(topic, "telephone:", 10) != 0)
		reply(p, m, false, "error", unmatched);
	else if (style == JOIN_MISMATCH || !is_own_topic(p, topic))
		reply(p, m, true, "error", mismatch);
	else
		accept_join(p, m);
}

/*
 * A second join: Phoenix shuts the old channel down, joins anew, and its
 * phx_close with the old refs arrives behind the new reply.
 */
static void
join_again(struct phx *p, const struct channel_message *m)
{
	struct channel old = take_channel(p, true);

	record_event(p->id, "rejoin", "second join of %s", old.topic);
	join(p, m, old.topic);
	send_end(p, &old, "phx_close", "{}");
	free_parts(&old);
}

static void
leave(struct phx *p, const struct channel_message *m)
{
	board.count[COUNT_LEAVES]++;
	board_log("socket %llu left", (unsigned long long)p->id);
	record_event(p->id, "leave", "%s", p->channel.topic);
	reply(p, m, true, "ok", "{}");
	channel_stop(p);
}

static int
answer_heartbeat(struct phx *p, const struct channel_message *m)
{
	static const char *const keys[] = {"ts"};
	struct buf ack = BUF_INIT;
	struct json ts;

	json_pick(m->payload, keys, &ts, 1);
	if (ts.p == NULL)
		return -1;
	board.count[COUNT_HEARTBEATS]++;
	p->channel.heartbeats++;
	p->channel.last_heartbeat_ms = board_now_ms();
	if (!board.settings.ack)
		return 0;
	buf_adds(&ack, "{\"ts\":");
	put_json(&ack, ts);
	buf_addc(&ack, '}');
	channel_push(p, "heartbeat_ack", ack.data, ack.len);
	buf_clear(&ack);
	return 0;
}

/* The payload of a refresh's answer; the new token is on the books then. */
static char *
refresh(struct phx *p)
{
	struct buf out = BUF_INIT;
	struct jwt fresh;
	char *token;

	token = tokens_refresh(p->claims.path_id, p->claims.sub, &fresh);
	board.count[COUNT_REFRESHES]++;
	board_log("socket %llu refreshed its token, jti %s",
	    (unsigned long long)p->id, fresh.jti);
	record_event(p->id, "refresh", "%s", fresh.jti);
	free(p->fresh_jti);
	p->fresh_jti = buf_strdup(fresh.jti);
	buf_adds(&out, "{\"token\":");
	json_puts(&out, token);
	buf_addf(&out, ",\"expires_in\":%lld}",
	    (long long)(fresh.exp - board_wall_s()));
	jwt_clear(&fresh);
	free(token);
	return buf_str(&out);
}

static void
answer_refresh(struct phx *p, const struct channel_message *m)
{
	int64_t style = board.settings.refresh_style;
	char *payload;

	if (style == REFRESH_SILENT)
		return;
	if (style == REFRESH_ERROR || tokens_is_revoked(p->claims.jti) ||
	    (p->fresh_jti != NULL && tokens_is_revoked(p->fresh_jti))) {
		reply(p, m, true, "error", "{\"reason\":\":token_revoked\"}");
		return;
	}
	payload = refresh(p);
	if (style == REFRESH_LOST)
		record_event(p->id, "lost", "the reply to a refresh");
	else if (style == REFRESH_REPLY)
		reply(p, m, true, "ok", payload);
	else
		channel_push(p, "refresh_token_ack", payload, strlen(payload));
	free(payload);
}

/* A message on the joined topic with the right join_ref. */
static void
joined_input(struct phx *p, const struct channel_message *m)
{
	int r = 0;

	if (json_is_string(m->event, "phx_leave"))
		leave(p, m);
	else if (json_is_string(m->event, "refresh_token"))
		answer_refresh(p, m);
	else if (json_is_string(m->event, "heartbeat"))
		r = answer_heartbeat(p, m);
	else
		r = hooks->event(p, m->event, m->payload);
	if (r == -1)
		channel_crash(p, "{}", "unknown event or missing field");
}

static bool
is_current(const struct channel *c, struct json join_ref)
{
	return c->join_ref != NULL && json_is_string(join_ref, c->join_ref);
}

/* Phoenix says nothing to a message with a join_ref not the current one. */
static void
drop(struct phx *p, const struct channel_message *m)
{
	board.count[COUNT_DROPPED_MESSAGES]++;
	record_event(p->id, "drop", "join_ref %.*s is not %s: event %.*s",
	    (int)(m->join_ref.len < 64 ? m->join_ref.len : 64), m->join_ref.p,
	    p->channel.join_ref_json,
	    (int)(m->event.len < 64 ? m->event.len : 64), m->event.p);
}

void
channel_input(struct phx *p, const struct channel_message *m)
{
	bool is_join = json_is_string(m->event, "phx_join");
	char *topic = json_strdup(m->topic);

	if (topic == NULL)
		reply(p, m, false, "error", unmatched);
	else if (strcmp(topic, "phoenix") == 0)
		reply(p, m, false,
		    json_is_string(m->event, "heartbeat") ? "ok" : "error",
		    json_is_string(m->event, "heartbeat") ? "{}" : unmatched);
	else if (!p->channel.joined || strcmp(topic, p->channel.topic) != 0) {
		if (is_join)
			join(p, m, topic);
		else if (json_is_string(m->event, "phx_leave"))
			reply(p, m, true, "ok", "{}");
		else
			reply(p, m, false, "error", unmatched);
	} else if (is_join)
		join_again(p, m);
	else if (!is_current(&p->channel, m->join_ref))
		drop(p, m);
	else
		joined_input(p, m);
	free(topic);
}
