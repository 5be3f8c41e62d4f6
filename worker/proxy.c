/* SPDX-License-Identifier: MIT */
/*
 * A request is in the list from its arrival until its answer has left whole:
 * that is what "in flight" means, for MAX_INFLIGHT and for a drain.
 *
 * proxy_request → proxied_forward → the backend calls back → proxied_answer or
 * proxied_refuse → the answer stands in the tunnel's queue (call == NULL) →
 * proxied_end frees the request.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "body.h"
#include "log.h"
#include "metrics.h"
#include "proxy_parts.h"
#include "response.h"
#include "util.h"

void
proxied_free(struct proxied *p)
{
	struct proxy *owner = p->owner;

	TAILQ_REMOVE(&owner->list, p, entry);
	owner->in_flight--;
	metrics_set(owner->params.metrics, METRICS_IN_FLIGHT,
	    (int64_t)owner->in_flight);
	backend_cancel(p->call);
	head_clear(&p->head);
	body_free(p->body);
	response_free(p->response);
	free(p->sent);
	free(p);
	proxied_note_spool(owner);
	if (owner->in_flight == 0)
		owner->params.on_idle(owner->params.arg);
}

static struct proxied *
proxied_create(
    struct proxy *proxy, struct tunnel *tunnel, const struct request *r)
{
	struct proxied *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->owner = proxy;
	if (proxied_collect_begin(p) == -1) {
		free(p);
		return NULL;
	}
	p->tunnel = tunnel;
	p->began_ms = util_mono_ms();
	(void)util_fmt(p->id, sizeof(p->id), "%.*s", (int)r->request_id.len,
	    (const char *)r->request_id.data);
	if (r->method.len > 0)
		(void)util_fmt(p->method, sizeof(p->method), "%.*s",
		    (int)r->method.len, (const char *)r->method.data);
	TAILQ_INSERT_TAIL(&proxy->list, p, entry);
	proxy->in_flight++;
	metrics_set(proxy->params.metrics, METRICS_IN_FLIGHT,
	    (int64_t)proxy->in_flight);
	return p;
}

static void
refuse_request(struct proxied *p, int status, const char *reason)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = {
	    {400, "bad_request"},
	    {414, "target_too_long"},
	    {501, "not_supported"},
	    {503, "overloaded"},
	};
	const char *code = "bad_request";
	size_t i;

	for (i = 0; i < UTIL_COUNT(codes); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	metrics_add(p->owner->params.metrics, METRICS_REQUESTS_REFUSED, 1);
	log_warnx("request %s: refused with %d: %s", p->id, status, reason);
	proxied_refuse(p, status, code, reason);
}

void
proxy_request(
    struct proxy *proxy, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	struct request r;
	const char *reason = request_parse(&r, payload, len);
	struct proxied *p;
	int status = 400;

	proxy->count++;
	proxy->last_ms = util_mono_ms();
	if (r.request_id.data == NULL) {
		metrics_add(proxy->params.metrics, METRICS_MESSAGES_DROPPED, 1);
		log_warnx("a proxy_req that cannot be answered: %s", reason);
		return;
	}
	p = proxied_create(proxy, tunnel, &r);
	if (p == NULL) {
		log_warnx("a request was dropped: out of memory");
		metrics_add(proxy->params.metrics, METRICS_REQUESTS_LOST, 1);
		return;
	}
	if (reason == NULL && proxy->in_flight > proxy->params.inflight_max) {
		status = 503;
		reason = "MAX_INFLIGHT requests are being answered already";
	}
	if (reason == NULL)
		reason = proxied_forward(p, &r, &status);
	if (reason != NULL)
		refuse_request(p, status, reason);
}

void
proxy_lost(struct proxy *proxy, const struct tunnel *tunnel)
{
	struct proxied *p, *next;

	for (p = TAILQ_FIRST(&proxy->list); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (p->tunnel != tunnel)
			continue;
		p->tunnel = NULL;
		if (p->response == NULL) /* else its queue still holds it */
			proxied_end(p, false);
	}
}

/* --- life and questions --------------------------------------------------- */

size_t
proxy_in_flight(const struct proxy *proxy)
{
	return proxy->in_flight;
}

uint64_t
proxy_failures(const struct proxy *proxy)
{
	return proxy->failures;
}

int64_t
proxy_last_ms(const struct proxy *proxy)
{
	return proxy->last_ms;
}

uint64_t
proxy_count(const struct proxy *proxy)
{
	return proxy->count;
}

struct proxy *
proxy_create(const struct proxy_params *params)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));

	if (proxy == NULL)
		return NULL;
	proxy->params = *params;
	TAILQ_INIT(&proxy->list);
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
		next = TAILQ_NEXT(p, entry);
		if (p->response == NULL)
			proxied_free(p);
	}
	free(proxy);
}
