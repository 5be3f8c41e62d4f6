/* SPDX-License-Identifier: MIT */
/* call: the requests in flight, found by their request_id. */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "answer.h"
#include "board.h"
#include "call.h"
#include "proxyreq.h"
#include "record.h"
#include "text.h"

struct call {
	TAILQ_ENTRY(call) entry;
	char id[TEXT_UUID_SIZE];
	struct http *http; /* NULL: the client went away */
	struct phx *phx;   /* NULL: replaced by a second join */
	struct event *timer;
};

static TAILQ_HEAD(call_list, call) all = TAILQ_HEAD_INITIALIZER(all);

static void
call_free(struct call *c)
{
	TAILQ_REMOVE(&all, c, entry);
	event_free(c->timer);
	free(c);
}

static void
fail(struct call *c, int status, const char *text)
{
	struct http *h = c->http;

	call_free(c);
	if (h != NULL)
		http_reply_text(h, status, text);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct call *c = arg;

	(void)fd;
	(void)what;
	record_event(
	    c->phx != NULL ? c->phx->id : 0, "timeout", "request %s", c->id);
	fail(c, 504, "no answer from the telephone in time");
}

static void
on_gone(void *arg)
{
	((struct call *)arg)->http = NULL;
}

static struct call *
call_create(struct http *h, struct phx *p, const char *id)
{
	struct call *c = buf_calloc(sizeof(*c));

	memcpy(c->id, id, sizeof(c->id));
	c->http = h;
	c->phx = p;
	if ((c->timer = evtimer_new(board.base, on_timer, c)) == NULL)
		abort();
	board_timer_set(c->timer, board.settings.request_timeout_ms);
	TAILQ_INSERT_TAIL(&all, c, entry);
	http_on_gone(h, on_gone, c);
	return c;
}

/* Send the request to p, or answer at once what Plugboard would. */
static void
forward(struct http *h, struct phx *p, const char *rest)
{
	char id[TEXT_UUID_SIZE];
	struct buf payload = BUF_INIT;

	text_uuid(id);
	switch (proxyreq_put(
	    &payload, id, http_request(h), rest, board.settings.swallow != 0)) {
	case PROXYREQ_OK:
		call_create(h, p, id);
		board.count[COUNT_PROXY_REQS]++;
		channel_push(p, "proxy_req", payload.data, payload.len);
		break;
	case PROXYREQ_BAD_PATH:
		http_reply_text(h, 400, "malformed path");
		break;
	case PROXYREQ_NOT_UTF8:
		channel_crash(p, "{}", "request is not UTF-8");
		http_reply_text(h, 502, "channel crashed");
		break;
	}
	buf_clear(&payload);
}

void
call_start(struct http *h)
{
	const struct request *r = http_request(h);
	const char *rest;
	char *path_id = proxyreq_mount(r, &rest);
	struct phx *p = path_id != NULL ? phx_pick(path_id) : NULL;

	if (path_id == NULL)
		http_reply_text(h, 404, "no such path");
	else if (strcmp(r->method, "TRACE") == 0 ||
	    strcmp(r->method, "CONNECT") == 0)
		http_reply_text(h, 405, "method not allowed");
	else if (p == NULL)
		http_reply_text(h, 503, "no telephone is connected");
	else
		forward(h, p, rest);
	free(path_id);
}

static struct call *
find(const struct phx *p, struct json id)
{
	struct call *c;

	TAILQ_FOREACH(c, &all, entry)
	if (c->phx == p && json_is_string(id, c->id))
		return c;
	return NULL;
}

static void
send_answer(struct http *h, struct phx *p, struct answer *a)
{
	const struct request *r = http_request(h);
	struct buf out = BUF_INIT;
	const char *why;

	a->is_head = strcmp(r->method, "HEAD") == 0;
	a->minor = r->minor;
	a->close = !r->keep_alive;
	if ((why = answer_put(&out, a)) != NULL) {
		record_event(p->id, "bad_answer", "%s", why);
		http_reply_text(h, 500, "Internal Server Error");
	} else
		http_send(h, &out, a->close);
	buf_clear(&out);
}

int
call_answer(struct phx *p, struct json payload)
{
	static const char *const keys[] = {
	    "request_id", "status", "headers", "body", "chunked", "chunks"};
	struct json v[6];
	struct answer a;
	struct call *c;
	struct http *h;

	json_pick(payload, keys, v, 6);
	if (json_type(v[0]) != '"' || v[1].p == NULL || v[2].p == NULL ||
	    v[3].p == NULL)
		return -1;
	board.count[COUNT_PROXY_RES]++;
	if ((c = find(p, v[0])) == NULL) {
		board.count[COUNT_PROXY_RES_LATE]++;
		record_event(p->id, "late", "proxy_res %.*s",
		    (int)(v[0].len < 64 ? v[0].len : 64), v[0].p);
		return 0;
	}
	h = c->http;
	call_free(c);
	memset(&a, 0, sizeof(a));
	a.status = v[1];
	a.headers = v[2];
	a.body = v[3];
	a.chunked = v[4];
	a.chunks = v[5];
	if (h != NULL)
		send_answer(h, p, &a);
	return 0;
}

static struct call *
first_of(const struct phx *p)
{
	struct call *c;

	TAILQ_FOREACH(c, &all, entry)
	if (c->phx == p)
		return c;
	return NULL;
}

void
call_lost(struct phx *p, bool detached)
{
	struct call *c;

	while ((c = first_of(p)) != NULL) {
		if (detached)
			c->phx = NULL;
		else
			fail(c, 502, "the telephone was lost");
	}
}

size_t
call_count(void)
{
	struct call *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &all, entry)
	n++;
	return n;
}

void
call_free_all(void)
{
	while (!TAILQ_EMPTY(&all))
		call_free(TAILQ_FIRST(&all));
}
