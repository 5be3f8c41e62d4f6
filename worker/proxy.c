/* SPDX-License-Identifier: MIT */
/*
 * A request is in the list from its arrival until its answer has left whole:
 * that is what "in flight" means for a drain.
 *
 * proxy_request → proxied_admit (→ waits) → proxied_try → the backend calls
 * back (→ pauses → proxied_try) → proxied_answer or proxied_refuse → the answer
 * stands in the tunnel's queue → proxied_end frees the request.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "body.h"
#include "conf.h"
#include "log.h"
#include "metrics.h"
#include "proto.h"
#include "proxy_parts.h"
#include "response.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

void
proxied_free(struct proxied *p)
{
	struct proxy *owner = p->owner;

	TAILQ_REMOVE(&owner->list, p, link);
	owner->in_flight--;
	metrics_set(owner->params.metrics, METRICS_IN_FLIGHT,
	    (int64_t)owner->in_flight);
	proxied_give_up(p);
	proxied_leave(p);
	ledger_end(owner->params.ledger, &p->entry);
	trace_end(p->trace, &p->entry);
	timer_clear(&p->timer);
	head_clear(&p->head);
	body_free(p->body);
	response_free(p->response);
	buf_clear(&p->small);
	free(p);
	proxied_note_spool(owner);
	if (owner->in_flight == 0)
		owner->params.on_idle(owner->params.arg);
}

/* What its record will say if nobody says better. */
static void
note_beginning(struct proxied *p, const struct request *r, bool whole)
{
	struct ledger_entry *e = &p->entry;

	(void)util_strlcpy(e->id, p->id, sizeof(e->id));
	(void)util_strlcpy(e->method, p->method, sizeof(e->method));
	e->tunnel = tunnel_number(p->tunnel);
	e->outcome = METRICS_LOST;
	e->cause = "ended";
	(void)util_strlcpy(
	    e->reason, "telephone ended before it", sizeof(e->reason));
	if (whole) { /* else what was read may be half a text */
		ledger_set_path(e, r->path.data, r->path.len);
		e->bytes_in = (int64_t)r->body.len;
	}
	ledger_begin(p->owner->params.ledger, e);
}

/* Before anything is judged: what is refused belongs to its trace, too. */
static void
begin_trace(struct proxied *p, const struct request *r)
{
	struct trace *trace = p->owner->params.trace;
	struct trace_parent parent;

	if (trace == NULL)
		return;
	trace_context_read(&parent, r->headers);
	p->trace = trace_begin(trace, &parent, &p->entry);
}

static struct proxied *
proxied_create(struct proxy *proxy, struct tunnel *tunnel,
    const struct request *r, bool whole)
{
	const struct conf *conf = proxy->params.conf;
	struct proxied *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->timer = event_new(proxy->params.base, -1, 0, proxied_on_timer, p);
	if (p->timer == NULL) {
		free(p);
		return NULL;
	}
	p->owner = proxy;
	p->tunnel = tunnel;
	p->began_ms = proxy->last_ms;
	p->expires_ms = p->began_ms + conf_num(conf, CONF_REQUEST_TTL);
	p->response_max = (size_t)conf_num(conf, CONF_MAX_RESPONSE_SIZE);
	(void)util_fmt(p->id, sizeof(p->id), "%.*s", (int)r->request_id.len,
	    (const char *)r->request_id.data);
	if (r->method.len > 0)
		(void)util_fmt(p->method, sizeof(p->method), "%.*s",
		    (int)r->method.len, (const char *)r->method.data);
	note_beginning(p, r, whole);
	begin_trace(p, r);
	TAILQ_INSERT_TAIL(&proxy->list, p, link);
	proxy->in_flight++;
	metrics_set(proxy->params.metrics, METRICS_IN_FLIGHT,
	    (int64_t)proxy->in_flight);
	return p;
}

/* A request in the list, or NULL: it can be given no answer. */
static struct proxied *
begin(struct proxy *proxy, struct tunnel *tunnel, const struct request *r,
    const char *fault)
{
	struct proxied *p;

	proxy->count++;
	proxy->last_ms = util_mono_ms();
	if (r->request_id.data == NULL) {
		metrics_add(proxy->params.metrics, METRICS_MESSAGES_DROPPED, 1);
		log_warnx("a proxy_req that cannot be answered: %s", fault);
		return NULL;
	}
	p = proxied_create(proxy, tunnel, r, fault == NULL);
	if (p == NULL) {
		log_warnx("a request was dropped: out of memory");
		metrics_count_request(
		    proxy->params.metrics, "", 0, METRICS_LOST);
	}
	return p;
}

void
proxy_request(
    struct proxy *proxy, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	struct request r;
	const char *reason = request_parse(&r, payload, len);
	struct proxied *p = begin(proxy, tunnel, &r, reason);

	if (p == NULL)
		return;
	if (reason == NULL)
		proxied_admit(p, &r);
	else
		proxied_refuse_request(p, 400, reason);
}

void
proxy_too_long(
    struct proxy *proxy, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	static const struct proxied_refusal too_long = {413,
	    "request_too_large",
	    "the request, as plugboard sends it, is longer than "
	    "MAX_REQUEST_SIZE"};
	struct request r;
	const char *reason = request_parse(&r, payload, len);
	struct proxied *p = begin(proxy, tunnel, &r, reason);

	if (p != NULL)
		proxied_refuse_limit(p, &too_long, 0);
}

void
proxy_lost(struct proxy *proxy, const struct tunnel *tunnel)
{
	struct proxied *p, *next;

	for (p = TAILQ_FIRST(&proxy->list); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->tunnel != tunnel)
			continue;
		p->tunnel = NULL;
		/* Else its queue still holds it. */
		if (p->stage != PROXIED_ANSWERING)
			proxied_end(p, false);
	}
}

/* --- life and questions --------------------------------------------------- */

size_t
proxy_in_flight(const struct proxy *proxy)
{
	return proxy->in_flight;
}

int64_t
proxy_last_ms(const struct proxy *proxy)
{
	return proxy->last_ms;
}

uint64_t
proxy_answered(const struct proxy *proxy)
{
	return proxy->answered;
}

uint64_t
proxy_bereft(const struct proxy *proxy)
{
	return proxy->bereft;
}

void
proxy_status(const struct proxy *proxy, struct proto_worker_status *s)
{
	s->requests = proxy->count;
	s->failures = proxy->failures;
	s->in_flight = proxy->in_flight;
	s->breaker = (enum proto_breaker)proxy->breaker.state;
	s->memory = proxy->memory.used;
	s->memory_max = proxy->memory.ceiling;
}

struct memory *
proxy_memory(struct proxy *proxy)
{
	return proxy == NULL ? NULL : &proxy->memory;
}

struct clients *
proxy_clients(struct proxy *proxy)
{
	return proxy == NULL ? NULL : proxy->clients;
}

struct proxy *
proxy_create(const struct proxy_params *params)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));

	if (proxy == NULL)
		return NULL;
	proxy->params = *params;
	TAILQ_INIT(&proxy->list);
	if (proxied_configure(proxy) == -1) {
		free(proxy);
		return NULL;
	}
	return proxy;
}

static void
ignore_idle(void *arg)
{
	(void)arg;
}

void
proxy_free(struct proxy *proxy)
{
	struct proxied *p, *next;

	if (proxy == NULL)
		return;
	proxy->params.on_idle = ignore_idle;
	/* Those with an answer under way are freed by the tunnel's queue,
	 * which goes first. */
	for (p = TAILQ_FIRST(&proxy->list); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->stage != PROXIED_ANSWERING)
			proxied_free(p);
	}
	timer_clear(&proxy->advance);
	clients_free(proxy->clients);
	free(proxy);
}
