/* SPDX-License-Identifier: MIT */
/* evhttp on the listener that the supervisor bound. */
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "buf.h"
#include "health.h"
#include "log.h"
#include "metrics.h"
#include "util.h"

/* A prober has nothing long to say, and no reason to be slow. */
#define TIMEOUT_S 5
#define HEAD_MAX (8 * 1024)
#define METRICS_MAX (256 * 1024)

struct health {
	struct health_params params;
	struct evhttp *http;
};

static void
reply(struct evhttp_request *req, int status, const char *type,
    const void *text, size_t len)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();

	(void)evhttp_add_header(out, "Content-Type", type);
	(void)evhttp_add_header(out, "Cache-Control", "no-store");
	if (body != NULL)
		(void)evbuffer_add(body, text, len);
	evhttp_send_reply(
	    req, status, status == 200 ? "OK" : "Unavailable", body);
	if (body != NULL)
		evbuffer_free(body);
}

static void
reply_text(struct evhttp_request *req, int status, const char *text)
{
	char line[128];

	(void)util_fmt(line, sizeof(line), "%s\n", text);
	reply(req, status, "text/plain; charset=utf-8", line, strlen(line));
}

static void
on_live(struct evhttp_request *req, void *arg)
{
	(void)arg;
	reply_text(req, 200, "ok");
}

static void
on_ready(struct evhttp_request *req, void *arg)
{
	struct health *h = arg;
	const char *why = "not ready";

	if (h->params.is_ready(&why, h->params.arg))
		reply_text(req, 200, "ok");
	else
		reply_text(req, 503, why);
}

static void
on_metrics(struct evhttp_request *req, void *arg)
{
	struct health *h = arg;
	struct metrics *m = h->params.metrics;
	struct buf b;

	h->params.look(h->params.arg);
	buf_init(&b, METRICS_MAX);
	if (metrics_render(m, &b) == 0)
		reply(req, 200, "text/plain; version=0.0.4; charset=utf-8",
		    b.data, b.len);
	else
		reply_text(req, 500, "out of memory");
	buf_clear(&b);
}

static void
on_other(struct evhttp_request *req, void *arg)
{
	(void)arg;
	evhttp_send_error(req, HTTP_NOTFOUND, "Not Found");
}

static const struct {
	const char *path;
	void (*handle)(struct evhttp_request *, void *);
} routes[] = {
    {"/livez", on_live},
    {"/live", on_live},
    {"/readyz", on_ready},
    {"/ready", on_ready},
    {"/healthz", on_ready},
    {"/health", on_ready},
    {"/metrics", on_metrics},
};

struct health *
health_create(const struct health_params *params)
{
	struct health *h = calloc(1, sizeof(*h));
	int fd = params->fd;
	size_t i;

	if (h == NULL || (h->http = evhttp_new(params->base)) == NULL)
		goto fail;
	h->params = *params;
	evhttp_set_timeout(h->http, TIMEOUT_S);
	evhttp_set_max_headers_size(h->http, HEAD_MAX);
	evhttp_set_max_body_size(h->http, 0);
	evhttp_set_allowed_methods(h->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_gencb(h->http, on_other, h);
	for (i = 0; i < UTIL_COUNT(routes); i++)
		(void)evhttp_set_cb(
		    h->http, routes[i].path, routes[i].handle, h);
	if (evhttp_accept_socket(h->http, fd) == 0)
		return h;
fail:
	util_close(&fd);
	if (h != NULL && h->http != NULL)
		evhttp_free(h->http);
	free(h);
	return NULL;
}

void
health_free(struct health *h)
{
	if (h == NULL)
		return;
	evhttp_free(h->http);
	free(h);
}
