/* SPDX-License-Identifier: MIT */
/*
 * ws: reading frames.  The owner may end the ws inside a callback; then it is
 * marked dead and freed when the processing above is done.  Its connection
 * goes to linger, never straight to close.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "board.h"
#include "linger.h"
#include "text.h"
#include "ws.h"
#include "wsframe.h"

#define MESSAGE_HARD_MAX ((uint64_t)256 << 20)
#define KEEP_CAP ((size_t)1 << 20)

struct ws {
	struct bufferevent *bev; /* NULL when dead */
	struct ev_token_bucket_cfg *slow;
	const struct ws_handlers *handlers;
	void *arg;
	const int64_t *max;
	struct buf message, control;
	int opcode; /* of message; 0: none */
	size_t frames;
	struct wsframe frame; /* being read */
	bool in_frame;
	uint64_t at; /* bytes of it read */
	bool processing;
	int64_t last_in_ms;
};

static void
ws_free(struct ws *w)
{
	if (w->processing)
		return; /* process() comes back to it */
	buf_clear(&w->message);
	buf_clear(&w->control);
	free(w);
}

/* Let go of the connection; what is left of ws frees itself. */
static struct bufferevent *
release(struct ws *w)
{
	struct bufferevent *bev = w->bev;

	w->bev = NULL;
	w->handlers = NULL;
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	if (w->slow != NULL) {
		(void)bufferevent_set_rate_limit(bev, NULL);
		ev_token_bucket_cfg_free(w->slow);
		w->slow = NULL;
	}
	ws_free(w);
	return bev;
}

static void
put_close(struct ws *w, int code, const void *reason, size_t len)
{
	struct buf body = BUF_INIT, out = BUF_INIT;

	if (code != 1005) {
		buf_addc(&body, code >> 8 & 255);
		buf_addc(&body, code & 255);
		buf_add(&body, reason, len > 123 ? 123 : len);
	}
	wsframe_put(&out, WS_CLOSE, true, body.data, body.len);
	bufferevent_write(w->bev, out.data, out.len);
	buf_clear(&out);
	buf_clear(&body);
}

/* The end from the peer's side: tell the owner, then linger. */
static void
end(struct ws *w, enum ws_end how, int code, const struct buf *reason)
{
	const struct ws_handlers *handlers = w->handlers;
	struct ws_closed c = {how, code, NULL, 0};
	void *arg = w->arg;

	if (reason != NULL && reason->len > 2) {
		c.reason = reason->data + 2;
		c.reason_len = reason->len - 2;
	}
	if (how != WS_END_EOF)
		put_close(w, code, NULL, 0);
	w->handlers = NULL;
	if (handlers != NULL)
		handlers->closed(arg, &c);
	if (how == WS_END_EOF)
		bufferevent_free(release(w));
	else
		linger_start(release(w));
}

static void
fail(struct ws *w, int code)
{
	end(w, WS_END_FAULT, code, NULL);
}

bool
ws_is_wire_code(int code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
		   code != 1006) ||
	    (code >= 3000 && code <= 4999);
}

static void
on_close(struct ws *w)
{
	const struct buf *c = &w->control;
	int code = 1005;

	if (c->len >= 2)
		code = c->data[0] << 8 | c->data[1];
	if (c->len == 1 || (c->len >= 2 && !ws_is_wire_code(code)))
		fail(w, 1002);
	else if (c->len > 2 && !text_is_utf8(c->data + 2, c->len - 2))
		fail(w, 1007);
	else
		end(w, WS_END_PEER, code, c);
}

static void
on_control(struct ws *w)
{
	struct ws_out pong = {
	    .opcode = WS_PONG, .data = w->control.data, .len = w->control.len};

	if (w->frame.opcode == WS_CLOSE) {
		on_close(w);
		return;
	}
	if (w->frame.opcode == WS_PING)
		ws_send(w, &pong);
	if (w->handlers != NULL)
		w->handlers->message(
		    w->arg, (enum ws_opcode)w->frame.opcode, &w->control, 1);
	w->control.len = 0;
}

static void
on_data(struct ws *w)
{
	w->frames++;
	if (!w->frame.fin)
		return;
	if (w->opcode == WS_TEXT &&
	    !text_is_utf8(w->message.data, w->message.len)) {
		fail(w, 1007);
		return;
	}
	if (w->handlers != NULL)
		w->handlers->message(
		    w->arg, (enum ws_opcode)w->opcode, &w->message, w->frames);
	w->opcode = 0;
	w->frames = 0;
	w->message.len = 0;
	if (w->message.cap > KEEP_CAP)
		buf_clear(&w->message);
}

/* 0, or the close code that a frame with this head deserves. */
static int
judge_head(struct ws *w)
{
	const struct wsframe *f = &w->frame;
	uint64_t max = *w->max > 0 ? (uint64_t)*w->max : MESSAGE_HARD_MAX;

	if (max > MESSAGE_HARD_MAX)
		max = MESSAGE_HARD_MAX;
	if (!f->masked || f->reserved)
		return 1002;
	if (f->opcode >= 8)
		return f->opcode > WS_PONG || f->len > 125 || !f->fin ? 1002
								      : 0;
	if (f->opcode > WS_BINARY || (f->opcode == 0) != (w->opcode != 0))
		return 1002;
	return f->len > max || w->message.len > max - f->len ? 1009 : 0;
}

static bool
step_head(struct ws *w)
{
	struct evbuffer *in = bufferevent_get_input(w->bev);
	uint8_t head[WSFRAME_HEAD_MAX];
	ssize_t have = evbuffer_copyout(in, head, sizeof(head));
	size_t len;
	int code;

	len = wsframe_parse(&w->frame, head, have > 0 ? (size_t)have : 0);
	if (len == 0)
		return false;
	evbuffer_drain(in, len);
	if ((code = judge_head(w)) != 0) {
		fail(w, code);
		return true;
	}
	if (w->frame.opcode != 0 && w->frame.opcode < 8)
		w->opcode = w->frame.opcode;
	w->in_frame = true;
	w->at = 0;
	return true;
}

static bool
step_payload(struct ws *w)
{
	struct evbuffer *in = bufferevent_get_input(w->bev);
	struct buf *to = w->frame.opcode >= 8 ? &w->control : &w->message;
	size_t n = evbuffer_get_length(in);
	uint8_t *p;

	if (n > w->frame.len - w->at)
		n = (size_t)(w->frame.len - w->at);
	if (n > 0) {
		p = buf_grow(to, n);
		evbuffer_remove(in, p, n);
		wsframe_unmask(&w->frame, w->at, p, n);
		w->at += n;
	}
	if (w->at < w->frame.len)
		return false;
	w->in_frame = false;
	if (w->frame.opcode >= 8)
		on_control(w);
	else
		on_data(w);
	return true;
}

static void
process(struct ws *w)
{
	w->processing = true;
	while (w->bev != NULL && (w->in_frame ? step_payload(w) : step_head(w)))
		;
	w->processing = false;
	if (w->bev == NULL)
		ws_free(w);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct ws *w = arg;

	(void)bev;
	w->last_in_ms = board_now_ms();
	process(w);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		end(arg, WS_END_EOF, 1006, NULL);
}

const char *
ws_opcode_name(int opcode)
{
	switch (opcode) {
	case WS_TEXT:
		return "text";
	case WS_BINARY:
		return "binary";
	case WS_CLOSE:
		return "close";
	case WS_PING:
		return "ping";
	case WS_PONG:
		return "pong";
	}
	return "unknown";
}

bool
ws_is_upgrade(const struct request *r)
{
	return request_has_word(r, "connection", "upgrade") &&
	    request_has_word(r, "upgrade", "websocket");
}

int
ws_judge_upgrade(const struct request *r)
{
	const char *key = request_header(r, "sec-websocket-key");
	const char *version = request_header(r, "sec-websocket-version");
	struct buf raw = BUF_INIT;
	int status = 0;

	if (strcmp(r->method, "GET") != 0 || r->minor != 1 || key == NULL ||
	    text_unbase64(key, strlen(key), &raw) == -1 || raw.len != 16)
		status = 400;
	else if (version == NULL || strcmp(version, "13") != 0)
		status = 426;
	buf_clear(&raw);
	return status;
}

struct ws *
ws_open(
    struct http *h, const char *protocol, const int64_t *max, size_t *discarded)
{
	struct ws *w = buf_calloc(sizeof(*w));
	struct buf out = BUF_INIT;
	struct evbuffer *in;

	wsframe_put_upgrade(&out,
	    request_header(http_request(h), "sec-websocket-key"), protocol);
	w->bev = http_take(h);
	w->max = max;
	w->last_in_ms = board_now_ms();
	in = bufferevent_get_input(w->bev);
	*discarded = evbuffer_get_length(in);
	evbuffer_drain(in, *discarded);
	bufferevent_write(w->bev, out.data, out.len);
	buf_clear(&out);
	bufferevent_setcb(w->bev, on_read, NULL, on_event, w);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
	return w;
}

void
ws_set_handlers(struct ws *w, const struct ws_handlers *handlers, void *arg)
{
	w->handlers = handlers;
	w->arg = arg;
}

void
ws_send(struct ws *w, const struct ws_out *o)
{
	struct buf out = BUF_INIT;
	const uint8_t *p = o->data;
	size_t left = o->len, n;
	int opcode = (int)o->opcode;

	do {
		n = o->fragment > 0 && left > o->fragment && o->opcode < 8
		    ? o->fragment
		    : left;
		wsframe_put(&out, opcode, n == left, p, n);
		p = n > 0 ? p + n : p;
		left -= n;
		opcode = 0;
		if (left > 0 && o->ping_between)
			wsframe_put(&out, WS_PING, true, "between", 7);
	} while (left > 0);
	bufferevent_write(w->bev, out.data, out.len);
	buf_clear(&out);
}

void
ws_send_raw(struct ws *w, const void *data, size_t len)
{
	bufferevent_write(w->bev, data, len);
}

void
ws_close(struct ws *w, int code, const void *reason, size_t len)
{
	put_close(w, code, reason, len);
	linger_start(release(w));
}

void
ws_drop(struct ws *w)
{
	linger_start(release(w));
}

void
ws_reset(struct ws *w)
{
	linger_reset(release(w));
}

void
ws_slow(struct ws *w, int64_t rate)
{
	const struct timeval tick = {.tv_usec = 100000};
	size_t share = (size_t)(rate / 10 + 1);
	int room = 65536;

	(void)setsockopt(bufferevent_getfd(w->bev), SOL_SOCKET, SO_RCVBUF,
	    &room, sizeof(room));
	w->slow = ev_token_bucket_cfg_new(
	    share, share, EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, &tick);
	(void)bufferevent_set_rate_limit(w->bev, w->slow);
}

void
ws_flow(struct ws *w, bool reading, bool writing)
{
	short on = (short)((reading ? EV_READ : 0) | (writing ? EV_WRITE : 0));

	bufferevent_disable(w->bev, (short)((EV_READ | EV_WRITE) & ~on));
	bufferevent_enable(w->bev, on);
}

int64_t
ws_last_in_ms(const struct ws *w)
{
	return w->last_in_ms;
}

size_t
ws_queued(const struct ws *w)
{
	return evbuffer_get_length(bufferevent_get_output(w->bev));
}
