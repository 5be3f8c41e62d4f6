/* SPDX-License-Identifier: MIT */
/* The two steps of reach.h, one after the other. */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "dial.h"
#include "reach.h"
#include "util.h"
#include "via.h"

struct reach {
	struct reach_params params;
	int64_t until_ms;
	struct dial *dial;
	struct via *via;
	struct reach_result result; /* fd: ours until it is handed over */
};

bool
reach_choose(
    struct proxy_url *proxy, const struct conf *conf, const struct url *url)
{
	const char *text =
	    conf_text(conf, url->tls ? CONF_HTTPS_PROXY : CONF_HTTP_PROXY);

	if (text[0] == '\0' || proxy_url_parse(proxy, text) != NULL)
		return false; /* conf.c has accepted it */
	return !proxy_url_is_exempt(conf_text(conf, CONF_NO_PROXY), url->host);
}

void
reach_cancel(struct reach *r)
{
	if (r == NULL)
		return;
	dial_cancel(r->dial);
	via_cancel(r->via);
	util_close(&r->result.fd);
	free(r);
}

static void
finish(struct reach *r)
{
	struct reach_result result = r->result;
	reach_cb *cb = r->params.cb;
	void *arg = r->params.arg;

	if (result.reason == PROTO_REASON_NONE)
		r->result.fd = -1;
	else
		result.fd = -1;
	reach_cancel(r);
	cb(&result, arg);
}

static void
fail(struct reach *r, enum proto_reason reason, const char *text)
{
	r->result.reason = reason;
	r->result.text = text;
	finish(r);
}

static void
on_via(const struct via_result *result, void *arg)
{
	struct reach *r = arg;

	r->via = NULL;
	r->result.detail = result->detail;
	fail(r, result->reason, result->text);
}

/* The proxy's own troubles, which must not be taken for Plugboard's. */
static enum proto_reason
reason_of_proxy(enum proto_reason reason)
{
	return reason == PROTO_REASON_TIMEOUT ? PROTO_REASON_PROXY_TIMEOUT
					      : PROTO_REASON_PROXY_UNREACHABLE;
}

static void
start_via(struct reach *r)
{
	struct via_params params = {
	    .base = r->params.base,
	    .fd = r->result.fd,
	    .host = r->params.url->host,
	    .port = r->params.url->port,
	    .user = r->params.proxy->user,
	    .timeout_ms = r->until_ms - util_mono_ms(),
	    .cb = on_via,
	    .arg = r,
	};

	if (params.timeout_ms < 1)
		params.timeout_ms = 1;
	r->via = via_start(&params);
	if (r->via == NULL)
		fail(r, PROTO_REASON_PROXY_FAILED, "out of memory");
}

static void
on_dialled(const struct dial_result *result, void *arg)
{
	struct reach *r = arg;

	r->dial = NULL;
	r->result.fd = result->fd;
	memcpy(r->result.addr, result->addr, sizeof(r->result.addr));
	if (result->reason != PROTO_REASON_NONE)
		fail(r,
		    r->params.proxy == NULL ? result->reason
					    : reason_of_proxy(result->reason),
		    result->error);
	else if (r->params.proxy == NULL)
		finish(r);
	else
		start_via(r);
}

struct reach *
reach_start(const struct reach_params *params)
{
	const struct proxy_url *proxy = params->proxy;
	struct dial_params dial = {
	    .base = params->base,
	    .resolve = params->resolve,
	    .host = proxy == NULL ? params->url->host : proxy->host,
	    .port = proxy == NULL ? params->url->port : proxy->port,
	    .timeout_ms = params->timeout_ms,
	    .cb = on_dialled,
	};
	struct reach *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->params = *params;
	r->until_ms = util_mono_ms() + params->timeout_ms;
	r->result.fd = -1;
	r->result.port = dial.port;
	dial.arg = r;
	r->dial = dial_start(&dial);
	if (r->dial == NULL) {
		reach_cancel(r);
		return NULL;
	}
	return r;
}
