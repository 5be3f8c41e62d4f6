/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of an exchange until it ends, and the spans that are made
 * of it then: attributes by OpenTelemetry's semantic conventions for HTTP, and
 * some of our own below telephone.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "head.h"
#include "ledger.h"
#include "trace_parts.h"
#include "util.h"

/* BACKEND_RETRIES at its highest, and the first. */
#define CALLS_MAX 6
#define STATUS_TEXT_MAX 12
#define PATH_MAX_LEN (3 * LEDGER_PATH_MAX + 2)

struct call {
	uint8_t id[TRACE_SPAN_ID_LEN];
	int64_t begin_us, end_us; /* 0: not yet */
	int status;
	const char *error;
};

struct retry {
	int64_t at_us, delay_ms;
	int status;
	const char *error;
};

struct trace_exchange {
	struct trace *owner;
	struct trace_parent parent;
	uint8_t trace_id[TRACE_ID_LEN], span_id[TRACE_SPAN_ID_LEN];
	uint8_t flags;
	bool sampled;
	int64_t began_us, wall_us; /* the same moment on either clock */
	unsigned calls, retries;
	struct call call[CALLS_MAX];
	struct retry retry[CALLS_MAX];
	char field[TRACE_PARENT_LEN + 1];
};

/* --- beginnings ----------------------------------------------------------- */

/* Never all zero, which would be none (W3C §3.2.2.4). */
static void
make_id(struct trace *t, uint8_t *id, size_t len)
{
	uint8_t all = 0;
	size_t i;

	if (t->pool_left < len) {
		util_random(t->pool, sizeof(t->pool));
		t->pool_left = sizeof(t->pool);
	}
	t->pool_left -= len;
	memcpy(id, t->pool + t->pool_left, len);
	for (i = 0; i < len; i++)
		all |= id[i];
	id[0] |= (uint8_t)(all == 0);
}

static void
note_ids(const struct trace_exchange *x, struct ledger_entry *e)
{
	memcpy(e->trace_id, x->trace_id, sizeof(e->trace_id));
	memcpy(e->span_id, x->span_id, sizeof(e->span_id));
	if (x->parent.valid)
		memcpy(e->parent_id, x->parent.span_id, sizeof(e->parent_id));
	e->traced = true;
}

struct trace_exchange *
trace_begin(
    struct trace *t, const struct trace_parent *parent, struct ledger_entry *e)
{
	struct trace_exchange *x = t == NULL ? NULL : malloc(sizeof(*x));

	if (x == NULL)
		return NULL;
	x->owner = t;
	x->began_us = util_mono_us();
	x->wall_us = util_wall_us();
	x->calls = x->retries = 0;
	x->parent.valid = parent->valid;
	x->parent.state[0] = '\0';
	if (parent->valid) {
		x->parent = *parent;
		memcpy(x->trace_id, parent->trace_id, sizeof(x->trace_id));
		x->flags = parent->flags & TRACE_RANDOM;
	} else {
		make_id(t, x->trace_id, sizeof(x->trace_id));
		x->flags = TRACE_RANDOM;
	}
	make_id(t, x->span_id, sizeof(x->span_id));
	x->sampled = trace_sampler_takes(&t->sampler, &x->parent, x->trace_id);
	if (x->sampled)
		x->flags |= TRACE_SAMPLED;
	note_ids(x, e);
	return x;
}

void
trace_forget(struct trace_exchange *x)
{
	free(x);
}

bool
trace_has_parent(const struct trace_exchange *x, const struct trace_parent *p)
{
	return x == NULL || trace_context_same(&x->parent, p);
}

/* --- calls ---------------------------------------------------------------- */

bool
trace_call(struct trace_exchange *x, struct trace_fields *fields)
{
	struct call *c;

	if (x == NULL)
		return false;
	trace_called(x, 0, "cancelled");
	if (x->calls == CALLS_MAX)
		x->calls--; /* there are none such: the last one counts */
	c = &x->call[x->calls++];
	memset(c, 0, sizeof(*c));
	make_id(x->owner, c->id, sizeof(c->id));
	c->begin_us = util_mono_us();
	trace_context_format(x->field, x->trace_id, c->id, x->flags);
	fields->parent = x->field;
	fields->state = x->parent.state;
	return true;
}

void
trace_called(struct trace_exchange *x, int status, const char *error)
{
	struct call *c;

	if (x == NULL || x->calls == 0)
		return;
	c = &x->call[x->calls - 1];
	if (c->end_us != 0)
		return;
	c->end_us = util_mono_us();
	c->status = status;
	c->error = error;
}

void
trace_retry(
    struct trace_exchange *x, int status, const char *error, int64_t delay_ms)
{
	struct retry *r;

	if (x == NULL || x->retries == CALLS_MAX)
		return;
	r = &x->retry[x->retries++];
	r->at_us = util_mono_us();
	r->status = status;
	r->error = error;
	r->delay_ms = delay_ms;
}

/* --- spans ---------------------------------------------------------------- */

/* What all spans of an exchange say. */
struct said {
	const char *method, *original; /* original: of one that is "_OTHER" */
	char path[PATH_MAX_LEN];
	char url[URL_HOST_MAX + 20 + PATH_MAX_LEN];
};

static bool
is_known(const char *method)
{
	static const char *const known[] = {"CONNECT", "DELETE", "GET", "HEAD",
	    "OPTIONS", "PATCH", "POST", "PUT", "TRACE"};
	size_t i;

	for (i = 0; i < UTIL_COUNT(known); i++)
		if (strcmp(known[i], method) == 0)
			return true;
	return false;
}

static void
say_method(struct said *s, const struct ledger_entry *e)
{
	s->original = NULL;
	s->method = e->ws ? "GET" : e->method;
	if (is_known(s->method))
		return;
	s->original = s->method[0] != '\0' ? s->method : NULL;
	s->method = "_OTHER";
}

/* As it goes to the application, and without a query: that of a request was
 * decoded, a WebSocket's never was. */
static void
say_path(struct said *s, const struct ledger_entry *e)
{
	struct json_str path = {(uint8_t *)(uintptr_t)e->path, strlen(e->path)};
	struct json_str none = {NULL, 0};
	struct buf b;

	if (e->ws) {
		(void)util_strlcpy(s->path, e->path, sizeof(s->path));
		return;
	}
	buf_init(&b, sizeof(s->path));
	if (path.len > 0 && head_target(&b, path, none) == 0)
		(void)util_strlcpy(s->path, (char *)b.data, sizeof(s->path));
	else
		s->path[0] = '\0';
	buf_clear(&b);
}

static const char *
text_of_status(int status, char space[STATUS_TEXT_MAX])
{
	(void)util_fmt(space, STATUS_TEXT_MAX, "%d", status);
	return space;
}

static int64_t
wall_of(const struct trace_exchange *x, int64_t us)
{
	return x->wall_us + (us - x->began_us);
}

static void
put_span(struct trace_exchange *x, struct trace_span *s)
{
	struct trace *t = x->owner;

	s->trace_id = x->trace_id;
	s->flags = x->flags;
	s->state = x->parent.state;
	buf_reset(&t->span);
	(void)trace_json_span(&t->span, s);
	trace_put(t);
}

static const char *
name_of(const struct said *said)
{
	return said->method[0] == '_' ? "HTTP" : said->method;
}

static void
put_call(struct trace_exchange *x, const struct said *said, unsigned i)
{
	const struct call *c = &x->call[i];
	const struct trace_place *place = &x->owner->backend;
	char space[STATUS_TEXT_MAX];
	bool failed = c->error != NULL || c->status >= 400;
	const struct trace_attr attrs[] = {
	    {"http.request.method", said->method, 0},
	    {"http.request.method_original", said->original, -1},
	    {"url.full", said->url, 0},
	    {"server.address", place->host, 0},
	    {"server.port", NULL, place->port},
	    {"http.response.status_code", NULL, c->status > 0 ? c->status : -1},
	    {"http.request.resend_count", NULL, i > 0 ? (int64_t)i : -1},
	    {"error.type",
		!failed		       ? NULL
		    : c->error != NULL ? c->error
				       : text_of_status(c->status, space),
		-1},
	};
	struct trace_span span = {
	    .span_id = c->id,
	    .parent_id = x->span_id,
	    .name = name_of(said),
	    .kind = TRACE_KIND_CLIENT,
	    .begin_us = wall_of(x, c->begin_us),
	    .end_us = wall_of(x, c->end_us),
	    .attrs = attrs,
	    .attr_count = UTIL_COUNT(attrs),
	    .error = failed,
	};

	put_span(x, &span);
}

#define RETRY_ATTRS 3

struct retries {
	struct trace_event event[CALLS_MAX];
	struct trace_attr attr[CALLS_MAX][RETRY_ATTRS];
	char status[CALLS_MAX][STATUS_TEXT_MAX];
};

static void
say_retries(struct retries *all, const struct trace_exchange *x)
{
	unsigned i;

	for (i = 0; i < x->retries; i++) {
		const struct retry *r = &x->retry[i];
		struct trace_attr *a = all->attr[i];

		a[0] = (struct trace_attr){"error.type",
		    r->error != NULL
			? r->error
			: text_of_status(r->status, all->status[i]),
		    0};
		a[1] = (struct trace_attr){
		    "http.request.resend_count", NULL, (int64_t)i + 1};
		a[2] = (struct trace_attr){
		    "telephone.retry.delay_ms", NULL, r->delay_ms};
		all->event[i] = (struct trace_event){
		    "retry", wall_of(x, r->at_us), a, RETRY_ATTRS};
	}
}

/* By the conventions a 4xx is no error of the server's. */
static bool
is_error(const struct ledger_entry *e)
{
	if (e->ws)
		return e->cause != NULL;
	return e->status == 0 || e->status >= 500;
}

static void
put_server(struct trace_exchange *x, const struct said *said,
    const struct ledger_entry *e, const struct retries *retries)
{
	const struct trace_place *place = &x->owner->plugboard;
	char space[STATUS_TEXT_MAX];
	bool failed = is_error(e), is_open = e->ws && e->heard_us != 0;
	int status = !e->ws ? e->status : is_open ? 101 : 0;
	const struct trace_attr attrs[] = {
	    {"http.request.method", said->method, 0},
	    {"http.request.method_original", said->original, -1},
	    {"url.path", said->path[0] != '\0' ? said->path : NULL, -1},
	    {"url.scheme", place->scheme, 0},
	    {"server.address", place->host, 0},
	    {"server.port", NULL, place->port},
	    {"network.protocol.name", e->ws ? "websocket" : NULL, -1},
	    {"http.response.status_code", NULL, status > 0 ? status : -1},
	    {"error.type",
		!failed		       ? NULL
		    : e->cause != NULL ? e->cause
				       : text_of_status(e->status, space),
		-1},
	    {e->ws ? "telephone.connection_id" : "telephone.request_id", e->id,
		0},
	    {"telephone.tunnel", NULL, e->tunnel},
	    {"telephone.outcome", ledger_outcome_name(e), 0},
	    {"telephone.cause", e->cause, -1},
	    {"telephone.websocket.close_code", NULL,
		e->ws && e->status > 0 ? e->status : -1},
	    {"telephone.websocket.messages_in", NULL,
		e->ws ? (int64_t)e->messages_in : -1},
	    {"telephone.websocket.messages_out", NULL,
		e->ws ? (int64_t)e->messages_out : -1},
	};
	struct trace_span span = {
	    .span_id = x->span_id,
	    .parent_id = x->parent.valid ? x->parent.span_id : NULL,
	    .remote = true,
	    .name = name_of(said),
	    .kind = TRACE_KIND_SERVER,
	    .begin_us = x->wall_us,
	    .end_us = wall_of(x, e->ended_us),
	    .attrs = attrs,
	    .attr_count = UTIL_COUNT(attrs),
	    .events = retries->event,
	    .event_count = x->retries,
	    .error = failed,
	};

	put_span(x, &span);
}

void
trace_end(struct trace_exchange *x, const struct ledger_entry *e)
{
	struct retries retries;
	struct said said;
	unsigned i;

	if (x == NULL)
		return;
	if (x->sampled) {
		trace_called(x, 0, "cancelled");
		say_method(&said, e);
		say_path(&said, e);
		(void)util_fmt(said.url, sizeof(said.url), "%s%s",
		    x->owner->backend.base, said.path);
		for (i = 0; i < x->calls; i++)
			put_call(x, &said, i);
		say_retries(&retries, x);
		put_server(x, &said, e, &retries);
	}
	free(x);
}
