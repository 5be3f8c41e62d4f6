/* SPDX-License-Identifier: MIT */
/* The conversation with the backend: what goes there, and what comes of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend.h"
#include "body.h"
#include "log.h"
#include "metrics.h"
#include "proxy_parts.h"
#include "unsupported.h"
#include "util.h"

#define TARGET_MAX (256 * 1024)

/* --- what the backend says ------------------------------------------------ */

static int
status_of(enum backend_error error)
{
	switch (error) {
	case BACKEND_TIMEOUT:
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
	} else if (error == BACKEND_TIMEOUT && p->status != 0) {
		code = "backend_unfinished";
		reason = "the application's answer did not end in time: "
			 "plugboard passes an answer on only when it is whole, "
			 "so this wire cannot stream";
	}
	metrics_add(p->owner->params.metrics,
	    error == BACKEND_TIMEOUT ? METRICS_REQUESTS_TIMEOUT
				     : METRICS_REQUESTS_BACKEND,
	    1);
	log_warnx("request %s: %s: %s%s%s%s, after %" PRId64 " ms", p->id, code,
	    reason, detail[0] != '\0' ? " (" : "", detail,
	    detail[0] != '\0' ? ")" : "", util_mono_ms() - p->began_ms);
	proxied_refuse(p, status, code, reason);
}

static void
on_done(enum backend_error error, const char *detail, void *arg)
{
	struct proxied *p = arg;

	p->call = NULL;
	free(p->sent);
	p->sent = NULL;
	if (error == BACKEND_OK && proxied_collect_end(p) == -1)
		error = BACKEND_ABORTED;
	if (error != BACKEND_OK) {
		fail(p, error, detail);
		return;
	}
	proxied_answer(p);
}

static const struct backend_ops backend_ops = {
    proxied_collect_status,
    proxied_collect_field,
    proxied_collect_body,
    on_done,
};

/* --- what plugboard says -------------------------------------------------- */

/* A body that was announced and is not there: Plugboard's own parsers have
 * swallowed it (PROTOCOL.md §3). */
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

/* The fields of the request, checked. NULL, or what is wrong and, when it is
 * not a 400, whose fault. */
static const char *
take_fields(
    struct head *head, const struct request *r, int64_t *declared, int *status)
{
	struct request_fields it;
	struct json_str name, value;
	const char *reason;

	request_fields_init(&it, r);
	while (request_next_field(&it, &name, &value)) {
		reason = head_request_add(head, name, value);
		if (reason != NULL)
			return reason;
	}
	if (it.error != NULL)
		return it.error;
	reason = unsupported_request(head);
	if (reason != NULL) {
		*status = 501;
		return reason;
	}
	*declared = head_request_finish(head);
	return NULL;
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

static struct backend_call *
call_backend(struct proxied *p, const struct head *head, const char *target,
    size_t body_len, bool send_length)
{
	struct backend_field fields[PROXY_FIELDS_MAX + 1];
	struct backend_request out = {
	    .method = p->method,
	    .target = target,
	    .fields = fields,
	    .body = p->sent,
	    .body_len = body_len,
	    .send_length = send_length,
	};
	size_t i;

	for (i = 0; i < head_count(head); i++) {
		const struct head_field *f = head_field(head, i);

		fields[i].name = f->name;
		fields[i].value = f->value;
	}
	out.field_count =
	    set_accept_encoding(fields, i, p->owner->params.accept_encoding);
	return backend_start(p->owner->params.backend, &out, &backend_ops, p);
}

const char *
proxied_forward(struct proxied *p, const struct request *r, int *status)
{
	struct buf target;
	struct head head;
	int64_t declared = -1;
	const char *reason;

	head_init(&head, PROXY_FIELDS_MAX, PROXY_HEAD_BYTES_MAX);
	buf_init(&target, TARGET_MAX);
	reason = take_fields(&head, r, &declared, status);
	if (reason == NULL && head_target(&target, r->path, r->query) == -1) {
		*status = 414;
		reason = "the request target is too long";
	}
	if (reason == NULL) {
		p->sent = malloc(r->body.len + 1);
		if (p->sent != NULL) {
			if (r->body.len > 0)
				memcpy(p->sent, r->body.data, r->body.len);
			note_length(p, declared, r->body.len);
			p->call = call_backend(p, &head, (char *)target.data,
			    r->body.len, wants_length(p->method, declared));
		}
		if (p->call == NULL) {
			*status = 503;
			reason = "out of memory";
		}
	}
	buf_clear(&target);
	head_clear(&head);
	return reason;
}
