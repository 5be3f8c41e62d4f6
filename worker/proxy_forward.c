/* SPDX-License-Identifier: MIT */
/* The conversation with the backend: what goes there, and what comes of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend.h"
#include "log.h"
#include "metrics.h"
#include "proxy_parts.h"
#include "util.h"

/* --- what the backend says ------------------------------------------------ */

static int
on_status(int status, void *arg)
{
	struct proxied *p = arg;

	p->status = status;
	p->entry.heard_us = util_mono_us();
	return proxied_heard(p, status) ? 0 : proxied_collect_status(status, p);
}

static int
on_field(const char *line, size_t len, void *arg)
{
	const struct proxied *p = arg;

	return p->discard ? 0 : proxied_collect_field(line, len, arg);
}

static int
on_body(const void *data, size_t len, void *arg)
{
	const struct proxied *p = arg;

	return p->discard ? 0 : proxied_collect_body(data, len, arg);
}

static int
status_of(enum backend_error error)
{
	switch (error) {
	case BACKEND_CONNECT_TIMEOUT:
	case BACKEND_FIRST_BYTE_TIMEOUT:
	case BACKEND_IDLE_TIMEOUT:
		return 504;
	case BACKEND_MEMORY:
		return 503;
	default:
		return 502;
	}
}

static void
fail(struct proxied *p, enum backend_error error, const char *detail)
{
	const char *code = backend_error_code(error);
	const char *reason = backend_error_text(error);
	int status = status_of(error);

	if (error == BACKEND_ABORTED && p->refusal != NULL) {
		code = p->refusal_code;
		reason = p->refusal;
		status = p->refusal_status;
	}
	p->entry.outcome =
	    status == 504 ? METRICS_TIMEOUT : METRICS_BACKEND_ERROR;
	(void)util_strlcpy(p->detail, detail, sizeof(p->detail));
	proxied_refuse(p, status, code, reason);
}

static void
on_done(enum backend_error error, const char *detail, void *arg)
{
	struct proxied *p = arg;

	if (proxied_tried(p, error))
		return;
	proxied_release(p);
	if (error == BACKEND_OK && proxied_collect_end(p) == -1)
		error = BACKEND_ABORTED;
	if (error != BACKEND_OK)
		fail(p, error, detail);
	else
		proxied_answer(p);
}

static const struct backend_ops backend_ops = {
    on_status,
    on_field,
    on_body,
    on_done,
};

/* --- what plugboard says -------------------------------------------------- */

/* A body that was announced and is not there: Plugboard's own parsers have
 * swallowed it (protocol.md §3). */
static void
note_length(struct proxied *p, int64_t declared, size_t len)
{
	metrics_add(
	    p->owner->params.metrics, METRICS_REQUEST_BYTES, (int64_t)len);
	if (declared < 0 || (uint64_t)declared == len)
		return;
	metrics_add(p->owner->params.metrics, METRICS_DECLARED_LOST, 1);
	log_warnx("request %s: %" PRId64
		  " bytes of body were declared and %zu arrived: plugboard "
		  "parsed the rest away",
	    p->id, declared, len);
}

static bool
wants_length(const char *method, int64_t declared)
{
	return declared >= 0 || strcmp(method, "POST") == 0 ||
	    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

/* Says which codings the application may use, when the configuration does;
 * returns how many fields there are. */
static size_t
set_accept_encoding(struct backend_field *fields, size_t count, const char *say)
{
	size_t i;

	if (say[0] == '\0')
		return count;
	for (i = 0; i < count; i++)
		if (strcasecmp(fields[i].name, "accept-encoding") == 0)
			break;
	fields[i].name = "accept-encoding";
	fields[i].value = say;
	return i < count ? count : count + 1;
}

/* Each call is a span of its own, which is what the application is told. */
static size_t
set_trace(struct backend_field *fields, size_t count, struct proxied *p)
{
	struct trace_fields f;

	if (!trace_call(p->trace, &f))
		return count;
	fields[count++] = (struct backend_field){"traceparent", f.parent};
	if (f.state[0] != '\0')
		fields[count++] = (struct backend_field){"tracestate", f.state};
	return count;
}

struct backend_call *
proxied_call(struct proxied *p)
{
	const struct proxied_out *o = &p->out;
	struct backend_field fields[PROXY_FIELDS_MAX + 3];
	struct backend_request out = {
	    .method = p->method,
	    .target = (const char *)o->target.data,
	    .fields = fields,
	    .body = o->body,
	    .body_len = o->body_len,
	    .send_length = o->send_length,
	    .connect_us = &p->entry.connect_us,
	    .once = !retry_has(&p->owner->retry, p->method),
	};
	size_t i;

	for (i = 0; i < head_count(&o->head); i++) {
		const struct head_field *f = head_field(&o->head, i);

		fields[i].name = f->name;
		fields[i].value = f->value;
	}
	out.field_count =
	    set_accept_encoding(fields, i, p->owner->params.accept_encoding);
	out.field_count = set_trace(fields, out.field_count, p);
	return backend_start(p->owner->params.backend, &out, &backend_ops, p);
}

void
proxied_out_clear(struct proxied_out *o)
{
	head_clear(&o->head);
	buf_clear(&o->target);
	free(o->body);
	o->body = NULL;
}

const char *
proxied_prepare(struct proxied *p, const struct request *r, int *status)
{
	struct proxied_out *o = &p->out;
	int64_t declared = -1;
	const char *reason = proxied_head(p, r, &declared, status);

	if (reason != NULL)
		return reason;
	o->body = malloc(r->body.len + 1);
	if (o->body == NULL) {
		*status = 503;
		return "out of memory";
	}
	if (r->body.len > 0)
		memcpy(o->body, r->body.data, r->body.len);
	o->body_len = r->body.len;
	o->send_length = wants_length(p->method, declared);
	note_length(p, declared, r->body.len);
	return NULL;
}
