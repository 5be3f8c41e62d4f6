/* SPDX-License-Identifier: MIT */
/*
 * A connection reads until its head is complete, sends, and waits for the
 * other side to close: a close of ours with bytes unread would be a reset that
 * takes the answer along.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "http.h"
#include "log.h"
#include "loop.h"
#include "timer.h"
#include "util.h"

/* A prober has nothing long to say, and no reason to be slow. */
#define READ_MS 5000
#define SEND_MS 10000
#define LINGER_MS 1000
#define CONNS_MAX 64
/* Accepted in one turn: the connections that are there want theirs. */
#define ACCEPTS_MAX 16
#define BODY_MAX (1024 * 1024)
/* What the kernel may hold of an answer for each who does not take it: left to
 * itself, it lets that grow to megabytes. */
#define KERNEL_MAX (32 * 1024)

enum stage {
	READING,
	SENDING,
	LINGERING,
};

struct conn {
	TAILQ_ENTRY(conn) entry;
	struct http *http;
	int fd;
	enum stage stage;
	struct event *readable, *writable, *timer;
	uint8_t in[HTTP_HEAD_MAX];
	size_t in_len;
	struct buf out; /* the head, and a body that was made */
	const uint8_t *fixed;
	size_t fixed_len;
	size_t sent; /* of both */
};

TAILQ_HEAD(conn_list, conn);

struct http {
	struct http_params params;
	struct event *accept;
	struct conn_list conns; /* the oldest first */
	unsigned count;
	size_t held; /* bytes of all `out` */
};

static void
conn_free(struct conn *c)
{
	TAILQ_REMOVE(&c->http->conns, c, entry);
	c->http->count--;
	c->http->held -= c->out.len;
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	timer_clear(&c->timer);
	buf_clear(&c->out);
	util_close(&c->fd);
	free(c);
}

/* --- answering ------------------------------------------------------------ */

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
	    {200, "OK"},
	    {400, "Bad Request"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {503, "Service Unavailable"},
	    {505, "HTTP Version Not Supported"},
	};
	size_t i;

	for (i = 0; i < UTIL_COUNT(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

/* What is next to go, and how much of it there is. */
static const uint8_t *
rest(const struct conn *c, size_t *len)
{
	if (c->sent < c->out.len) {
		*len = c->out.len - c->sent;
		return c->out.data + c->sent;
	}
	*len = c->out.len + c->fixed_len - c->sent;
	return *len == 0 ? NULL : c->fixed + c->fixed_len - *len;
}

static void
send_some(struct conn *c)
{
	const uint8_t *at;
	size_t len;
	ssize_t n = 0;

	while ((at = rest(c, &len)) != NULL) {
		n = send(c->fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	if (at != NULL && n == -1 && errno != EAGAIN && errno != EINTR) {
		conn_free(c);
		return;
	}
	if (at != NULL) {
		(void)event_add(c->writable, NULL);
		return;
	}
	(void)event_del(c->writable);
	(void)shutdown(c->fd, SHUT_WR);
	c->http->held -= c->out.len;
	buf_clear(&c->out);
	c->stage = LINGERING;
	timer_set_ms(c->timer, LINGER_MS);
}

/* Those who have had an answer for longest and do not take it, until what is
 * held is within its bound again. */
static void
let_go(struct http *h, const struct conn *but)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&h->conns); c != NULL && h->held > HTTP_HELD_MAX;
	     c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c != but && c->stage != READING)
			conn_free(c);
	}
}

static void
put_answer(struct conn *c, const struct http_answer *a, bool is_head)
{
	size_t len = a->fixed != NULL ? a->fixed_len : a->body.len;

	(void)buf_printf(&c->out,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "%sConnection: close\r\n\r\n",
	    a->status, reason(a->status), a->type, len, a->extra);
	if (!is_head && a->fixed == NULL)
		(void)buf_append(&c->out, a->body.data, a->body.len);
	c->fixed = is_head ? NULL : a->fixed;
	c->fixed_len = c->fixed == NULL ? 0 : a->fixed_len;
	c->http->held += c->out.len;
}

static void
answer(struct conn *c, int status, const struct http_head *head)
{
	struct http_answer a = {
	    .status = status == 200 ? 404 : status,
	    .type = "text/plain; charset=utf-8",
	    .extra = status == 405 ? "Allow: GET, HEAD\r\n" : "",
	};

	(void)event_del(c->readable);
	buf_init(&a.body, BODY_MAX);
	if (status == 200)
		c->http->params.answer(head, &a, c->http->params.arg);
	if (a.body.failed) {
		buf_clear(&a.body);
		a.status = 500;
	}
	if (a.body.len == 0 && a.fixed == NULL)
		(void)buf_printf(&a.body, "%s\n", reason(a.status));
	put_answer(c, &a, status == 200 && head->is_head);
	buf_clear(&a.body);
	c->stage = SENDING;
	let_go(c->http, c);
	timer_set_ms(c->timer, SEND_MS);
	(void)event_add(c->readable, NULL);
	send_some(c);
}

/* --- a connection --------------------------------------------------------- */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_some(arg);
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_free(arg);
}

/* What comes behind the request is of no interest. */
static void
discard(struct conn *c)
{
	uint8_t space[4096];
	ssize_t n = recv(c->fd, space, sizeof(space), 0);

	if (n == 0 && c->stage == SENDING)
		(void)event_del(c->readable); /* it still listens, perhaps */
	else if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		conn_free(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct http_head head;
	ssize_t n;
	int status;

	(void)fd;
	(void)what;
	if (c->stage != READING) {
		discard(c);
		return;
	}
	n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	c->in_len += (size_t)n;
	status = http_head_parse(c->in, c->in_len, &head);
	if (status != 0)
		answer(c, status, &head);
}

/* Whoever has not said what he wants for longest, or else whoever does not
 * take his answer. */
static void
make_room(struct http *h)
{
	struct conn *c = TAILQ_FIRST(&h->conns);

	while (c != NULL && c->stage != READING)
		c = TAILQ_NEXT(c, entry);
	if (c == NULL)
		c = TAILQ_FIRST(&h->conns);
	if (c != NULL)
		conn_free(c);
}

static struct event *
make_event(struct conn *c, short what, event_callback_fn cb)
{
	struct event *e = event_new(
	    c->http->params.base, c->fd, (short)(what | EV_PERSIST), cb, c);

	if (e != NULL)
		(void)event_priority_set(e, LOOP_FIRST);
	return e;
}

static void
conn_create(struct http *h, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		util_close(&fd);
		return;
	}
	if (h->count >= CONNS_MAX)
		make_room(h);
	c->http = h;
	c->fd = fd;
	buf_init(&c->out, BODY_MAX + 1024);
	TAILQ_INSERT_TAIL(&h->conns, c, entry);
	h->count++;
	c->readable = make_event(c, EV_READ, on_readable);
	c->writable = make_event(c, EV_WRITE, on_writable);
	c->timer = timer_create_ms(h->params.base, on_timer, c);
	if (c->readable == NULL || c->writable == NULL ||
	    event_add(c->readable, NULL) == -1) {
		conn_free(c);
		return;
	}
	timer_set_ms(c->timer, READ_MS);
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	int i, fd;

	(void)what;
	for (i = 0; i < ACCEPTS_MAX; i++) {
		fd =
		    accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1)
			return;
		conn_create(arg, fd);
	}
}

/* --- life ----------------------------------------------------------------- */

struct http *
http_create(const struct http_params *params)
{
	struct http *h = calloc(1, sizeof(*h));
	int fd = params->fd, room = KERNEL_MAX;

	if (h == NULL) {
		util_close(&fd);
		return NULL;
	}
	/* Those that are accepted have it from the listener. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	h->params = *params;
	TAILQ_INIT(&h->conns);
	h->accept =
	    event_new(params->base, fd, EV_READ | EV_PERSIST, on_accept, h);
	if (h->accept != NULL)
		(void)event_priority_set(h->accept, LOOP_FIRST);
	if (h->accept == NULL || event_add(h->accept, NULL) == -1) {
		http_free(h);
		return NULL;
	}
	return h;
}

void
http_retire(struct http *h)
{
	if (h->accept != NULL)
		event_free(h->accept);
	h->accept = NULL;
	util_close(&h->params.fd);
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	while (!TAILQ_EMPTY(&h->conns))
		conn_free(TAILQ_FIRST(&h->conns));
	http_retire(h);
	free(h);
}
