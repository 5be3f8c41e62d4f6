/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one connection. One pump for all events: whatever can go on,
 * goes on, and what it waits for next is armed again.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "log.h"
#include "memory.h"
#include "timer.h"
#include "util.h"
#include "ws_peer_parts.h"
#include "ws_socket.h"

/* Read at once, and how often in one turn of the loop: one fast application
 * should not keep others waiting. */
#define READ_LEN (16 * 1024)
#define READS_MAX 4
#define WRITE_LEN (64 * 1024)

/* Besides a count of bytes, 0 being the end. */
#define IO_AGAIN (-1)
#define IO_ERROR (-2)

static ssize_t
result_of(ssize_t n, const struct ws_peer *p, enum ws_want want)
{
	if (n >= 0)
		return n;
	if (p->ssl != NULL)
		return want != WS_WANT_NOTHING ? IO_AGAIN : IO_ERROR;
	return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_ERROR;
}

static ssize_t
receive(struct ws_peer *p, void *data, size_t len)
{
	ssize_t n;

	p->read_want = WS_WANT_NOTHING;
	n = p->ssl != NULL ? ws_tls_read(p->ssl, data, len, &p->read_want)
			   : recv(p->fd, data, len, 0);
	return result_of(n, p, p->read_want);
}

static ssize_t
transmit(struct ws_peer *p, const void *data, size_t len)
{
	ssize_t n;

	p->write_want = WS_WANT_NOTHING;
	n = p->ssl != NULL ? ws_tls_write(p->ssl, data, len, &p->write_want)
			   : send(p->fd, data, len, MSG_NOSIGNAL);
	return result_of(n, p, p->write_want);
}

/* --- what it waits for ---------------------------------------------------- */

static void
set(struct event *ev, bool on)
{
	if (ev == NULL)
		return;
	if (on && event_add(ev, NULL) == -1)
		fatalx("a socket cannot be watched");
	if (!on)
		(void)event_del(ev);
}

void
ws_peer_arm(struct ws_peer *p)
{
	bool in = p->read_want == WS_WANT_READ, out = false;

	switch (p->state) {
	case PEER_CONNECTING:
		out = true;
		break;
	case PEER_SECURING:
		break;
	case PEER_ASKING:
		in = true;
		out = p->request_sent < p->request.len;
		break;
	case PEER_OPEN:
		in = !p->paused;
		out = evbuffer_get_length(p->out) > 0;
		break;
	case PEER_CLOSING:
		in = true;
		out = evbuffer_get_length(p->out) > 0;
		break;
	default:
		return;
	}
	if (p->write_want == WS_WANT_READ) { /* TLS has its own order */
		in = true;
		out = false;
	}
	if (p->read_want == WS_WANT_WRITE)
		out = true;
	set(p->readable, in);
	set(p->writable, out);
}

void
ws_peer_poke(struct ws_peer *p)
{
	if (p->readable != NULL)
		event_active(p->readable, EV_READ, 0);
}

/* --- memory --------------------------------------------------------------- */

/* Itself and its session, its buffers of TLS when there is any. */
#define PEER_COST (4 * 1024)
#define TLS_COST (48 * 1024)

void
ws_peer_count(struct ws_peer *p)
{
	/* Its session has a copy of the request. */
	size_t held = PEER_COST + p->in.cap + 2 * p->request.cap +
	    p->reader.message.cap + evbuffer_get_length(p->out);

	if (p->ssl != NULL)
		held += TLS_COST;
	memory_set(p->owner->params.memory, &p->counted, held);
}

/* --- frames --------------------------------------------------------------- */

static void
on_fault(struct ws_peer *p, int code, const char *text)
{
	struct ws_end end = {
	    .opened = true,
	    .code = code,
	    .text = text,
	};

	ws_peer_end(p, &end, code);
}

static void
on_close(struct ws_peer *p)
{
	const struct ws_reader *r = &p->reader;
	struct ws_end end = {
	    .opened = true,
	    .by_peer = true,
	    .code = ws_close_code(r->data, r->len),
	    .text = "closed by the application",
	};

	if (end.code == -1) {
		on_fault(p, 1002, "a malformed close frame");
		return;
	}
	if (r->len > 2) {
		end.reason = (const char *)r->data + 2;
		end.reason_len = r->len - 2;
	}
	/* RFC 6455 §5.5.1: answered with the code received. */
	ws_peer_end(p, &end, end.code);
}

static void
on_control(struct ws_peer *p)
{
	struct ws_reader *r = &p->reader;
	uint8_t echo[WS_CONTROL_MAX];

	if (r->opcode == WS_CLOSE) {
		on_close(p);
		return;
	}
	memcpy(echo, r->data, r->len);
	/* §5.5.2: answered as soon as is practical. The client sees the ping
	 * too, and its pong is one more, which §5.5.3 allows. */
	if (r->opcode == WS_PING &&
	    ws_peer_send(p, WS_PONG, echo, r->len) == -1) {
		on_fault(p, 1011, "the application takes nothing");
		return;
	}
	p->ops->on_message(r->opcode, r->data, r->len, p->arg);
}

/* Parses what stands in p->in, as far as somebody wants it. */
static void
take_frames(struct ws_peer *p)
{
	const uint8_t *at = p->in.data;
	size_t len = p->in.len;
	enum ws_read got = WS_READ_MESSAGE;

	while (p->state == PEER_OPEN && !p->paused && got != WS_READ_MORE) {
		got = ws_reader_take(&p->reader, &at, &len);
		if (got == WS_READ_MESSAGE)
			p->ops->on_message(p->reader.opcode, p->reader.data,
			    p->reader.len, p->arg);
		else if (got == WS_READ_CONTROL)
			on_control(p);
		else if (got == WS_READ_FAULT)
			on_fault(p, p->reader.fault_code, p->reader.fault);
	}
	if (p->state != PEER_OPEN)
		buf_clear(&p->in);
	else if (p->in.len > 0)
		buf_consume(&p->in, p->in.len - len);
}

/* --- reading -------------------------------------------------------------- */

static void
on_cut(struct ws_peer *p, ssize_t n)
{
	struct ws_end end = {
	    .opened = true,
	    .by_peer = true,
	    .code = 1006,
	    .text = "the application ended the connection without a close "
		    "frame",
	    .detail = n == IO_ERROR && p->ssl == NULL ? strerror(errno) : NULL,
	};

	if (p->state == PEER_CLOSING)
		ws_peer_die(p);
	else if (p->state == PEER_OPEN)
		ws_peer_end(p, &end, 0);
	else
		ws_peer_fail(p, 0,
		    "the application closed the connection during the "
		    "handshake",
		    end.detail);
}

static void
take_answer(struct ws_peer *p)
{
	struct ws_answer a;

	if (!ws_handshake_judge(&a, &p->request, p->accept, &p->in)) {
		if (p->in.len == p->in.max)
			ws_peer_fail(p, 0,
			    "the head of the application's answer is too long",
			    NULL);
		return;
	}
	if (a.fault != NULL) {
		ws_peer_fail(p, a.status, a.fault, NULL);
		return;
	}
	buf_consume(&p->in, a.len);
	buf_wipe(&p->request);
	timer_stop(p->timer);
	p->state = PEER_OPEN;
	p->ops->on_open(a.protocol, p->arg);
	take_frames(p);
}

/* A message that grows while there is no memory goes, with its connection:
 * waiting for its end could take for ever. */
static void
check_memory(struct ws_peer *p)
{
	const struct memory *m = p->owner->params.memory;

	ws_peer_count(p);
	if (p->reader.begun != WS_CONTINUATION && !memory_has(m, 0))
		on_fault(
		    p, 1013, "what telephone holds has reached MEMORY_MAX");
}

/* One read: false when there is nothing (more) for now. */
static bool
read_some(struct ws_peer *p)
{
	uint8_t waste[READ_LEN], *to = waste;
	size_t room = sizeof(waste);
	ssize_t n;

	if (p->state != PEER_CLOSING) {
		if (room > p->in.max - p->in.len)
			room = p->in.max - p->in.len;
		to = buf_reserve(&p->in, room);
		if (to == NULL || room == 0) {
			on_cut(p, 0);
			return false;
		}
	}
	n = receive(p, to, room);
	if (n == 0 || n == IO_ERROR)
		on_cut(p, n);
	if (n <= 0)
		return false;
	if (p->state == PEER_CLOSING)
		return true;
	p->in.len += (size_t)n;
	if (p->state == PEER_ASKING)
		take_answer(p);
	else
		take_frames(p);
	if (p->state == PEER_OPEN)
		check_memory(p);
	return true;
}

static bool
wants_input(const struct ws_peer *p)
{
	return p->state == PEER_ASKING || p->state == PEER_CLOSING ||
	    (p->state == PEER_OPEN && !p->paused);
}

static void
read_all(struct ws_peer *p)
{
	unsigned i;

	if (p->state == PEER_OPEN && p->in.len > 0)
		take_frames(p); /* what a pause has left */
	for (i = 0; i < READS_MAX && wants_input(p); i++)
		if (!read_some(p))
			return;
	if (wants_input(p) && p->ssl != NULL && ws_tls_pending(p->ssl) > 0)
		ws_peer_poke(p);
}

/* --- writing -------------------------------------------------------------- */

/* False: the connection is of no use. */
static bool
write_request(struct ws_peer *p)
{
	ssize_t n;

	while (p->request_sent < p->request.len) {
		n = transmit(p, p->request.data + p->request_sent,
		    p->request.len - p->request_sent);
		if (n < 0)
			return n == IO_AGAIN;
		p->request_sent += (size_t)n;
	}
	return true;
}

static bool
write_frames(struct ws_peer *p)
{
	struct evbuffer_iovec v;
	ssize_t n;

	while (evbuffer_peek(p->out, -1, NULL, &v, 1) > 0 && v.iov_len > 0) {
		n = transmit(p, v.iov_base,
		    v.iov_len < WRITE_LEN ? v.iov_len : WRITE_LEN);
		if (n < 0)
			return n == IO_AGAIN;
		(void)evbuffer_drain(p->out, (size_t)n);
		p->owner->queued -= (size_t)n;
	}
	return true;
}

/* --- the pump ------------------------------------------------------------- */

static void
begin_asking(struct ws_peer *p)
{
	int error = ws_socket_error(p->fd);

	if (error != 0) {
		ws_peer_unreachable(p, error);
		return;
	}
	p->state = PEER_ASKING;
	if (p->owner->tls == NULL)
		return;
	p->state = PEER_SECURING;
	p->ssl = ws_tls_start(p->owner->tls, p->fd, p->owner->params.host);
	if (p->ssl == NULL)
		ws_peer_fail(p, 0, "out of memory", NULL);
}

static void
secure(struct ws_peer *p)
{
	enum ws_want want = WS_WANT_NOTHING;
	const char *why = NULL;
	int done = ws_tls_handshake(p->ssl, &want, &why);

	p->read_want = want;
	if (done == -1)
		ws_peer_fail(p, 0, "TLS with the application failed", why);
	else if (done == 1)
		p->state = PEER_ASKING;
}

static void
pump(evutil_socket_t fd, short what, void *arg)
{
	struct ws_peer *p = arg;
	bool good = true;

	(void)fd;
	(void)what;
	if (p->state == PEER_CONNECTING)
		begin_asking(p);
	if (p->state == PEER_SECURING)
		secure(p);
	if (p->state == PEER_ASKING)
		good = write_request(p);
	else if (p->state == PEER_OPEN || p->state == PEER_CLOSING)
		good = write_frames(p);
	/* A write that failed leaves what the other side said last: a close
	 * frame, or an answer that refuses. */
	if (wants_input(p))
		read_all(p);
	if (!good && p->state >= PEER_ASKING && p->state <= PEER_CLOSING)
		on_cut(p, 0);
	ws_peer_count(p);
	ws_peer_arm(p);
}

int
ws_peer_attach(struct ws_peer *p, int fd)
{
	struct event_base *base = p->owner->params.base;

	p->readable = event_new(base, fd, EV_READ | EV_PERSIST, pump, p);
	p->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, pump, p);
	if (p->readable == NULL || p->writable == NULL) {
		timer_clear(&p->readable);
		timer_clear(&p->writable);
		return -1;
	}
	p->fd = fd;
	return 0;
}

void
ws_peer_detach(struct ws_peer *p)
{
	timer_clear(&p->readable);
	timer_clear(&p->writable);
	ws_tls_end(p->ssl);
	p->ssl = NULL;
	p->read_want = p->write_want = WS_WANT_NOTHING;
	util_close(&p->fd);
}
