/* SPDX-License-Identifier: MIT */
/*
 * A request is in the list from its arrival until its answer has left whole:
 * that is what "in flight" means, for MAX_INFLIGHT and for a drain.
 *
 * proxy_request → start → backend calls back → finish → the answer stands in
 * the tunnel's queue (call == NULL) → on_answer_end frees the request.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "backend.h"
#include "body.h"
#include "channel.h"
#include "head.h"
#include "log.h"
#include "metrics.h"
#include "plugboard.h"
#include "proxy.h"
#include "request.h"
#include "response.h"
#include "tunnel.h"
#include "util.h"

#define ID_MAX 129
#define METHOD_MAX 33
/* Of one request's head, and of one answer's. */
#define FIELDS_MAX 200
#define HEAD_BYTES_MAX (128 * 1024)
#define TARGET_MAX (256 * 1024)

struct proxied {
	TAILQ_ENTRY(proxied) entry;
	struct proxy *owner;
	struct tunnel *tunnel; /* NULL: its join is over */
	char id[ID_MAX];
	char method[METHOD_MAX];
	struct backend_call *call;
	uint8_t *sent; /* body, as long as the call may read it */
	int64_t began_ms;
	int status;
	struct head head;
	struct body *body;
	struct response *response; /* being sent */
	const char *refusal;	   /* why we aborted the backend's answer */
	const char *refusal_code;
	char refusal_text[96]; /* where the reason is not a constant */
};

struct proxy {
	struct proxy_params params;
	TAILQ_HEAD(proxied_list, proxied) list;
	size_t in_flight;
	uint64_t count, failures;
	int64_t last_ms;
};

/* --- the end of a request ------------------------------------------------- */

static void
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
	if (owner->in_flight == 0)
		owner->params.on_idle(owner->params.arg);
}

static size_t
read_answer(void *arg, uint8_t *out, size_t cap, bool *done)
{
	struct proxied *p = arg;

	return response_read(p->response, out, cap, done);
}

static void
on_answer_end(void *arg, bool sent)
{
	struct proxied *p = arg;

	if (!sent) {
		metrics_add(p->owner->params.metrics, METRICS_REQUESTS_LOST, 1);
		log_info("request %s: the tunnel ended before its answer was "
			 "sent",
		    p->id);
	}
	proxied_free(p);
}

static void
send_answer(struct proxied *p, struct response *response)
{
	struct outbox_message message = {
	    .read = read_answer,
	    .end = on_answer_end,
	    .arg = p,
	};

	p->response = response;
	if (response == NULL || p->tunnel == NULL) {
		on_answer_end(p, false);
		return;
	}
	message.len = response_estimate(response);
	plugboard_send(tunnel_plugboard(p->tunnel), &message, false);
}

/* Nothing else, not even a heartbeat, can go between the fragments of an
 * answer: one that would hold the tunnel for too long is not begun. */
static bool
is_too_slow(const struct proxied *p, const struct response *response)
{
	const struct pace *pace = plugboard_pace(tunnel_plugboard(p->tunnel));

	return pace_project_ms(pace, response_estimate(response),
		   util_mono_ms()) > p->owner->params.send_max_ms;
}

static void
fill_params(const struct proxied *p, struct response_params *params,
    char ref[CHANNEL_REF_MAX])
{
	struct channel *channel = tunnel_channel(p->tunnel);

	memset(params, 0, sizeof(*params));
	params->join_ref = channel_join_ref(channel);
	params->ref = channel_next_ref(channel, ref);
	params->topic = channel_topic(channel);
	params->request_id = p->id;
	params->chunk_max = p->owner->params.chunk_max;
}

/* Answers with an error of our own. */
static void
refuse(struct proxied *p, int status, const char *code, const char *reason)
{
	struct response_params params;
	char ref[CHANNEL_REF_MAX];

	p->owner->failures++;
	if (p->tunnel == NULL) {
		on_answer_end(p, false);
		return;
	}
	fill_params(p, &params, ref);
	params.status = status;
	send_answer(p, response_error(&params, code, reason));
}

static void
refuse_slow(struct proxied *p)
{
	static const char reason[] =
	    "the answer would take longer than MAX_SEND_TIME to send";

	metrics_add(p->owner->params.metrics, METRICS_REQUESTS_REFUSED, 1);
	log_warnx("request %s: refused with 503: tunnel_too_slow: %s at what "
		  "the connection to plugboard gave lately",
	    p->id, reason);
	refuse(p, 503, "tunnel_too_slow", reason);
}

static void
answer(struct proxied *p)
{
	struct response_params params;
	struct response *response;
	char ref[CHANNEL_REF_MAX];

	if (p->tunnel == NULL) {
		on_answer_end(p, false);
		return;
	}
	fill_params(p, &params, ref);
	params.status = p->status;
	params.head = &p->head;
	params.body = p->body;
	p->body = NULL; /* the response owns it now */
	response = response_create(&params);
	if (response != NULL && is_too_slow(p, response)) {
		response_free(response);
		refuse_slow(p);
		return;
	}
	metrics_add(p->owner->params.metrics, METRICS_REQUESTS_OK, 1);
	log_debug("request %s: %d in %" PRId64 " ms", p->id, p->status,
	    util_mono_ms() - p->began_ms);
	send_answer(p, response);
}

/* --- what the backend says ------------------------------------------------ */

static int
abort_with(struct proxied *p, const char *code, const char *reason)
{
	p->refusal_code = code;
	p->refusal = reason;
	return -1;
}

static int
on_status(int status, void *arg)
{
	struct proxied *p = arg;

	p->status = status;
	if (head_status_known(status))
		return 0;
	(void)util_fmt(p->refusal_text, sizeof(p->refusal_text),
	    "the application answered with status %d, which plugboard cannot "
	    "pass on",
	    status);
	return abort_with(p, "backend_status", p->refusal_text);
}

static int
on_field(const char *line, size_t len, void *arg)
{
	struct proxied *p = arg;
	const char *reason = head_response_add(&p->head, line, len);

	return reason == NULL ? 0 : abort_with(p, "backend_malformed", reason);
}

static int
on_body(const void *data, size_t len, void *arg)
{
	struct proxied *p = arg;

	metrics_add(
	    p->owner->params.metrics, METRICS_RESPONSE_BYTES, (int64_t)len);
	if (body_append(p->body, data, len) == 0)
		return 0;
	return abort_with(p, "response_too_large",
	    "the application's answer is longer than MAX_RESPONSE_SIZE");
}

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

	if (error == BACKEND_ABORTED && p->refusal != NULL) {
		code = p->refusal_code;
		reason = p->refusal;
	}
	metrics_add(p->owner->params.metrics,
	    error == BACKEND_TIMEOUT ? METRICS_REQUESTS_TIMEOUT
				     : METRICS_REQUESTS_BACKEND,
	    1);
	log_warnx("request %s: %s: %s%s%s%s, after %" PRId64 " ms", p->id, code,
	    reason, detail[0] != '\0' ? " (" : "", detail,
	    detail[0] != '\0' ? ")" : "", util_mono_ms() - p->began_ms);
	refuse(p, status_of(error), code, reason);
}

static void
on_done(enum backend_error error, const char *detail, void *arg)
{
	struct proxied *p = arg;
	size_t cookies;

	p->call = NULL;
	free(p->sent);
	p->sent = NULL;
	if (error == BACKEND_OK && p->status == 0)
		error = BACKEND_MALFORMED;
	if (error != BACKEND_OK) {
		fail(p, error, detail);
		return;
	}
	cookies = head_response_finish(&p->head);
	if (cookies > 0) {
		metrics_add(p->owner->params.metrics, METRICS_SET_COOKIE_LOST,
		    (int64_t)cookies);
		log_warnx("request %s: %zu further Set-Cookie fields were "
			  "dropped: plugboard carries only one",
		    p->id, cookies);
	}
	answer(p);
}

static const struct backend_ops backend_ops = {
    on_status,
    on_field,
    on_body,
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

/* The fields of the request, checked. NULL, or what is wrong. */
static const char *
take_fields(struct head *head, const struct request *r, int64_t *declared)
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
	*declared = head_request_finish(head);
	return NULL;
}

static bool
wants_length(const char *method, int64_t declared)
{
	return declared >= 0 || strcmp(method, "POST") == 0 ||
	    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static struct backend_call *
call_backend(struct proxied *p, const struct head *head, const char *target,
    size_t body_len, bool send_length)
{
	struct backend_field fields[FIELDS_MAX];
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
	out.field_count = i;
	return backend_start(p->owner->params.backend, &out, &backend_ops, p);
}

/* The request as it goes to the backend. NULL, or what is wrong with it;
 * *status says whose fault that is. */
static const char *
start(struct proxied *p, const struct request *r, int *status)
{
	struct buf target;
	struct head head;
	int64_t declared = -1;
	const char *reason;

	head_init(&head, FIELDS_MAX, HEAD_BYTES_MAX);
	buf_init(&target, TARGET_MAX);
	reason = take_fields(&head, r, &declared);
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

static struct proxied *
proxied_create(
    struct proxy *proxy, struct tunnel *tunnel, const struct request *r)
{
	struct proxied *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->body = body_create(proxy->params.response_max);
	if (p->body == NULL) {
		free(p);
		return NULL;
	}
	p->owner = proxy;
	p->tunnel = tunnel;
	p->began_ms = util_mono_ms();
	head_init(&p->head, FIELDS_MAX, HEAD_BYTES_MAX);
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
	    {503, "overloaded"},
	};
	const char *code = "bad_request";
	size_t i;

	for (i = 0; i < UTIL_COUNT(codes); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	metrics_add(p->owner->params.metrics, METRICS_REQUESTS_REFUSED, 1);
	log_warnx("request %s: refused with %d: %s", p->id, status, reason);
	refuse(p, status, code, reason);
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
		reason = start(p, &r, &status);
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
			on_answer_end(p, false);
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
