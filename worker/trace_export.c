/* SPDX-License-Identifier: MIT */
/*
 * One batch: attempt → (wait → attempt)… → done. There is one timer: the bound
 * of an attempt, or the end of a wait.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "backend.h"
#include "backoff.h"
#include "buf.h"
#include "conf.h"
#include "metrics.h"
#include "otel.h"
#include "retry_after.h"
#include "timer.h"
#include "trace_export.h"
#include "trace_json.h"
#include "util.h"
#include "version.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 10000
#define WHERE_MAX (URL_HOST_MAX + 20)
#define WHY_MAX 200

struct trace_export {
	struct trace_export_params params;
	struct url url;
	char where[WHERE_MAX];
	char agent[80];
	struct backend *backend;
	struct backend_field field[OTEL_PAIRS_MAX + 2];
	size_t field_count;
	int64_t attempt_ms, batch_ms; /* bounds of either */
	int64_t until_ms;	      /* 0: none yet */
	/* Nothing is sent before: the collector has said so (Retry-After). */
	int64_t silent_ms;

	/* The batch. */
	const uint8_t *body; /* NULL: there is none */
	size_t len;
	int64_t deadline_ms;
	struct backoff backoff;
	struct event *timer;
	bool stale; /* it has met a connection that was closing */

	/* The attempt. */
	struct backend_call *call; /* NULL: it is waited for the next */
	int status;
	int32_t retry_after_s; /* -1: none */
	struct buf answer;
	char why[WHY_MAX];
};

/* --- the end of a batch --------------------------------------------------- */

static void
finish(struct trace_export *x, bool sent, uint64_t rejected)
{
	const struct trace_result result = {sent, rejected, x->why};

	timer_stop(x->timer);
	x->body = NULL;
	x->params.on_done(&result, x->params.arg);
}

static void
wait_ms(struct trace_export *x, int64_t ms)
{
	if (util_mono_ms() + ms >= x->deadline_ms) {
		finish(x, false, 0);
		return;
	}
	metrics_add(x->params.metrics, METRICS_TRACE_RETRIES, 1);
	timer_set_ms(x->timer, ms);
}

/* In a while, or not at all: x->why says why. */
static void
try_again(struct trace_export *x)
{
	int64_t ms = backoff_next(&x->backoff, backoff_random());

	if (x->retry_after_s >= 0) {
		ms = x->retry_after_s * INT64_C(1000) +
		    backoff_spread(BACKOFF_FIRST_MS / 4);
		x->silent_ms = util_mono_ms() + ms;
	}
	wait_ms(x, ms);
}

/* --- the answer ----------------------------------------------------------- */

static bool
is_passing(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* The batch was taken; whether all of it, its answer says. One that cannot be
 * read says nothing. */
static void
taken(struct trace_export *x)
{
	char text[TRACE_JSON_TEXT_MAX];
	uint64_t rejected = 0;

	x->why[0] = '\0';
	if (trace_json_answer(x->answer.data, x->answer.len, &rejected, text) ==
	    -1)
		rejected = 0;
	else if (rejected > 0 || text[0] != '\0')
		(void)util_fmt(x->why, sizeof(x->why), "the collector says: %s",
		    text[0] != '\0' ? text : "no reason");
	finish(x, true, rejected);
}

static void
judge(struct trace_export *x)
{
	if (x->status >= 200 && x->status < 300) {
		taken(x);
		return;
	}
	(void)util_fmt(x->why, sizeof(x->why), "status %d", x->status);
	if (is_passing(x->status))
		try_again(x);
	else
		finish(x, false, 0);
}

static int
on_status(int status, void *arg)
{
	struct trace_export *x = arg;

	x->status = status;
	return 0;
}

static int
on_field(const char *line, size_t len, void *arg)
{
	static const char name[] = "retry-after:";
	struct trace_export *x = arg;
	char text[64];
	size_t n = sizeof(name) - 1;

	if (len <= n || strncasecmp(line, name, n) != 0)
		return 0;
	while (n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	while (len > n && strchr(" \t\r\n", line[len - 1]) != NULL)
		len--;
	if (util_fmt(text, sizeof(text), "%.*s", (int)(len - n), line + n))
		x->retry_after_s =
		    retry_after_parse(text, util_wall_ms() / 1000);
	return 0;
}

/* What is longer than that is nobody's answer: the connection goes. */
static int
on_body(const void *data, size_t len, void *arg)
{
	struct trace_export *x = arg;

	return buf_append(&x->answer, data, len);
}

/* Whether another attempt may find it better. */
static bool
is_unheard(enum backend_error error)
{
	switch (error) {
	case BACKEND_RESOLVE:
	case BACKEND_UNREACHABLE:
	case BACKEND_CONNECT_TIMEOUT:
	case BACKEND_CUT:
	case BACKEND_STALE:
		return true;
	default:
		return false;
	}
}

static void
on_done(enum backend_error error, const char *detail, void *arg)
{
	struct trace_export *x = arg;

	x->call = NULL;
	timer_stop(x->timer);
	/* Once there is a status, what comes behind it changes nothing. */
	if (error == BACKEND_OK || x->status != 0) {
		judge(x);
		return;
	}
	(void)util_fmt(x->why, sizeof(x->why), "%s%s%.120s",
	    backend_error_code(error), detail[0] != '\0' ? ": " : "", detail);
	if (error == BACKEND_STALE && !x->stale) {
		x->stale = true; /* which says nothing about the collector */
		wait_ms(x, 0);
	} else if (is_unheard(error)) {
		try_again(x);
	} else {
		finish(x, false, 0);
	}
}

/* --- attempts ------------------------------------------------------------- */

static const struct backend_ops ops = {on_status, on_field, on_body, on_done};

static void
attempt(struct trace_export *x)
{
	const struct backend_request request = {
	    .method = "POST",
	    .target = x->url.path,
	    .fields = x->field,
	    .field_count = x->field_count,
	    .body = x->body,
	    .body_len = x->len,
	    .send_length = true,
	};
	int64_t left_ms = x->deadline_ms - util_mono_ms();

	x->status = 0;
	x->retry_after_s = -1;
	buf_reset(&x->answer);
	x->call = backend_start(x->backend, &request, &ops, x);
	if (x->call == NULL) {
		(void)util_strlcpy(x->why, "out of memory", sizeof(x->why));
		finish(x, false, 0);
		return;
	}
	timer_set_ms(
	    x->timer, left_ms < x->attempt_ms ? left_ms : x->attempt_ms);
}

/* Now, or when the collector wants to hear of us again. */
static void
begin(struct trace_export *x)
{
	int64_t now_ms = util_mono_ms();

	if (x->silent_ms <= now_ms) {
		attempt(x);
	} else if (x->silent_ms < x->deadline_ms) {
		timer_set_ms(x->timer, x->silent_ms - now_ms);
	} else {
		if (x->why[0] == '\0')
			(void)util_strlcpy(x->why,
			    "it has asked for silence (Retry-After)",
			    sizeof(x->why));
		finish(x, false, 0);
	}
}

static void
on_timer(int fd, short what, void *arg)
{
	struct trace_export *x = arg;

	(void)fd;
	(void)what;
	if (x->call == NULL) {
		begin(x);
		return;
	}
	backend_cancel(x->call);
	x->call = NULL;
	if (x->status != 0) {
		judge(x);
		return;
	}
	(void)util_strlcpy(x->why, "no answer in time", sizeof(x->why));
	try_again(x);
}

void
trace_export_send(struct trace_export *x, const uint8_t *body, size_t len)
{
	int64_t from_ms = util_mono_ms();

	if (from_ms < x->silent_ms)
		from_ms = x->silent_ms;
	x->body = body;
	x->len = len;
	x->stale = false;
	x->why[0] = '\0';
	x->deadline_ms = from_ms + x->batch_ms;
	if (x->until_ms != 0 && x->deadline_ms > x->until_ms)
		x->deadline_ms = x->until_ms;
	backoff_reset(&x->backoff);
	timer_set_ms(x->timer, 0);
}

void
trace_export_hurry(struct trace_export *x, int64_t until_ms)
{
	x->until_ms = until_ms;
	if (x->body == NULL || x->deadline_ms <= until_ms)
		return;
	x->deadline_ms = until_ms;
	/* A wait is cut short: there will not be a better moment. */
	timer_set_ms(x->timer, x->call == NULL ? 0 : until_ms - util_mono_ms());
}

const char *
trace_export_where(const struct trace_export *x)
{
	return x->where;
}

/* --- life ----------------------------------------------------------------- */

static int
add_field(struct trace_export *x, const char *name, const char *value)
{
	struct backend_field *f = &x->field[x->field_count++];

	f->name = strdup(name);
	f->value = strdup(value);
	return f->name != NULL && f->value != NULL ? 0 : -1;
}

static int
set_fields(struct trace_export *x)
{
	const struct conf *conf = x->params.conf;
	const char *text = conf_text(conf,
	    otel_pick(conf, CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS,
		CONF_OTEL_EXPORTER_OTLP_HEADERS));
	struct otel_pair pair;
	int result;

	(void)util_fmt(x->agent, sizeof(x->agent), "telephone/%.60s", version);
	result = add_field(x, "content-type", "application/json");
	if (result == 0)
		result = add_field(x, "user-agent", x->agent);
	while (result == 0 && otel_next_pair(&text, &pair) == 1 &&
	    x->field_count < UTIL_COUNT(x->field))
		result = add_field(x, pair.key, pair.value);
	explicit_bzero(&pair, sizeof(pair)); /* as a rule it is a key */
	return result;
}

static void
make_backend(struct trace_export *x)
{
	const struct backend_params params = {
	    .base = x->params.base,
	    .resolve = x->params.resolve,
	    .tls = x->params.tls,
	    .scheme = x->url.tls ? "https" : "http",
	    .host = x->url.host,
	    .unix_path = "",
	    .port = x->url.port,
	    .connect_timeout_ms = x->attempt_ms,
	    .connections_max = 1,
	    .idle_max = 1,
	};

	x->backend = backend_create(&params);
}

struct trace_export *
trace_export_create(const struct trace_export_params *params)
{
	const struct conf *conf = params->conf;
	struct trace_export *x = calloc(1, sizeof(*x));
	bool v6;

	if (x == NULL)
		return NULL;
	x->params = *params;
	(void)otel_endpoint(conf, &x->url);
	v6 = strchr(x->url.host, ':') != NULL;
	(void)util_fmt(x->where, sizeof(x->where), "%s://%s%s%s:%u",
	    x->url.tls ? "https" : "http", v6 ? "[" : "", x->url.host,
	    v6 ? "]" : "", x->url.port);
	x->attempt_ms = conf_num(conf,
	    otel_pick(conf, CONF_OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
		CONF_OTEL_EXPORTER_OTLP_TIMEOUT));
	x->batch_ms = conf_num(conf, CONF_OTEL_BSP_EXPORT_TIMEOUT);
	x->backoff.initial_ms = BACKOFF_FIRST_MS;
	x->backoff.max_ms = BACKOFF_MOST_MS;
	buf_init(&x->answer, TRACE_EXPORT_ANSWER_MAX);
	x->timer = timer_create_ms(params->base, on_timer, x);
	make_backend(x);
	if (set_fields(x) == -1 || x->backend == NULL) {
		trace_export_free(x);
		return NULL;
	}
	return x;
}

void
trace_export_free(struct trace_export *x)
{
	size_t i;

	if (x == NULL)
		return;
	backend_cancel(x->call);
	backend_free(x->backend);
	timer_clear(&x->timer);
	buf_clear(&x->answer);
	for (i = 0; i < x->field_count; i++) {
		free((char *)(uintptr_t)x->field[i].name);
		free((char *)(uintptr_t)x->field[i].value);
	}
	free(x);
}
