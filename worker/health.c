/* SPDX-License-Identifier: MIT */
/* What is asked on the listener that the supervisor bound. */
#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "http.h"
#include "inspect.h"
#include "metrics.h"
#include "util.h"

struct health {
	struct health_params params;
	struct http *http;
};

static bool
is_verbose(const struct http_head *head)
{
	return strcmp(head->query, "verbose") == 0 ||
	    strncmp(head->query, "verbose=", 8) == 0;
}

static void
on_live(struct health *h, const struct http_head *head, struct http_answer *a)
{
	(void)h;
	(void)head;
	a->status = 200;
	(void)buf_puts(&a->body, "ok\n");
}

static void
on_ready(struct health *h, const struct http_head *head, struct http_answer *a)
{
	struct ready_facts facts;

	h->params.facts(&facts, h->params.arg);
	a->status = ready_not(&facts) == NULL ? 200 : 503;
	ready_text(&facts, is_verbose(head), &a->body);
}

static void
put_json(struct health *h, const struct ready_facts *facts, const char *status,
    struct http_answer *a)
{
	(void)h;
	a->type = "application/json";
	ready_json(facts, status, &a->body);
}

static void
on_live_json(
    struct health *h, const struct http_head *head, struct http_answer *a)
{
	struct ready_facts facts;

	(void)head;
	h->params.facts(&facts, h->params.arg);
	a->status = 200;
	put_json(h, &facts, "alive", a);
}

static void
answer_json(
    struct health *h, struct http_answer *a, const char *good, const char *bad)
{
	struct ready_facts facts;
	bool ready;

	h->params.facts(&facts, h->params.arg);
	ready = ready_not(&facts) == NULL;
	a->status = ready ? 200 : 503;
	put_json(h, &facts, ready ? good : bad, a);
}

static void
on_ready_json(
    struct health *h, const struct http_head *head, struct http_answer *a)
{
	(void)head;
	answer_json(h, a, "ready", "not ready");
}

static void
on_health_json(
    struct health *h, const struct http_head *head, struct http_answer *a)
{
	(void)head;
	answer_json(h, a, "healthy", "unhealthy");
}

static void
on_metrics(
    struct health *h, const struct http_head *head, struct http_answer *a)
{
	(void)head;
	h->params.look(h->params.arg);
	a->status = 200;
	a->type = "text/plain; version=0.0.4; charset=utf-8";
	(void)metrics_render(h->params.metrics, &a->body);
}

static const struct {
	const char *path;
	void (*handle)(
	    struct health *, const struct http_head *, struct http_answer *);
} routes[] = {
    {"/livez", on_live},
    {"/live", on_live_json},
    {"/readyz", on_ready},
    {"/ready", on_ready_json},
    {"/healthz", on_ready},
    {"/health", on_health_json},
    {"/metrics", on_metrics},
};

static void
on_request(const struct http_head *head, struct http_answer *a, void *arg)
{
	struct health *h = arg;
	size_t i;

	for (i = 0; i < UTIL_COUNT(routes); i++) {
		if (strcmp(routes[i].path, head->path) == 0) {
			routes[i].handle(h, head, a);
			return;
		}
	}
	inspect_answer(h->params.inspect, head, a);
}

struct health *
health_create(const struct health_params *params)
{
	struct health *h = calloc(1, sizeof(*h));
	struct http_params http = {
	    .base = params->base,
	    .fd = params->fd,
	    .answer = on_request,
	    .arg = h,
	};

	if (h == NULL) {
		util_close(&http.fd);
		return NULL;
	}
	h->params = *params;
	h->http = http_create(&http);
	if (h->http != NULL)
		return h;
	free(h);
	return NULL;
}

void
health_retire(struct health *h)
{
	if (h != NULL)
		http_retire(h->http);
}

void
health_free(struct health *h)
{
	if (h == NULL)
		return;
	http_free(h->http);
	free(h);
}
