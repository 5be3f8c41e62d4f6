/* SPDX-License-Identifier: MIT */
/* linger: connections nobody owns any more, on their way out. */
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "board.h"
#include "linger.h"

#define LINGER_MS 5000

struct parting {
	TAILQ_ENTRY(parting) entry;
	struct bufferevent *bev;
	struct event *timer;
	bool shut;
};

static TAILQ_HEAD(parting_list, parting) all = TAILQ_HEAD_INITIALIZER(all);

static void
linger_free(struct parting *l)
{
	TAILQ_REMOVE(&all, l, entry);
	event_free(l->timer);
	bufferevent_free(l->bev);
	free(l);
}

static void
shut_when_flushed(struct parting *l)
{
	SSL *ssl = bufferevent_openssl_get_ssl(l->bev);

	if (l->shut || evbuffer_get_length(bufferevent_get_output(l->bev)) > 0)
		return;
	l->shut = true;
	if (ssl != NULL) {
		SSL_shutdown(ssl);
		ERR_clear_error();
	}
	shutdown(bufferevent_getfd(l->bev), SHUT_WR);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	(void)bev;
	shut_when_flushed(arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		linger_free(arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	linger_free(arg);
}

void
linger_start(struct bufferevent *bev)
{
	struct parting *l = buf_calloc(sizeof(*l));

	l->bev = bev;
	if ((l->timer = evtimer_new(board.base, on_timer, l)) == NULL)
		abort();
	TAILQ_INSERT_TAIL(&all, l, entry);
	bufferevent_setcb(bev, on_read, on_write, on_event, l);
	bufferevent_set_timeouts(bev, NULL, NULL);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	on_read(bev, l);
	board_timer_set(l->timer, LINGER_MS);
	shut_when_flushed(l);
}

void
linger_reset(struct bufferevent *bev)
{
	const int hard[2] = {1, 0}; /* struct linger: on, 0 s */

	setsockopt(
	    bufferevent_getfd(bev), SOL_SOCKET, SO_LINGER, hard, sizeof(hard));
	bufferevent_free(bev);
}

void
linger_free_all(void)
{
	while (!TAILQ_EMPTY(&all))
		linger_free(TAILQ_FIRST(&all));
}
