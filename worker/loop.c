/* SPDX-License-Identifier: MIT */
/*
 * The bridge of loop.h. Nobody else in the worker knows that libuv exists.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <libwebsockets.h>
#include <uv.h>

#include "log.h"
#include "loop.h"
#include "wipe.h"

/* libwebsockets allocates 16 bytes for each descriptor it might ever see:
 * without a bound that is RLIMIT_NOFILE of them. */
#define LOOP_FDS 1024

/* Bound on one handshake in each direction: a token of 12 kB, percent-encoded,
 * and as much from a talkative load balancer. The default is 4 kB. */
#define LOOP_HANDSHAKE_MAX (24 * 1024)

/* Bound on the turns of libuv that closing may take: it needs three. */
#define LOOP_SHUT_TURNS 16

struct loop {
	struct event_base *base;
	uv_loop_t uv;
	bool uv_open;
	struct lws_context *lws;
	struct event *readable; /* the libuv loop's epoll descriptor */
	struct event *timer;	/* its next timer, and the kick */
};

/* Lets libuv do what is ready, then sleeps until its next timer. */
static void
turn(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct timeval tv;
	int timeout_ms;

	(void)fd;
	(void)what;
	(void)uv_run(&l->uv, UV_RUN_NOWAIT);
	timeout_ms = uv_backend_timeout(&l->uv);
	if (timeout_ms < 0) { /* no timer at all */
		(void)evtimer_del(l->timer);
		return;
	}
	tv.tv_sec = timeout_ms / 1000;
	tv.tv_usec = (timeout_ms % 1000) * 1000;
	(void)evtimer_add(l->timer, &tv);
}

/* What lws says about its own troubles, one line each with a line end. */
static void
on_lws_log(int level, const char *line)
{
	size_t len = strlen(line);

	(void)level;
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	log_debug("libwebsockets: %.*s", (int)len, line);
}

static struct lws_context *
context_create(struct loop *l, const struct lws_protocols *protocols,
    struct ssl_ctx_st *tls, void *user)
{
	struct lws_context_creation_info info;
	void *foreign[1] = {&l->uv};

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = protocols;
	info.user = user;
	info.foreign_loops = foreign;
	info.options =
	    LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.fd_limit_per_thread = LOOP_FDS;
	info.pt_serv_buf_size = LOOP_HANDSHAKE_MAX;
	info.max_http_header_data = LOOP_HANDSHAKE_MAX;
	info.provided_client_ssl_ctx = tls;
	/* The worker drops its privileges itself. (int in 4.1, gid_t later.) */
	info.gid = (__typeof__(info.gid))-1;
	info.uid = (__typeof__(info.uid))-1;
	lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
	return lws_create_context(&info);
}

/* It keeps the handshake's URL, and so the token, in memory that it frees. */
static void *
wiping_realloc(void *p, size_t size, const char *reason)
{
	(void)reason;
	return wipe_realloc(p, size);
}

/*
 * Two priorities. After so many callbacks of the lower one libevent looks
 * again whether there is something for the higher: a probe does not wait until
 * all that is ready has had its turn.
 */
#define LOOP_CALLBACKS_MAX 8

static struct event_base *
base_create(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL)
		return NULL;
	(void)event_config_set_max_dispatch_interval(
	    config, NULL, LOOP_CALLBACKS_MAX, 1);
	base = event_base_new_with_config(config);
	event_config_free(config);
	/* Events are in the middle, rounded down, if nobody says otherwise. */
	if (base != NULL && event_base_priority_init(base, 2) == -1) {
		event_base_free(base);
		base = NULL;
	}
	return base;
}

struct loop *
loop_create(
    const struct lws_protocols *protocols, struct ssl_ctx_st *tls, void *user)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	lws_set_allocator(wiping_realloc);
	l->base = base_create();
	l->uv_open = uv_loop_init(&l->uv) == 0;
	if (l->base == NULL || !l->uv_open)
		goto fail;
	l->lws = context_create(l, protocols, tls, user);
	if (l->lws == NULL)
		goto fail;
	l->readable = event_new(
	    l->base, uv_backend_fd(&l->uv), EV_READ | EV_PERSIST, turn, l);
	l->timer = evtimer_new(l->base, turn, l);
	if (l->readable == NULL || l->timer == NULL ||
	    event_add(l->readable, NULL) == -1)
		goto fail;
	loop_kick(l);
	return l;
fail:
	loop_free(l);
	return NULL;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

struct lws_context *
loop_lws(struct loop *l)
{
	return l->lws;
}

void
loop_kick(struct loop *l)
{
	event_active(l->timer, EV_TIMEOUT, 0);
}

int
loop_run(struct loop *l)
{
	return event_base_dispatch(l->base) == -1 ? -1 : 0;
}

void
loop_stop(struct loop *l)
{
	(void)event_base_loopbreak(l->base);
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/*
 * libwebsockets closes its own handles while the loop turns, and closing one
 * twice aborts: so let it finish, and only then close what it left.
 */
static void
drain(uv_loop_t *uv)
{
	int turns;

	for (turns = 0; turns < LOOP_SHUT_TURNS && uv_loop_alive(uv); turns++)
		(void)uv_run(uv, UV_RUN_NOWAIT);
}

static void
uv_shut(uv_loop_t *uv)
{
	int turns;

	drain(uv);
	uv_walk(uv, close_handle, NULL);
	for (turns = 0; turns < LOOP_SHUT_TURNS; turns++) {
		if (uv_loop_close(uv) != UV_EBUSY)
			return;
		(void)uv_run(uv, UV_RUN_NOWAIT);
	}
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->lws != NULL) {
		/* With a loop that is not its own, the first call only asks
		 * the handles to close; the second, after that, frees. */
		lws_context_destroy(l->lws);
		drain(&l->uv);
		lws_context_destroy(l->lws);
	}
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->timer != NULL)
		event_free(l->timer);
	if (l->uv_open)
		uv_shut(&l->uv);
	if (l->base != NULL)
		event_base_free(l->base);
	free(l);
}
