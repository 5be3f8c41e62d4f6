/* SPDX-License-Identifier: MIT */
/*
 * The race of dial.h. Addresses alternate between families as far as the
 * resolver's order allows (RFC 8305 §4); the sockets of those that lose are
 * closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "dial.h"
#include "timer.h"
#include "util.h"

/* RFC 8305 §5, Connection Attempt Delay. */
#define DIAL_STAGGER_MS 250

struct attempt {
	struct dial *owner;
	struct event *writable;
	int fd; /* -1: not begun, or failed */
};

struct dial {
	struct dial_params params;
	struct resolve_query *query;
	struct event *deadline;
	struct event *stagger;
	struct resolve_result found;
	struct attempt attempt[LOOKUP_ADDRS_MAX];
	unsigned begun, failed;
	int last_errno;
};

void
dial_cancel(struct dial *d)
{
	unsigned i;

	if (d == NULL)
		return;
	resolve_cancel(d->query);
	timer_clear(&d->deadline);
	timer_clear(&d->stagger);
	for (i = 0; i < LOOKUP_ADDRS_MAX; i++) {
		timer_clear(&d->attempt[i].writable);
		util_close(&d->attempt[i].fd);
	}
	free(d);
}

static void
finish(struct dial *d, const struct dial_result *result)
{
	dial_cb *cb = d->params.cb;
	void *arg = d->params.arg;

	dial_cancel(d);
	cb(result, arg);
}

static void
fail(struct dial *d, enum proto_reason reason, const char *error)
{
	struct dial_result result = {
	    .reason = reason,
	    .error = error,
	    .fd = -1,
	};

	finish(d, &result);
}

static enum proto_reason
reason_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return PROTO_REASON_REFUSED;
	case ETIMEDOUT:
		return PROTO_REASON_TIMEOUT;
	default:
		return PROTO_REASON_UNREACHABLE;
	}
}

static void
win(struct dial *d, unsigned i)
{
	struct dial_result result = {.reason = PROTO_REASON_NONE};

	memcpy(result.addr, d->found.addr[i], sizeof(result.addr));
	result.fd = d->attempt[i].fd;
	d->attempt[i].fd = -1;
	finish(d, &result);
}

static void start_next(struct dial *);

/* May end the dial: the caller returns at once. */
static void
attempt_failed(struct attempt *a, int error)
{
	struct dial *d = a->owner;

	timer_clear(&a->writable);
	util_close(&a->fd);
	d->failed++;
	d->last_errno = error;
	if (d->failed == d->found.count)
		fail(d, reason_of(error), strerror(error));
	else if (d->begun < d->found.count)
		start_next(d);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0)
		attempt_failed(a, error);
	else
		win(a->owner, (unsigned)(a - a->owner->attempt));
}

/* Numeric text to an address, without any look-up. */
static struct addrinfo *
parse(const char *addr, uint16_t port)
{
	struct addrinfo hints, *ai = NULL;
	char service[8];

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	(void)util_fmt(service, sizeof(service), "%u", port);
	return getaddrinfo(addr, service, &hints, &ai) == 0 ? ai : NULL;
}

/* A connect under way on a->fd: 0, or the errno it failed with. */
static int
begin(struct attempt *a, const char *addr, uint16_t port)
{
	struct addrinfo *ai = parse(addr, port);
	int error = 0, one = 1;

	if (ai == NULL)
		return EADDRNOTAVAIL;
	a->fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd == -1 ||
	    (connect(a->fd, ai->ai_addr, ai->ai_addrlen) == -1 &&
		errno != EINPROGRESS))
		error = errno;
	else /* as libwebsockets sets it on its own */
		(void)setsockopt(
		    a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	freeaddrinfo(ai);
	return error;
}

static void
start_next(struct dial *d)
{
	unsigned i = d->begun++;
	struct attempt *a = &d->attempt[i];
	int error = begin(a, d->found.addr[i], d->params.port);

	if (error == 0) {
		a->writable =
		    event_new(d->params.base, a->fd, EV_WRITE, on_writable, a);
		if (a->writable == NULL || event_add(a->writable, NULL) == -1)
			error = ENOMEM;
	}
	if (error != 0) {
		attempt_failed(a, error);
		return;
	}
	if (d->begun < d->found.count)
		timer_set_ms(d->stagger, DIAL_STAGGER_MS);
}

static void
on_stagger(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;

	(void)fd;
	(void)what;
	if (d->begun < d->found.count)
		start_next(d);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;

	(void)fd;
	(void)what;
	if (d->query != NULL)
		fail(d, PROTO_REASON_RESOLVE,
		    "no answer from the resolver within CONNECT_TIMEOUT");
	else
		fail(d, PROTO_REASON_TIMEOUT,
		    "no answer to the TCP connect within CONNECT_TIMEOUT");
}

static bool
is_v6(const char *addr)
{
	return strchr(addr, ':') != NULL;
}

/* RFC 8305 §4: the families take turns, the first one as the resolver had
 * it. */
static void
interleave(struct resolve_result *found, const struct resolve_result *in)
{
	bool want = in->count > 0 && is_v6(in->addr[0]), used[LOOKUP_ADDRS_MAX];
	unsigned i, n;

	memset(used, 0, sizeof(used));
	for (n = 0; n < in->count; n++, want = !want) {
		for (i = 0; i < in->count; i++)
			if (!used[i] && is_v6(in->addr[i]) == want)
				break;
		if (i == in->count) /* that family is used up */
			for (i = 0; used[i];)
				i++;
		used[i] = true;
		memcpy(found->addr[n], in->addr[i], LOOKUP_ADDR_MAX);
	}
	found->count = in->count;
}

static void
on_resolved(const struct resolve_result *result, void *arg)
{
	struct dial *d = arg;

	d->query = NULL;
	if (result->error != NULL) {
		fail(d, PROTO_REASON_RESOLVE, result->error);
		return;
	}
	interleave(&d->found, result);
	start_next(d);
}

struct dial *
dial_start(const struct dial_params *params)
{
	struct dial *d = calloc(1, sizeof(*d));
	unsigned i;

	if (d == NULL)
		return NULL;
	d->params = *params;
	for (i = 0; i < LOOKUP_ADDRS_MAX; i++) {
		d->attempt[i].owner = d;
		d->attempt[i].fd = -1;
	}
	d->deadline = timer_create_ms(params->base, on_deadline, d);
	d->stagger = timer_create_ms(params->base, on_stagger, d);
	/* A little longer than our own deadline, which says more. */
	d->query = resolve_start(params->resolve, params->host,
	    params->timeout_ms + 50, on_resolved, d);
	if (d->query == NULL) {
		dial_cancel(d);
		return NULL;
	}
	timer_set_ms(d->deadline, params->timeout_ms);
	return d;
}
