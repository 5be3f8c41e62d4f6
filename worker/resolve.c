/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of the look-up helper. A query is one entry of a small
 * list, found again by its id; an answer that nobody waits for is dropped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "log.h"
#include "resolve.h"
#include "timer.h"
#include "util.h"

#define RESOLVE_QUERIES_MAX LOOKUP_WAITING_MAX
/* The helper is asked so often at most, and has hung when it has let so many
 * questions pass. */
#define POLL_APART_MS 1000
#define SILENT_POLLS 4

struct resolve_query {
	TAILQ_ENTRY(resolve_query) entry;
	struct resolve *owner;
	struct event *timer; /* the deadline, or at once for a literal */
	uint32_t id;
	bool known; /* result is complete: deliver it */
	struct resolve_result result;
	resolve_cb *cb;
	void *arg;
};

struct resolve {
	struct event_base *base;
	struct event *readable;
	int fd;
	uint32_t last_id;
	unsigned count;
	bool lost;
	int64_t polled_ms;
	unsigned unheard; /* polls since its last word */
	TAILQ_HEAD(query_list, resolve_query) queries;
	void (*on_lost)(const char *why, void *arg);
	void *arg;
};

void
resolve_cancel(struct resolve_query *q)
{
	if (q == NULL)
		return;
	TAILQ_REMOVE(&q->owner->queries, q, entry);
	q->owner->count--;
	timer_clear(&q->timer);
	free(q);
}

static void
deliver(struct resolve_query *q)
{
	struct resolve_result result = q->result;
	resolve_cb *cb = q->cb;
	void *arg = q->arg;

	resolve_cancel(q);
	cb(&result, arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct resolve_query *q = arg;

	(void)fd;
	(void)what;
	if (!q->known)
		q->result.error = "no answer from the resolver in time";
	deliver(q);
}

static void
on_answer(struct resolve *r, const struct lookup_answer *a)
{
	struct resolve_query *q;
	size_t i;

	for (q = TAILQ_FIRST(&r->queries); q != NULL && q->id != a->id;)
		q = TAILQ_NEXT(q, entry);
	if (q == NULL || q->known || a->count > LOOKUP_ADDRS_MAX)
		return;
	if (a->error != 0 || a->count == 0)
		q->result.error =
		    gai_strerror(a->error != 0 ? a->error : EAI_NONAME);
	q->result.count = a->error != 0 ? 0 : a->count;
	/* Whoever writes this reads what name servers wrote. */
	memcpy(q->result.addr, a->addr, sizeof(q->result.addr));
	for (i = 0; i < LOOKUP_ADDRS_MAX; i++)
		q->result.addr[i][LOOKUP_ADDR_MAX - 1] = '\0';
	deliver(q);
}

static void
lose(struct resolve *r, const char *why)
{
	struct resolve_query *q;

	r->lost = true;
	(void)event_del(r->readable);
	while ((q = TAILQ_FIRST(&r->queries)) != NULL) {
		q->result.error = "the look-up helper is gone";
		deliver(q);
	}
	r->on_lost(why, r->arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	struct lookup_answer a;
	ssize_t n;

	(void)what;
	n = recv(fd, &a, sizeof(a), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(a))
		lose(r, "died");
	else {
		r->unheard = 0;
		on_answer(r, &a);
	}
}

void
resolve_poll(struct resolve *r)
{
	struct lookup_question question;
	int64_t now_ms = util_mono_ms();

	if (r->lost || now_ms - r->polled_ms < POLL_APART_MS)
		return;
	r->polled_ms = now_ms;
	if (++r->unheard > SILENT_POLLS) {
		lose(r, "answers nothing any more");
		return;
	}
	memset(&question, 0, sizeof(question));
	(void)send(
	    r->fd, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct resolve *
resolve_create(struct event_base *base, int fd,
    void (*on_lost)(const char *why, void *arg), void *arg)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	TAILQ_INIT(&r->queries);
	r->base = base;
	r->fd = fd;
	r->on_lost = on_lost;
	r->arg = arg;
	r->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, r);
	if (r->readable == NULL || event_add(r->readable, NULL) == -1) {
		resolve_free(r);
		return NULL;
	}
	return r;
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	while (!TAILQ_EMPTY(&r->queries))
		resolve_cancel(TAILQ_FIRST(&r->queries));
	if (r->readable != NULL)
		event_free(r->readable);
	util_close(&r->fd);
	free(r);
}

/* Literals, and the name that RFC 6761 §6.3 keeps on this machine. */
static bool
is_known(struct resolve_result *result, const char *host)
{
	uint8_t space[sizeof(struct in6_addr)];

	if (strcasecmp(host, "localhost") == 0) {
		(void)util_strlcpy(
		    result->addr[0], "127.0.0.1", LOOKUP_ADDR_MAX);
		(void)util_strlcpy(result->addr[1], "::1", LOOKUP_ADDR_MAX);
		result->count = 2;
		return true;
	}
	if (inet_pton(AF_INET, host, space) != 1 &&
	    inet_pton(AF_INET6, host, space) != 1)
		return false;
	(void)util_strlcpy(result->addr[0], host, LOOKUP_ADDR_MAX);
	result->count = 1;
	return true;
}

static int
ask(struct resolve *r, const struct resolve_query *q, const char *host,
    int64_t timeout_ms)
{
	struct lookup_question question;

	memset(&question, 0, sizeof(question));
	question.id = q->id;
	question.life_ms = (uint32_t)timeout_ms;
	if (util_strlcpy(question.host, host, sizeof(question.host)) >=
	    sizeof(question.host))
		return -1;
	if (send(r->fd, &question, sizeof(question),
		MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
		log_warn("the look-up helper does not take a question");
		return -1;
	}
	return 0;
}

struct resolve_query *
resolve_start(struct resolve *r, const char *host, int64_t timeout_ms,
    resolve_cb *cb, void *arg)
{
	struct resolve_query *q;

	if (r->lost || r->count >= RESOLVE_QUERIES_MAX ||
	    (q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	q->owner = r;
	q->id = ++r->last_id;
	q->cb = cb;
	q->arg = arg;
	q->timer = timer_create_ms(r->base, on_timer, q);
	TAILQ_INSERT_TAIL(&r->queries, q, entry);
	r->count++;
	q->known = is_known(&q->result, host);
	timer_set_ms(q->timer, q->known ? 0 : timeout_ms);
	if (!q->known && ask(r, q, host, timeout_ms) == -1) {
		resolve_cancel(q);
		return NULL;
	}
	return q;
}
