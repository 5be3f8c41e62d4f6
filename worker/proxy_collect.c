/* SPDX-License-Identifier: MIT */
/*
 * The application's answer as it comes in: kept, and judged as soon as it is
 * known that it cannot be passed on, so that nothing is fetched in vain.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "log.h"
#include "metrics.h"
#include "proxy_parts.h"
#include "rules.h"
#include "spool.h"
#include "util.h"

static int
refuse(struct proxied *p, int status, const char *code, const char *reason)
{
	p->refusal_status = status;
	p->refusal_code = code;
	p->refusal = reason;
	return -1;
}

int
proxied_collect_status(int status, void *arg)
{
	struct proxied *p = arg;

	p->status = status;
	if (head_status_known(status))
		return 0;
	(void)util_fmt(p->refusal_text, sizeof(p->refusal_text),
	    "the application answered with status %d, which plugboard cannot "
	    "pass on",
	    status);
	return refuse(p, 502, "backend_status", p->refusal_text);
}

/* --- fields --------------------------------------------------------------- */

static int
refuse_size(struct proxied *p)
{
	return refuse(p, 502, "response_too_large",
	    "the application's answer is longer than MAX_RESPONSE_SIZE");
}

/* A Content-Length that speaks of bytes which will come (RFC 9110 §8.6). */
static bool
is_declared_too_long(const struct proxied *p)
{
	return p->head.length >= 0 && !head_status_is_bodiless(p->status) &&
	    strcmp(p->method, "HEAD") != 0 &&
	    (uint64_t)p->head.length > p->response_max;
}

static bool
is_event_stream(const struct proxied *p)
{
	static const char type[] = "text/event-stream";
	const struct head_field *f = head_find(&p->head, "content-type");

	return f != NULL &&
	    strncasecmp(f->value, type, sizeof(type) - 1) == 0 &&
	    strchr("; \t", f->value[sizeof(type) - 1]) != NULL;
}

int
proxied_collect_field(const char *line, size_t len, void *arg)
{
	struct proxied *p = arg;
	const char *reason = head_response_add(&p->head, line, len);

	proxied_count(p);
	if (reason != NULL)
		return refuse(p, 502, "backend_field", reason);
	if (!memory_has(&p->owner->memory, 0))
		return refuse(p, 503, "memory_full",
		    "what telephone holds has reached MEMORY_MAX");
	if (is_declared_too_long(p))
		return refuse_size(p);
	if (p->owner->params.event_stream_refuse && is_event_stream(p))
		return refuse(p, 501, "event_stream",
		    "the application answers with an event stream, and "
		    "plugboard passes an answer on only when it is whole");
	return 0;
}

/* --- body ----------------------------------------------------------------- */

/* What is no text costs plugboard several times its size. */
static int
check_binary(struct proxied *p)
{
	const struct proxy_params *params = &p->owner->params;

	if (params->binary_refuse)
		return refuse(p, 502, "binary_body",
		    "the application's answer is not UTF-8, which "
		    "BINARY_BODIES refuses");
	if (body_len(p->body) > params->binary_max)
		return refuse(p, 502, "binary_body_too_large",
		    "the application's answer is not UTF-8 and longer than "
		    "BINARY_BODY_MAX");
	return 0;
}

void
proxied_note_spool(const struct proxy *proxy)
{
	const struct proxy_params *params = &proxy->params;

	if (params->spool != NULL)
		metrics_set(params->metrics, METRICS_SPOOL_BYTES,
		    (int64_t)spool_used(params->spool));
}

/* Why body_append does not take more. */
static int
refuse_body(struct proxied *p)
{
	switch (errno) {
	case EFBIG:
		return refuse_size(p);
	case EDQUOT:
		return refuse(p, 503, "spool_full",
		    "answers that wait to be sent take up SPOOL_MAX already");
	case ENOMEM:
		return refuse(p, 503, "out_of_memory", "out of memory");
	default:
		break;
	}
	log_warn("request %s: the spool cannot be written", p->id);
	return refuse(p, 503, "spool_failed",
	    "a long answer cannot be put aside: the disk is full or fails");
}

int
proxied_collect_body(const void *data, size_t len, void *arg)
{
	struct proxied *p = arg;

	metrics_add(
	    p->owner->params.metrics, METRICS_RESPONSE_BYTES, (int64_t)len);
	if (body_append(p->body, data, len) == -1)
		return refuse_body(p);
	if (body_is_spooled(p->body))
		proxied_note_spool(p->owner);
	return body_is_binary(p->body) ? check_binary(p) : 0;
}

/* --- the end -------------------------------------------------------------- */

/* Its head, ready to be sent. */
static int
finish_head(struct proxied *p)
{
	const struct rules *rules = p->owner->params.rules;
	size_t cookies = head_response_finish(&p->head);
	const char *reason = rules_response(rules, &p->head);

	if (reason != NULL)
		return refuse(p, 502, "backend_field", reason);
	if (cookies == 0 || head_find(&p->head, "set-cookie") == NULL)
		return 0;
	metrics_add(p->owner->params.metrics, METRICS_SET_COOKIE_LOST,
	    (int64_t)cookies);
	if (rules_refuses_cookies(rules))
		return refuse(p, 502, "set_cookie_overflow",
		    "the application's answer has several Set-Cookie fields, "
		    "and plugboard carries only one");
	log_warnx("request %s: %zu further Set-Cookie fields were dropped: "
		  "plugboard carries only one",
	    p->id, cookies);
	return 0;
}

int
proxied_collect_end(struct proxied *p)
{
	if (!body_is_text(p->body) && check_binary(p) == -1)
		return -1; /* its last character is unfinished */
	return finish_head(p);
}

int
proxied_collect_begin(struct proxied *p)
{
	const struct proxy_params *params = &p->owner->params;
	struct body_params body = {
	    .max = p->response_max,
	    .memory_max = params->buffer_max,
	    .spool = params->spool,
	    .memory = &p->owner->memory,
	};

	head_clear(&p->head);
	head_init(&p->head, PROXY_FIELDS_MAX, PROXY_HEAD_BYTES_MAX);
	body_free(p->body);
	p->body = body_create(&body);
	p->status = 0;
	p->refusal_status = 0;
	p->refusal = p->refusal_code = NULL;
	return p->body == NULL ? -1 : 0;
}
