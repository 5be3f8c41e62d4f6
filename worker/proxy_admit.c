/* SPDX-License-Identifier: MIT */
/*
 * Who is let in: cheap questions first, so that a flood costs little. A
 * request that is let in has one of MAX_INFLIGHT until its answer has left, or
 * waits for one in the order of arrival.
 */
#include <event2/event.h>

#include "conf.h"
#include "log.h"
#include "metrics.h"
#include "proxy_parts.h"
#include "rules.h"
#include "timer.h"
#include "util.h"

/* When to come back after a refusal that says nothing about when. */
#define WAIT_MS 1000

/* What a request costs besides what stands in it: itself, its fields one by
 * one, its timer. */
#define REQUEST_COST (8 * 1024)
/* … and what libcurl takes while it is worked on. */
#define CALL_COST (64 * 1024)
/* Of one field of an answer, besides its bytes. */
#define FIELD_COST 96

static const struct proxied_refusal too_many = {503, "overloaded",
    "MAX_INFLIGHT requests are being answered and QUEUE_MAX are waiting"};
static const struct proxied_refusal memory_full = {
    503, "memory_full", "what telephone holds has reached MEMORY_MAX"};
static const struct proxied_refusal too_much = {503, "request_memory",
    "the bodies of the requests in flight fill REQUEST_MEMORY_MAX"};

static void
count_waiting(struct proxy *proxy)
{
	metrics_set(proxy->params.metrics, METRICS_WAITING,
	    (int64_t)proxy->limit.waiting);
}

/* --- memory --------------------------------------------------------------- */

void
proxied_count(struct proxied *p)
{
	memory_set(&p->owner->memory, &p->counted,
	    p->cost + p->head.bytes + p->head.count * FIELD_COST);
}

static void
count(struct proxied *p, size_t cost)
{
	p->cost = cost;
	proxied_count(p);
}

static void
refuse_memory(struct proxied *p)
{
	metrics_add(p->owner->params.metrics, METRICS_MEMORY_REFUSED, 1);
	proxied_refuse_limit(p, &memory_full, WAIT_MS);
}

bool
proxied_count_call(struct proxied *p)
{
	if (p->tries > 0)
		return true; /* it is counted */
	if (!memory_has(&p->owner->memory, CALL_COST)) {
		refuse_memory(p);
		return false;
	}
	count(p, p->cost + CALL_COST);
	return true;
}

/* --- settings ------------------------------------------------------------- */

/* What the paths of this request say instead of the common bounds. */
static void
set_bounds(struct proxied *p, const struct request *r)
{
	const struct conf *conf = p->owner->params.conf;
	const struct path_limit *l =
	    path_limits_find(&p->owner->paths, r->path.data, r->path.len);
	int64_t timeout_ms = conf_num(conf, CONF_REQUEST_TIMEOUT);

	if (l != NULL && l->timeout_ms > 0)
		timeout_ms = l->timeout_ms;
	if (l != NULL && l->response_max > 0)
		p->response_max = (size_t)l->response_max;
	p->deadline_ms = p->began_ms + timeout_ms;
	if (p->deadline_ms > p->expires_ms)
		p->deadline_ms = p->expires_ms;
}

static void
on_advance(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	proxied_advance(arg);
}

int
proxied_configure(struct proxy *proxy)
{
	const struct conf *conf = proxy->params.conf;

	TAILQ_INIT(&proxy->waiting);
	memory_init(&proxy->memory, conf, proxy->params.metrics);
	proxy->limit.running_max = (size_t)conf_num(conf, CONF_MAX_INFLIGHT);
	proxy->limit.waiting_max = (size_t)conf_num(conf, CONF_QUEUE_MAX);
	proxy->limit.bytes_max =
	    (size_t)conf_num(conf, CONF_REQUEST_MEMORY_MAX);
	breaker_init(&proxy->breaker,
	    (unsigned)conf_num(conf, CONF_BREAKER_FAILURES),
	    conf_num(conf, CONF_BREAKER_OPEN_TIME));
	proxy->retry.max = (unsigned)conf_num(conf, CONF_BACKEND_RETRIES);
	(void)retry_on_parse(
	    &proxy->retry.on, conf_text(conf, CONF_BACKEND_RETRY_ON));
	if (conf_is_set(conf, CONF_PATH_LIMITS))
		(void)path_limits_parse(
		    &proxy->paths, conf_text(conf, CONF_PATH_LIMITS));
	proxy->clients = clients_create(conf,
	    rules_trusted_hops(proxy->params.rules), proxy->params.metrics);
	if (proxy->clients == NULL)
		return -1;
	proxy->advance = timer_create_ms(proxy->params.base, on_advance, proxy);
	return 0;
}

/* --- the gate ------------------------------------------------------------- */

void
proxied_refuse_request(struct proxied *p, int status, const char *reason)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = {
	    {400, "bad_request"},
	    {414, "target_too_long"},
	    {501, "not_supported"},
	    {503, "out_of_memory"},
	};
	const char *code = p->refusal_code;
	size_t i;

	for (i = 0; code == NULL && i < UTIL_COUNT(codes); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	p->entry.outcome = METRICS_REFUSED;
	proxied_refuse(p, status, code == NULL ? "bad_request" : code, reason);
}

static void
enter(struct proxied *p)
{
	struct proxy *proxy = p->owner;
	int64_t queue_ms = conf_num(proxy->params.conf, CONF_QUEUE_TIMEOUT);

	switch (limit_enter(&proxy->limit)) {
	case LIMIT_RUN:
		p->slot = true;
		proxied_try(p);
		break;
	case LIMIT_WAIT:
		p->stage = PROXIED_WAITING;
		TAILQ_INSERT_TAIL(&proxy->waiting, p, wait);
		count_waiting(proxy);
		proxied_await(p, p->began_ms + queue_ms);
		break;
	case LIMIT_FULL:
		proxied_refuse_limit(p, &too_many, WAIT_MS);
		break;
	}
}

static void
refuse_client(struct proxied *p)
{
	const struct proxied_refusal r = {
	    p->barred->status, p->barred->code, p->barred->reason};

	proxied_refuse_limit(p, &r, p->barred->wait_ms);
}

static bool
is_full(const struct limit *l)
{
	return l->running >= l->running_max && l->waiting >= l->waiting_max;
}

void
proxied_admit(struct proxied *p, const struct request *r)
{
	struct proxy *proxy = p->owner;
	int64_t now_ms = p->began_ms;
	size_t size = r->body.len + r->headers.len + r->path.len + r->query.len;
	const char *reason;
	int status = 400;

	set_bounds(p, r);
	if (is_full(&proxy->limit)) {
		proxied_refuse_limit(p, &too_many, WAIT_MS);
		return;
	}
	if (breaker_is_open(&proxy->breaker, now_ms)) {
		proxied_refuse_limit(p, &proxied_breaker_open,
		    breaker_wait_ms(&proxy->breaker, now_ms));
		return;
	}
	if (!memory_has(&proxy->memory, size + REQUEST_COST + CALL_COST)) {
		refuse_memory(p);
		return;
	}
	if (!limit_hold(&proxy->limit, r->body.len)) {
		proxied_refuse_limit(p, &too_much, WAIT_MS);
		return;
	}
	p->held = r->body.len;
	count(p, size + REQUEST_COST);
	reason = proxied_prepare(p, r, &status);
	if (p->barred != NULL)
		refuse_client(p);
	else if (reason != NULL)
		proxied_refuse_request(p, status, reason);
	else
		enter(p);
}

/* --- those that wait ------------------------------------------------------ */

static void
stop_waiting(struct proxied *p)
{
	TAILQ_REMOVE(&p->owner->waiting, p, wait);
	p->stage = PROXIED_NEW;
}

void
proxied_advance(struct proxy *proxy)
{
	struct proxied *p;

	while (limit_advance(&proxy->limit)) {
		p = TAILQ_FIRST(&proxy->waiting);
		stop_waiting(p);
		p->slot = true;
		proxied_try(p);
	}
	count_waiting(proxy);
}

void
proxied_leave_queue(struct proxied *p)
{
	stop_waiting(p);
	limit_give_up(&p->owner->limit);
	count_waiting(p->owner);
}

void
proxied_release(struct proxied *p)
{
	proxied_out_clear(&p->out);
	limit_release(&p->owner->limit, p->held);
	p->held = 0;
	count(p, REQUEST_COST);
}

void
proxied_leave(struct proxied *p)
{
	struct proxy *proxy = p->owner;

	proxied_release(p);
	memory_set(&proxy->memory, &p->counted, 0);
	if (p->stage == PROXIED_WAITING)
		proxied_leave_queue(p);
	if (!p->slot)
		return;
	limit_leave(&proxy->limit);
	/* Not from here: whoever frees one request is in the middle of a walk
	 * over others. */
	if (proxy->limit.waiting > 0)
		timer_set_ms(proxy->advance, 0);
}
