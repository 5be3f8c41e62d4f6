/* SPDX-License-Identifier: MIT */
/*
 * http: connection state machine.  A connection may end inside its own
 * processing (an answer with close, an upgrade); then it is marked done and
 * freed by the outermost call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "board.h"
#include "http.h"
#include "linger.h"
#include "status.h"

#define READ_TIMEOUT_S 60
#define CHUNK_LINE_MAX 4096
#define INPUT_HIGH ((size_t)256 << 10)

enum http_state {
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_END,
	HTTP_TRAILERS,
	HTTP_BUSY,
	HTTP_DONE
};

struct http {
	TAILQ_ENTRY(http) entry;
	struct bufferevent *bev;
	const struct http_service *service;
	struct request request;
	enum http_state state;
	size_t left; /* of body or chunk */
	size_t body_max;
	bool processing;
	void (*gone)(void *);
	void *gone_arg;
};

static TAILQ_HEAD(http_list, http) all = TAILQ_HEAD_INITIALIZER(all);

static void
http_free(struct http *h)
{
	TAILQ_REMOVE(&all, h, entry);
	request_clear(&h->request);
	if (h->bev != NULL)
		bufferevent_free(h->bev);
	free(h);
}

/* The connection is over; free now unless processing is on the stack. */
static void
finish(struct http *h)
{
	h->state = HTTP_DONE;
	if (!h->processing)
		http_free(h);
}

static void
set_timeout(struct http *h, bool on)
{
	struct timeval tv = {READ_TIMEOUT_S, 0};

	bufferevent_set_timeouts(h->bev, on ? &tv : NULL, NULL);
}

static void
refuse(struct http *h, int status)
{
	h->request.keep_alive = false;
	http_reply_text(h, status, status_reason(status));
}

static void
complete(struct http *h)
{
	h->state = HTTP_BUSY;
	set_timeout(h, false);
	h->service->on_request(h);
}

/* Behind a parsed head: what comes next? */
static void
begin_body(struct http *h)
{
	struct request *r = &h->request;
	struct evbuffer *in = bufferevent_get_input(h->bev);

	h->body_max = h->service->body_max(r);
	if (r->content_length > (int64_t)h->body_max) {
		refuse(h, 413);
		return;
	}
	h->left = (size_t)r->content_length;
	if (r->expect_continue && (r->chunked || h->left > 0) &&
	    evbuffer_get_length(in) == 0)
		bufferevent_write(h->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	h->state = r->chunked ? HTTP_CHUNK_SIZE : HTTP_BODY;
}

/* Each step returns false when it needs more bytes. */
static bool
step_head(struct http *h)
{
	struct evbuffer *in = bufferevent_get_input(h->bev);
	struct evbuffer_ptr eol, end;
	size_t len;
	char *head;
	int status;

	while (evbuffer_get_length(in) >= 2 &&
	    memcmp(evbuffer_pullup(in, 2), "\r\n", 2) == 0)
		evbuffer_drain(in, 2);
	eol = evbuffer_search(in, "\r\n", 2, NULL);
	len = eol.pos >= 0 ? (size_t)eol.pos : evbuffer_get_length(in);
	end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (len > REQUEST_LINE_MAX ||
	    (end.pos < 0 && evbuffer_get_length(in) > REQUEST_HEAD_MAX)) {
		refuse(h, len > REQUEST_LINE_MAX ? 414 : 431);
		return true;
	}
	if (end.pos < 0)
		return false;
	len = (size_t)end.pos + 4;
	head = (char *)evbuffer_pullup(in, (ssize_t)len);
	status = len > REQUEST_HEAD_MAX ? 431
					: request_parse(&h->request, head, len);
	evbuffer_drain(in, len);
	if (status != 0)
		refuse(h, status);
	else
		begin_body(h);
	return true;
}

/* Move up to `left` bytes into the body. */
static bool
step_data(struct http *h)
{
	struct evbuffer *in = bufferevent_get_input(h->bev);
	size_t n = evbuffer_get_length(in);

	if (n > h->left)
		n = h->left;
	if (n > 0)
		evbuffer_remove(in, buf_grow(&h->request.body, n), n);
	h->left -= n;
	if (h->left > 0)
		return false;
	if (h->state == HTTP_BODY)
		complete(h);
	else
		h->state = HTTP_CHUNK_END;
	return true;
}

static void
chunk_size(struct http *h, const char *line)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");
	const char *rest = line + digits + strspn(line + digits, " \t");
	unsigned long long n = strtoull(line, NULL, 16);

	if (digits == 0 || digits > 15 || (*rest != '\0' && *rest != ';'))
		refuse(h, 400);
	else if (n > h->body_max - h->request.body.len)
		refuse(h, 413);
	else if (n == 0)
		h->state = HTTP_TRAILERS;
	else {
		h->left = (size_t)n;
		h->state = HTTP_CHUNK_DATA;
	}
}

/* The lines of the chunked coding: sizes, ends of chunks, trailers. */
static bool
step_line(struct http *h)
{
	struct evbuffer *in = bufferevent_get_input(h->bev);
	char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF_STRICT);

	if (line == NULL) {
		if (evbuffer_get_length(in) <= CHUNK_LINE_MAX)
			return false;
		refuse(h, 400);
		return true;
	}
	if (h->state == HTTP_CHUNK_SIZE)
		chunk_size(h, line);
	else if (h->state == HTTP_CHUNK_END) {
		h->state = HTTP_CHUNK_SIZE;
		if (*line != '\0')
			refuse(h, 400);
	} else if (*line == '\0')
		complete(h);
	free(line);
	return true;
}

static bool
step(struct http *h)
{
	switch (h->state) {
	case HTTP_HEAD:
		return step_head(h);
	case HTTP_BODY:
	case HTTP_CHUNK_DATA:
		return step_data(h);
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_END:
	case HTTP_TRAILERS:
		return step_line(h);
	default:
		return false;
	}
}

static void
process(struct http *h)
{
	if (h->processing)
		return;
	h->processing = true;
	while (step(h))
		;
	h->processing = false;
	if (h->state == HTTP_DONE)
		http_free(h);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	process(arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http *h = arg;

	(void)bev;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) == 0)
		return;
	if (h->gone != NULL)
		h->gone(h->gone_arg);
	finish(h);
}

void
http_start(struct bufferevent *bev, const struct http_service *service)
{
	struct http *h = buf_calloc(sizeof(*h));

	h->bev = bev;
	h->service = service;
	TAILQ_INSERT_TAIL(&all, h, entry);
	set_timeout(h, true);
	bufferevent_setcb(bev, on_read, NULL, on_event, h);
	bufferevent_setwatermark(bev, EV_READ, 0, INPUT_HIGH);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

const struct request *
http_request(const struct http *h)
{
	return &h->request;
}

void
http_on_gone(struct http *h, void (*gone)(void *), void *arg)
{
	h->gone = gone;
	h->gone_arg = arg;
}

void
http_send(struct http *h, const struct buf *bytes, bool close)
{
	struct bufferevent *bev = h->bev;

	h->gone = NULL;
	bufferevent_write(bev, bytes->data, bytes->len);
	if (close) {
		h->bev = NULL;
		linger_start(bev);
		finish(h);
		return;
	}
	request_clear(&h->request);
	h->state = HTTP_HEAD;
	set_timeout(h, true);
	/*
	 * What is pipelined behind runs from the loop, never inside whoever
	 * answers: it might free what that one is walking.
	 */
	if (!h->processing)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

void
http_reply(
    struct http *h, int status, const char *extra, const struct buf *body)
{
	const struct request *r = &h->request;
	const char *reason = status_reason(status);
	struct buf out = BUF_INIT;
	bool close = !r->keep_alive;

	buf_addf(&out, "HTTP/1.1 %d %s\r\n", status,
	    reason != NULL ? reason : "Unknown");
	if (extra != NULL)
		buf_adds(&out, extra);
	if (close)
		buf_adds(&out, "connection: close\r\n");
	buf_addf(&out, "content-length: %zu\r\n\r\n", body->len);
	if (r->method == NULL || strcmp(r->method, "HEAD") != 0)
		buf_add(&out, body->data, body->len);
	http_send(h, &out, close);
	buf_clear(&out);
}

void
http_reply_text(struct http *h, int status, const char *text)
{
	struct buf body = BUF_INIT;

	buf_addf(&body, "%s\n", text);
	http_reply(
	    h, status, "content-type: text/plain; charset=utf-8\r\n", &body);
	buf_clear(&body);
}

struct bufferevent *
http_take(struct http *h)
{
	struct bufferevent *bev = h->bev;

	h->bev = NULL;
	h->gone = NULL;
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	bufferevent_setwatermark(bev, EV_READ, 0, 0);
	finish(h);
	return bev;
}

void
http_hold(struct http *h)
{
	h->gone = NULL;
}

void
http_free_all(void)
{
	while (!TAILQ_EMPTY(&all))
		http_free(TAILQ_FIRST(&all));
}
