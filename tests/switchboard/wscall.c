/* SPDX-License-Identifier: MIT */
/*
 * wscall: one client from its upgrade request on.  While the check is under
 * way it is an http, afterwards a ws; never both.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "board.h"
#include "proxyreq.h"
#include "record.h"
#include "text.h"
#include "ws.h"
#include "wscall.h"

struct wscall {
	TAILQ_ENTRY(wscall) entry;
	char id[TEXT_UUID_SIZE]; /* check, connection */
	struct phx *phx;
	struct http *http;  /* while checking */
	struct ws *ws;	    /* afterwards */
	struct buf connect; /* payload kept for ws_connect */
	bool connected;
	struct event *timer; /* check, connect, then idle */
};

static TAILQ_HEAD(wscall_list, wscall) all = TAILQ_HEAD_INITIALIZER(all);

static void
wscall_free(struct wscall *c)
{
	TAILQ_REMOVE(&all, c, entry);
	event_free(c->timer);
	buf_clear(&c->connect);
	free(c);
}

static void
push(struct wscall *c, const char *event, const struct buf *payload)
{
	if (c->phx->channel.joined)
		channel_push(c->phx, event, payload->data, payload->len);
}

static void
push_close(struct wscall *c, int code, const void *reason, size_t len)
{
	struct buf out = BUF_INIT;

	buf_addf(&out,
	    "{\"connection_id\":\"%s\",\"code\":%d,\"reason\":", c->id, code);
	json_put(&out, reason, len);
	buf_addc(&out, '}');
	board.count[COUNT_WS_CLOSES]++;
	push(c, "ws_close", &out);
	buf_clear(&out);
}

/* Refuse the client that is still an http; the wscall is gone. */
static void
refuse(struct wscall *c, int status, const char *text)
{
	struct http *h = c->http;

	wscall_free(c);
	http_reply_text(h, status, text);
}

/* Close the client and tell the telephone; the wscall is gone. */
static void
end(struct wscall *c, int code, const struct buf *reason)
{
	record_event(
	    c->phx->id, "ws_end", "connection %s, code %d", c->id, code);
	push_close(c, code, reason->data, reason->len);
	ws_close(c->ws, code, reason->data, reason->len);
	wscall_free(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wscall *c = arg;
	struct buf none = BUF_INIT;
	int64_t due;

	(void)fd;
	(void)what;
	if (c->http != NULL) {
		refuse(c, 504, "no ws_check_result in time");
		return;
	}
	if (!c->connected) {
		end(c, 1014, &none);
		return;
	}
	due = ws_last_in_ms(c->ws) + board.settings.ws_idle_ms;
	if (due > board_now_ms())
		board_timer_set(c->timer, due - board_now_ms());
	else
		end(c, 1000, &none);
}

static void
on_gone(void *arg)
{
	wscall_free(arg);
}

static void
on_message(
    void *arg, enum ws_opcode opcode, const struct buf *data, size_t frames)
{
	struct wscall *c = arg;
	struct buf out = BUF_INIT;

	(void)frames;
	buf_addf(&out,
	    "{\"connection_id\":\"%s\",\"opcode\":\"%s\","
	    "\"data\":\"",
	    c->id, ws_opcode_name((int)opcode));
	text_base64(&out, data->data, data->len);
	buf_adds(&out, "\"}");
	board.count[COUNT_WS_FRAMES_OUT]++;
	push(c, "ws_frame", &out);
	buf_clear(&out);
}

static void
on_closed(void *arg, const struct ws_closed *closed)
{
	struct wscall *c = arg;
	int code = closed->code == 1005 ? 1000
	    : closed->code == 1006	? 1001
					: closed->code;

	record_event(c->phx->id, "ws_end",
	    "connection %s by the client, "
	    "code %d",
	    c->id, closed->code);
	push_close(c, code, closed->reason, closed->reason_len);
	wscall_free(c);
}

static const struct ws_handlers handlers = {on_message, on_closed};

/* Make it known and ask the telephone; payloads are built already. */
static void
check(struct http *h, struct phx *p, const char *id, const struct buf *ask,
    struct buf *connect)
{
	struct wscall *c = buf_calloc(sizeof(*c));

	memcpy(c->id, id, sizeof(c->id));
	c->phx = p;
	c->http = h;
	c->connect = *connect;
	*connect = (struct buf)BUF_INIT;
	if ((c->timer = evtimer_new(board.base, on_timer, c)) == NULL)
		abort();
	board_timer_set(c->timer, board.settings.ws_timeout_ms);
	TAILQ_INSERT_TAIL(&all, c, entry);
	http_on_gone(h, on_gone, c);
	board.count[COUNT_WS_CHECKS]++;
	push(c, "ws_check", ask);
}

static void
forward(struct http *h, struct phx *p, const char *rest)
{
	const struct request *r = http_request(h);
	struct buf ask = BUF_INIT, connect = BUF_INIT;
	char id[TEXT_UUID_SIZE];

	text_uuid(id);
	if (proxyreq_put_ws(&ask, "check_id", id, r, rest) != PROXYREQ_OK ||
	    proxyreq_put_ws(&connect, "connection_id", id, r, rest) !=
		PROXYREQ_OK) {
		channel_crash(p, "{}", "ws request is not UTF-8");
		http_reply_text(h, 502, "channel crashed");
	} else
		check(h, p, id, &ask, &connect);
	buf_clear(&ask);
	buf_clear(&connect);
}

void
wscall_start(struct http *h)
{
	const struct request *r = http_request(h);
	const char *rest;
	char *path_id = proxyreq_mount(r, &rest);
	int status = ws_judge_upgrade(r);
	struct phx *p = NULL;

	if (status == 0 && path_id != NULL)
		p = phx_pick(path_id);
	if (path_id == NULL)
		http_reply_text(h, 404, "no such path");
	else if (status != 0)
		http_reply_text(h, status, "bad upgrade");
	else if (p == NULL)
		http_reply_text(h, 503, "no telephone is connected");
	else
		forward(h, p, rest);
	free(path_id);
}

/* The client of that id on this telephone; unknown ones are counted. */
static struct wscall *
find(const struct phx *p, struct json id, bool checking)
{
	struct wscall *c;

	TAILQ_FOREACH(c, &all, entry)
	if (c->phx == p && (c->http != NULL) == checking &&
	    json_is_string(id, c->id))
		return c;
	board.count[COUNT_WS_LATE]++;
	return NULL;
}

/* Upgrade the client and have the telephone connect. */
static void
open_client(struct wscall *c, struct json protocol)
{
	char *chosen = json_strdup(protocol);
	struct buf connect = c->connect;
	size_t discarded;

	if (chosen != NULL && !text_is_token(chosen, strlen(chosen))) {
		free(chosen);
		chosen = NULL;
	}
	c->ws =
	    ws_open(c->http, chosen, &board.settings.ws_max_frame, &discarded);
	c->http = NULL;
	ws_set_handlers(c->ws, &handlers, c);
	board_timer_set(c->timer, board.settings.ws_timeout_ms);
	board.count[COUNT_WS_CONNECTS]++;
	push(c, "ws_connect", &connect);
	free(chosen);
}

int
wscall_check_result(struct phx *p, struct json payload)
{
	static const char *const keys[] = {
	    "check_id", "supported", "protocol", "reason"};
	struct json v[4];
	struct wscall *c;
	char *reason;

	json_pick(payload, keys, v, 4);
	if (v[0].p == NULL || v[1].p == NULL)
		return -1;
	if ((c = find(p, v[0], true)) == NULL)
		return 0;
	if (json_type(v[1]) == 't') {
		open_client(c, v[2]);
		return 0;
	}
	reason = json_strdup(v[3]);
	refuse(c, 502, reason != NULL ? reason : "not supported");
	free(reason);
	return 0;
}

int
wscall_connected(struct phx *p, struct json payload)
{
	static const char *const keys[] = {"connection_id"};
	struct json id;
	struct wscall *c;

	json_pick(payload, keys, &id, 1);
	if (id.p == NULL)
		return -1;
	board.count[COUNT_WS_CONNECTED]++;
	if ((c = find(p, id, false)) != NULL) {
		c->connected = true;
		board_timer_set(c->timer, board.settings.ws_idle_ms);
	}
	return 0;
}

/* 0 when the word is no opcode that Plugboard relays. */
static int
opcode_of(struct json word)
{
	static const int opcodes[] = {WS_TEXT, WS_BINARY, WS_PING, WS_PONG};

	for (size_t i = 0; i < 4; i++)
		if (json_is_string(word, ws_opcode_name(opcodes[i])))
			return opcodes[i];
	return 0;
}

int
wscall_frame(struct phx *p, struct json payload)
{
	static const char *const keys[] = {"connection_id", "opcode", "data"};
	struct buf text = BUF_INIT, bytes = BUF_INIT, none = BUF_INIT;
	struct ws_out o = {.opcode = WS_TEXT};
	struct json v[3];
	struct wscall *c;

	json_pick(payload, keys, v, 3);
	if (v[0].p == NULL || v[1].p == NULL || v[2].p == NULL)
		return -1;
	board.count[COUNT_WS_FRAMES_IN]++;
	if ((c = find(p, v[0], false)) == NULL)
		return 0;
	o.opcode = (enum ws_opcode)opcode_of(v[1]);
	if (opcode_of(v[1]) == 0 || json_string(v[2], &text) == -1) {
		end(c, 1011, &none);
		return 0;
	}
	/* What is no base64 reaches the client as it is. */
	if (text_unbase64(text.data, text.len, &bytes) == -1) {
		record_event(p->id, "bad_data", "ws_frame of %s", c->id);
		bytes.len = 0;
		buf_add(&bytes, text.data, text.len);
	}
	o.data = bytes.data;
	o.len = bytes.len;
	ws_send(c->ws, &o);
	buf_clear(&text);
	buf_clear(&bytes);
	return 0;
}

int
wscall_closed(struct phx *p, struct json payload)
{
	static const char *const keys[] = {"connection_id", "code", "reason"};
	struct buf reason = BUF_INIT;
	struct json v[3];
	struct wscall *c;
	int64_t code;

	json_pick(payload, keys, v, 3);
	if (v[0].p == NULL || v[1].p == NULL || v[2].p == NULL)
		return -1;
	board.count[COUNT_WS_CLOSED]++;
	if ((c = find(p, v[0], false)) == NULL)
		return 0;
	if (json_int(v[1], &code) == -1 || code < 0 || code > 65535)
		code = 1011;
	json_string(v[2], &reason);
	if (reason.len > 123 || !ws_is_wire_code((int)code))
		record_event(p->id, "bad_close",
		    "code %lld, reason of %zu "
		    "bytes",
		    (long long)code, reason.len);
	end(c, (int)code, &reason);
	buf_clear(&reason);
	return 0;
}

int
wscall_error(struct phx *p, struct json payload)
{
	static const char *const keys[] = {"connection_id", "reason"};
	struct buf none = BUF_INIT;
	struct json v[2];
	struct wscall *c;

	json_pick(payload, keys, v, 2);
	if (v[0].p == NULL || v[1].p == NULL)
		return -1;
	board.count[COUNT_WS_ERRORS]++;
	if ((c = find(p, v[0], false)) != NULL)
		end(c, 1014, &none);
	return 0;
}

static struct wscall *
first_of(const struct phx *p)
{
	struct wscall *c;

	TAILQ_FOREACH(c, &all, entry)
	if (c->phx == p)
		return c;
	return NULL;
}

void
wscall_lost(struct phx *p)
{
	struct wscall *c;

	while ((c = first_of(p)) != NULL) {
		if (c->http != NULL) {
			refuse(c, 502, "the telephone was lost");
			continue;
		}
		ws_close(c->ws, 1014, NULL, 0);
		wscall_free(c);
	}
}

size_t
wscall_count(void)
{
	struct wscall *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &all, entry)
	n++;
	return n;
}

void
wscall_free_all(void)
{
	struct wscall *c;

	while ((c = TAILQ_FIRST(&all)) != NULL) {
		if (c->ws != NULL)
			ws_drop(c->ws);
		wscall_free(c);
	}
}
