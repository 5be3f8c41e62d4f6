/* SPDX-License-Identifier: MIT */
/* phx: the list of telephone sockets, and the life of each. */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "board.h"
#include "handshake.h"
#include "phx.h"
#include "record.h"
#include "ws.h"

#define QUEUED_MAX ((size_t)512 << 20)

struct phx_pending {
	TAILQ_ENTRY(phx_pending) entry;
	int64_t due_ms;
	struct buf text;
};

static TAILQ_HEAD(phx_list, phx) all = TAILQ_HEAD_INITIALIZER(all);
static uint64_t ids, picks;

static void
pending_free(struct phx *p, struct phx_pending *m)
{
	TAILQ_REMOVE(&p->pending, m, entry);
	buf_clear(&m->text);
	free(m);
}

static void
phx_free(struct phx *p)
{
	while (!TAILQ_EMPTY(&p->pending))
		pending_free(p, TAILQ_FIRST(&p->pending));
	TAILQ_REMOVE(&all, p, entry);
	event_free(p->idle_timer);
	event_free(p->delay_timer);
	jwt_clear(&p->claims);
	free(p->fresh_jti);
	free(p);
}

static void
record_out(const struct phx *p, const char *what, const void *data, size_t len)
{
	size_t fragment = (size_t)board.settings.fragment;
	struct record_bytes r = {p->id, "out", what, data, len, 1};

	if (fragment > 0 && len > fragment)
		r.frames = (len + fragment - 1) / fragment;
	record_bytes(&r);
}

static void
send_now(struct phx *p, const void *data, size_t len)
{
	struct ws_out o = {
	    .opcode = WS_TEXT,
	    .data = data,
	    .len = len,
	    .fragment = (size_t)board.settings.fragment,
	    .ping_between = board.settings.fragment_ping != 0,
	};

	if (len > QUEUED_MAX - ws_queued(p->ws)) {
		record_event(p->id, "overflow", "message thrown away");
		return;
	}
	record_out(p, "text", data, len);
	ws_send(p->ws, &o);
}

void
phx_send(struct phx *p, const void *data, size_t len)
{
	struct phx_pending *m;

	if (board.settings.delay_ms == 0 && TAILQ_EMPTY(&p->pending)) {
		send_now(p, data, len);
		return;
	}
	m = buf_calloc(sizeof(*m));
	buf_add(&m->text, data, len);
	m->due_ms = board_now_ms() + board.settings.delay_ms;
	if (TAILQ_EMPTY(&p->pending))
		board_timer_set(p->delay_timer, board.settings.delay_ms);
	TAILQ_INSERT_TAIL(&p->pending, m, entry);
}

void
phx_send_raw(struct phx *p, const void *data, size_t len)
{
	record_out(p, "raw", data, len);
	ws_send_raw(p->ws, data, len);
}

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct phx *p = arg;
	struct phx_pending *m;

	(void)fd;
	(void)what;
	while ((m = TAILQ_FIRST(&p->pending)) != NULL) {
		if (m->due_ms > board_now_ms()) {
			board_timer_set(
			    p->delay_timer, m->due_ms - board_now_ms());
			return;
		}
		send_now(p, m->text.data, m->text.len);
		pending_free(p, m);
	}
}

/*
 * Bandit closes a socket without client frames.  A frozen one plays a peer
 * that vanished: forgotten here, but nothing may show on its wire.
 */
static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct phx *p = arg;
	int64_t due = ws_last_in_ms(p->ws) + board.settings.idle_timeout_ms;

	(void)fd;
	(void)what;
	if (due > board_now_ms()) {
		board_timer_set(p->idle_timer, due - board_now_ms());
	} else if (p->frozen) {
		record_event(p->id, "idle", "parked");
		p->parked = true;
		channel_clear(p);
	} else {
		record_event(p->id, "idle", "closed");
		phx_end(p, PHX_END_CLOSE, 1002, "");
	}
}

/* Cut the message's array of five apart; -1 when it is not that. */
static int
parse_message(const struct buf *text, struct channel_message *m)
{
	struct json j, key, v[6];
	struct json_cursor c = {0};
	size_t n = 0;

	if (json_check(text->data, text->len, &j) == -1 || json_type(j) != '[')
		return -1;
	while (n < 6 && json_next(j, &c, &key, &v[n]))
		n++;
	if (n != 5 || json_type(v[2]) != '"' || json_type(v[3]) != '"')
		return -1;
	*m = (struct channel_message){v[0], v[1], v[2], v[3], v[4]};
	return 0;
}

static void
on_message(
    void *arg, enum ws_opcode opcode, const struct buf *data, size_t frames)
{
	struct phx *p = arg;
	struct channel_message m;
	struct record_bytes r = {p->id, "in", ws_opcode_name((int)opcode),
	    data->data, data->len, frames};

	record_bytes(&r);
	if (opcode == WS_PING || opcode == WS_PONG)
		return;
	if (opcode == WS_TEXT && parse_message(data, &m) == 0) {
		channel_input(p, &m);
		return;
	}
	record_event(p->id, "malformed", "closed with 1011");
	phx_end(p, PHX_END_CLOSE, 1011, "");
}

static void
on_closed(void *arg, const struct ws_closed *c)
{
	static const char *const how[] = {"closed by the telephone",
	    "closed for a protocol fault", "connection lost"};
	struct phx *p = arg;
	struct record_bytes r = {
	    p->id, "in", "close", c->reason, c->reason_len, 1};

	if (c->how == WS_END_PEER)
		record_bytes(&r);
	record_event(p->id, "disconnect", "%s, code %d", how[c->how], c->code);
	board_log("socket %llu %s, code %d", (unsigned long long)p->id,
	    how[c->how], c->code);
	channel_clear(p);
	phx_free(p);
}

void
phx_end(struct phx *p, enum phx_end how, int code, const char *reason)
{
	static const char *const names[] = {"CLOSE", "FIN", "RST"};

	record_event(p->id, "disconnect", "by us with %s, code %d %s",
	    names[how], how == PHX_END_CLOSE ? code : 0, reason);
	board_log("socket %llu ended by us with %s, code %d",
	    (unsigned long long)p->id, names[how], code);
	channel_clear(p);
	if (how == PHX_END_CLOSE)
		ws_close(p->ws, code, reason, strlen(reason));
	else if (how == PHX_END_DROP)
		ws_drop(p->ws);
	else
		ws_reset(p->ws);
	phx_free(p);
}

void
phx_stall(struct phx *p, bool freeze)
{
	p->stalled = true;
	p->frozen = freeze;
	ws_flow(p->ws, false, !freeze);
}

void
phx_resume(struct phx *p)
{
	if (p->parked) {
		phx_end(p, PHX_END_DROP, 0, "");
		return;
	}
	p->stalled = p->frozen = false;
	ws_flow(p->ws, true, true);
}

static const struct ws_handlers handlers = {on_message, on_closed};

void
phx_accept(struct http *h)
{
	struct phx *p;
	struct jwt claims;
	size_t discarded = 0;
	uint64_t id = ++ids;

	if (handshake_judge(h, id, &claims) == -1)
		return;
	p = buf_calloc(sizeof(*p));
	p->id = id;
	p->claims = claims;
	p->born_ms = board_now_ms();
	TAILQ_INIT(&p->pending);
	TAILQ_INSERT_TAIL(&all, p, entry);
	p->idle_timer = evtimer_new(board.base, on_idle, p);
	p->delay_timer = evtimer_new(board.base, on_delay, p);
	if (p->idle_timer == NULL || p->delay_timer == NULL)
		abort();
	board_timer_set(p->idle_timer, board.settings.idle_timeout_ms);
	p->ws = ws_open(h, NULL, &board.settings.max_message, &discarded);
	ws_set_handlers(p->ws, &handlers, p);
	if (board.settings.read_rate > 0)
		ws_slow(p->ws, board.settings.read_rate);
	board.count[COUNT_CONNECTS]++;
	board_log("socket %llu connected, path_id %s, jti %s",
	    (unsigned long long)p->id, claims.path_id, claims.jti);
	record_event(p->id, "connect", "jti %s", claims.jti);
	if (discarded > 0)
		record_event(p->id, "discard",
		    "%zu bytes behind the upgrade request", discarded);
}

struct phx *
phx_pick(const char *path_id)
{
	struct phx *p, *best = NULL;

	TAILQ_FOREACH(p, &all, entry)
	if (p->channel.joined && strcmp(p->claims.path_id, path_id) == 0 &&
	    (best == NULL || p->picked < best->picked))
		best = p;
	if (best != NULL)
		best->picked = ++picks;
	return best;
}

struct phx *
phx_next(struct phx *p)
{
	return p == NULL ? TAILQ_FIRST(&all) : TAILQ_NEXT(p, entry);
}

struct phx *
phx_find(uint64_t id)
{
	struct phx *p;

	TAILQ_FOREACH(p, &all, entry)
	if (p->id == id)
		return p;
	return NULL;
}

void
phx_settings_changed(void)
{
	struct phx *p;

	TAILQ_FOREACH(p, &all, entry)
	{
		channel_rearm(p);
		if (!p->parked)
			board_timer_set(p->idle_timer,
			    ws_last_in_ms(p->ws) +
				board.settings.idle_timeout_ms -
				board_now_ms());
	}
}

static void
put_one(struct buf *out, const struct phx *p)
{
	const struct channel *c = &p->channel;
	int64_t now = board_now_ms();

	buf_addf(out, "{\"id\":%llu,\"age_ms\":%lld,\"joined\":%s,\"topic\":",
	    (unsigned long long)p->id, (long long)(now - p->born_ms),
	    c->joined ? "true" : "false");
	if (c->joined)
		json_puts(out, c->topic);
	else
		buf_adds(out, "null");
	buf_addf(out, ",\"join_ref\":%s,\"path_id\":",
	    c->joined ? c->join_ref_json : "null");
	json_puts(out, p->claims.path_id);
	buf_adds(out, ",\"jti\":");
	json_puts(out, p->claims.jti);
	buf_addf(out, ",\"heartbeats\":%lld,\"last_heartbeat_ms_ago\":",
	    (long long)c->heartbeats);
	if (c->heartbeats > 0)
		buf_addf(out, "%lld", (long long)(now - c->last_heartbeat_ms));
	else
		buf_adds(out, "null");
	buf_addf(out,
	    ",\"stalled\":%s,\"frozen\":%s,\"parked\":%s,"
	    "\"queued\":%zu}",
	    p->stalled ? "true" : "false", p->frozen ? "true" : "false",
	    p->parked ? "true" : "false", ws_queued(p->ws));
}

void
phx_put(struct buf *out)
{
	struct phx *p;

	buf_addc(out, '[');
	TAILQ_FOREACH(p, &all, entry)
	{
		if (p != TAILQ_FIRST(&all))
			buf_addc(out, ',');
		put_one(out, p);
	}
	buf_addc(out, ']');
}

void
phx_free_all(void)
{
	struct phx *p;

	while ((p = TAILQ_FIRST(&all)) != NULL) {
		channel_clear(p);
		ws_drop(p->ws);
		phx_free(p);
	}
}
