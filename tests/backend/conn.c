/* SPDX-License-Identifier: MIT */
/*
 * Connections: accepting, reading requests one after the other, keeping
 * alive, ending without losing the last answer.
 *
 * Each callback does its own small thing and then calls run(), which goes
 * on until nothing can be done and is the only place to free a conn.  A
 * request is dispatched when its body is complete, and the next one is
 * looked at when its answer is: pipelined requests wait in the input,
 * which is bounded.
 *
 * A peer that ends its side (or vanishes; it looks the same) while a
 * timed answer or none is under way has given up: the request ends there.
 * While a stream is under way it still gets that.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "counter.h"
#include "reply.h"
#include "route.h"
#include "ws.h"

#define IN_MAX ((size_t)2 * HEAD_MAX)
#define OUT_LOW ((size_t)64 << 10)
#define IO_MAX ((size_t)256 << 10)
#define LINGER_MS 2000
#define HELD_MAX ((size_t)1 << 30) /* bodies of all requests */

static struct event_base *loop;
static bool is_quiet;
static struct conn *conns;
static size_t held;

static void on_read(struct bufferevent *bev, void *arg);
static void on_write(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

void
conn_init(struct event_base *base, bool quiet)
{
	loop = base;
	is_quiet = quiet;
}

/* Never the query string: it may hold a secret. */
static void
log_request(const struct conn *conn)
{
	const struct head *h = &conn->head;

	if (is_quiet)
		return;
	if (h->method.len == 0 || h->path.len == 0)
		fprintf(stderr, "- - %d\n", conn->status);
	else
		fprintf(stderr, "%.*s %.*s %d\n", (int)h->method.len,
		    h->method.p, (int)h->path.len, h->path.p, conn->status);
}

/* Lets go of the request. */
static void
clear_request(struct conn *conn)
{
	if (conn->open)
		counter_end();
	conn->open = false;
	if (conn->content != NULL)
		evbuffer_free(conn->content);
	conn->content = NULL;
	held -= conn->held;
	conn->held = 0;
	free(conn->head_buf);
	conn->head_buf = NULL;
	conn->head_seen = 0;
	memset(&conn->head, 0, sizeof(conn->head));
	conn->is_head = false;
	conn->route = NULL;
	conn->status = 0;
	conn->fill = NULL;
	conn->fill_content = false;
	conn->step = NULL;
	event_del(conn->timer);
}

static void
conn_free(struct conn *conn)
{
	if (conn->head_buf != NULL)
		log_request(conn);
	clear_request(conn);
	ws_free(conn->ws);
	event_free(conn->timer);
	bufferevent_free(conn->bev);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	free(conn);
}

void
conn_clear(void)
{
	while (conns != NULL)
		conn_free(conns);
}

void
conn_accept(int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int on = 1;

	if (conn == NULL) {
		close(fd);
		return;
	}
	conn->timer = event_new(loop, -1, 0, on_timer, conn);
	conn->bev = bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (conn->timer == NULL || conn->bev == NULL) {
		if (conn->timer != NULL)
			event_free(conn->timer);
		if (conn->bev != NULL)
			bufferevent_free(conn->bev);
		else
			close(fd);
		free(conn);
		return;
	}
	conn->next = conns;
	if (conns != NULL)
		conns->prev = conn;
	conns = conn;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	bufferevent_setwatermark(conn->bev, EV_READ, 0, IN_MAX);
	bufferevent_setwatermark(conn->bev, EV_WRITE, OUT_LOW, 0);
	bufferevent_set_max_single_read(conn->bev, IN_MAX);
	bufferevent_set_max_single_write(conn->bev, IO_MAX);
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
}

void
conn_wait(struct conn *conn, int64_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(conn->timer, &tv);
}

void
conn_done(struct conn *conn)
{
	log_request(conn);
	clear_request(conn);
	conn->state = CONN_HEAD;
	if (conn->close_after)
		conn_linger(conn);
}

void
conn_upgrade(struct conn *conn, struct ws *ws)
{
	conn->status = 101;
	log_request(conn);
	clear_request(conn);
	conn->ws = ws;
	conn->state = CONN_WS;
}

void
conn_linger(struct conn *conn)
{
	event_del(conn->timer);
	conn->state = CONN_LINGER;
}

/*
 * Closing with unread input would reset the connection and could take the
 * answer with it: so flush, shut down our side, read on for a while.
 */
static bool
run_linger(struct conn *conn, struct evbuffer *in)
{
	evbuffer_drain(in, evbuffer_get_length(in));
	if (evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0)
		return false;
	if (conn->eof)
		conn->dead = true;
	else if (!conn->shut) {
		shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
		conn->shut = true;
		conn_wait(conn, LINGER_MS);
	}
	return false;
}

/* A complete head of len bytes waits at p. */
static void
begin_request(struct conn *conn, const uint8_t *p, size_t len)
{
	int status;

	counter.requests++;
	conn->head_buf = malloc(len);
	if (conn->head_buf == NULL) {
		conn->dead = true;
		return;
	}
	memcpy(conn->head_buf, p, len);
	status = head_parse(&conn->head, conn->head_buf, len);
	if (status != 0) {
		reply_refuse(conn, status, reply_reason(status));
		return;
	}
	conn->is_head = conn->head.method.len == 4 &&
	    memcmp(conn->head.method.p, "HEAD", 4) == 0;
	conn->route = route_find(conn->head.path, &conn->number);
	if (conn->route == NULL ||
	    (conn->route->flags & ROUTE_UNCOUNTED) == 0) {
		counter_begin();
		conn->open = true;
	}
	if (conn->route != NULL && conn->route->flags & ROUTE_CONTENT) {
		conn->content = evbuffer_new();
		if (conn->content == NULL)
			conn->dead = true;
	}
	body_init(&conn->body, &conn->head);
	conn->state = CONN_BODY;
}

/* Tells a client that waits for it to send its body. */
static void
invite_body(struct conn *conn, struct evbuffer *in)
{
	if (conn->state != CONN_BODY || !conn->head.expects)
		return;
	if (conn->head.length > BODY_MAX || evbuffer_get_length(in) > 0)
		return;
	if (conn->head.chunked || conn->head.length > 0)
		reply_interim(conn, 100);
}

static bool
run_head(struct conn *conn, struct evbuffer *in)
{
	size_t len = evbuffer_get_length(in);
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	const uint8_t *p;
	ssize_t n;

	if (evbuffer_get_length(out) > CONN_OUT_MAX)
		return false;
	if (len > HEAD_MAX)
		len = HEAD_MAX;
	p = evbuffer_pullup(in, (ssize_t)len);
	n = len == 0 ? 0 : head_find(p, len, &conn->head_seen);
	if (n == -1)
		reply_refuse(conn, 400, "not a request");
	else if (n == 0 && len == HEAD_MAX)
		reply_refuse(conn, 431, "the head is too large");
	else if (n == 0) {
		if (conn->eof)
			conn_linger(conn);
		return conn->eof;
	} else {
		begin_request(conn, p, (size_t)n);
		evbuffer_drain(in, (size_t)n);
		invite_body(conn, in);
	}
	return true;
}

static void
dispatch(struct conn *conn)
{
	conn->state = CONN_ANSWER;
	if (conn->route == NULL)
		reply_text(conn, 404, "no such page\n");
	else
		conn->route->answer(conn, conn->number);
}

static bool
run_body(struct conn *conn, struct evbuffer *in)
{
	enum body_result result;

	result = body_read(&conn->body, in, conn->content);
	if (conn->content != NULL) {
		held -= conn->held;
		conn->held = evbuffer_get_length(conn->content);
		held += conn->held;
	}
	if (result == BODY_BAD)
		reply_refuse(conn, 400, "the body's framing is broken");
	else if (result == BODY_TOO_LARGE)
		reply_refuse(conn, 413, "the body is too large");
	else if (held > HELD_MAX)
		reply_refuse(conn, 503, "too many large bodies at once");
	else if (result == BODY_DONE)
		dispatch(conn);
	else {
		conn->dead = conn->eof;
		return false;
	}
	return true;
}

/* Does what can be done, and frees the connection when it is over. */
static void
run(struct conn *conn)
{
	struct evbuffer *in = bufferevent_get_input(conn->bev);
	bool more = true;

	while (more && !conn->dead) {
		switch (conn->state) {
		case CONN_HEAD:
			more = run_head(conn, in);
			break;
		case CONN_BODY:
			more = run_body(conn, in);
			break;
		case CONN_ANSWER:
			more = false;
			break;
		case CONN_WS:
			more = ws_read(conn, in);
			break;
		case CONN_LINGER:
			more = run_linger(conn, in);
			break;
		}
	}
	if (conn->dead)
		conn_free(conn);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	run(arg);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;

	(void)bev;
	if (conn->state == CONN_ANSWER)
		reply_refill(conn);
	run(conn);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *conn = arg;

	(void)bev;
	conn->eof = true;
	if (what & BEV_EVENT_ERROR)
		conn->dead = true;
	else if (conn->state == CONN_WS)
		conn->dead = true;
	else if (conn->state == CONN_ANSWER && conn->fill == NULL &&
	    !conn->fill_content)
		conn->dead = true;
	run(conn);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->state == CONN_ANSWER)
		reply_tick(conn);
	else if (conn->state == CONN_WS)
		conn_linger(conn);
	else if (conn->state == CONN_LINGER)
		conn->dead = true;
	run(conn);
}
