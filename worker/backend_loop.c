/* SPDX-License-Identifier: MIT */
/* libcurl in libevent: each of its sockets has one event, its one timer
 * another. */
#include <stdlib.h>

#include <event2/event.h>

#include "backend_parts.h"
#include "timer.h"
#include "tls.h"

struct watch { /* one of libcurl's sockets */
	struct event *event;
};

static enum backend_error
judge(const struct backend_call *c, CURLcode result)
{
	enum backend_error error;

	if (c->fault != FRAMING_OK)
		return backend_error_framing(c->fault);
	if (c->aborted)
		return BACKEND_ABORTED;
	if (c->stale)
		return BACKEND_STALE;
	error = backend_error_of(result, c->error, &c->framing);
	/* It did not want the rest of the request, which is no fault. */
	if (error == BACKEND_CUT && framing_is_whole(&c->framing))
		error = BACKEND_OK;
	if (error == BACKEND_OK && c->tls != NULL && !tls_was_ended(c->tls))
		return BACKEND_CUT;
	return error == BACKEND_OK && c->excess ? BACKEND_EXCESS : error;
}

/* libcurl's queue of ended transfers; a callback may start or cancel others,
 * so each is taken off before it is reported. */
static void
reap(struct backend *b)
{
	struct backend_call *c;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(b->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		c = NULL;
		(void)curl_easy_getinfo(
		    m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		backend_finish(c, judge(c, m->data.result));
	}
}

static void
on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;
	int running, mask = 0;

	if ((what & EV_READ) != 0)
		mask |= CURL_CSELECT_IN;
	if ((what & EV_WRITE) != 0)
		mask |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(b->multi, fd, mask, &running);
	reap(b);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;
	int running;

	(void)fd;
	(void)what;
	(void)curl_multi_socket_action(
	    b->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(b);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct backend *b = arg;

	(void)multi;
	if (timeout_ms < 0)
		timer_stop(b->timer);
	else
		timer_set_ms(b->timer, timeout_ms);
	return 0;
}

static void
unwatch(struct backend *b, curl_socket_t fd, struct watch *w)
{
	if (w == NULL)
		return;
	timer_clear(&w->event);
	free(w);
	(void)curl_multi_assign(b->multi, fd, NULL);
}

static int
set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
	struct backend *b = arg;
	struct watch *w = socketp;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		unwatch(b, fd, w);
		backend_idle_add(&b->kept, fd);
		return 0;
	}
	backend_idle_remove(&b->kept, fd);
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -1;
		(void)curl_multi_assign(b->multi, fd, w);
	}
	if ((what & CURL_POLL_IN) != 0)
		events |= EV_READ;
	if ((what & CURL_POLL_OUT) != 0)
		events |= EV_WRITE;
	timer_clear(&w->event);
	w->event = event_new(b->params.base, fd, events, on_socket_event, b);
	return w->event != NULL && event_add(w->event, NULL) == 0 ? 0 : -1;
}

int
backend_attach(struct backend *b)
{
	b->timer = timer_create_ms(b->params.base, on_timer, b);
	b->multi = curl_multi_init();
	b->sessions = curl_share_init();
	if (b->multi == NULL || b->sessions == NULL)
		return -1;
	curl_share_setopt(
	    b->sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(b->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(b->multi, CURLMOPT_SOCKETDATA, b);
	curl_multi_setopt(b->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(b->multi, CURLMOPT_TIMERDATA, b);
	return 0;
}
