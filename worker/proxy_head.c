/* SPDX-License-Identifier: MIT */
/*
 * What of a request's head goes to the backend. Everything is judged here,
 * before a connection is thought of; nothing of it has a say in where the
 * connection goes.
 */
#include "proxy_parts.h"
#include "rules.h"
#include "unsupported.h"

#define TARGET_MAX (256 * 1024)

/* NULL, or what is wrong. */
static const char *
take_fields(struct head *head, const struct request *r)
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
	return it.error;
}

static const char *
admit_client(struct proxied *p)
{
	struct clients *clients = p->owner->clients;
	struct clients_who who;

	clients_who(clients, &p->out.head, &who);
	p->barred = clients_allow(clients, &who);
	if (p->barred == NULL)
		p->barred = clients_take(clients, &who, p->began_ms);
	return p->barred == NULL ? NULL : p->barred->reason;
}

static const char *
admit(struct proxied *p, const struct request *r, int *status)
{
	struct rules_refusal why;

	if (rules_admit(p->owner->params.rules, p->method, r->path, &why))
		return NULL;
	*status = why.status;
	p->refusal_code = why.code;
	p->refusal_field = why.field;
	return why.reason;
}

/* The client's are read, and those of the call will go in their place. */
static bool
is_traced(const char *name, const void *arg)
{
	(void)arg;
	return trace_context_is_field(name);
}

static const char *
finish(struct head *head, int64_t *declared, int *status)
{
	const char *reason = unsupported_request(head);

	if (reason != NULL)
		*status = 501;
	else
		*declared = head_request_finish(head);
	return reason;
}

const char *
proxied_head(
    struct proxied *p, const struct request *r, int64_t *declared, int *status)
{
	struct proxied_out *out = &p->out;
	const char *reason = head_path_fault(r->path);

	head_init(&out->head, PROXY_FIELDS_MAX, PROXY_HEAD_BYTES_MAX);
	buf_init(&out->target, TARGET_MAX);
	*declared = -1;
	if (reason == NULL)
		reason = take_fields(&out->head, r);
	if (reason == NULL)
		reason = admit_client(p);
	if (reason == NULL)
		reason = admit(p, r, status);
	if (reason == NULL)
		reason = finish(&out->head, declared, status);
	if (reason == NULL)
		reason = rules_request(p->owner->params.rules, &out->head);
	if (p->trace != NULL)
		head_filter(&out->head, is_traced, NULL);
	if (reason == NULL &&
	    head_target(&out->target, r->path, r->query) == -1) {
		*status = 414;
		reason = "the request target is too long";
	}
	return reason;
}
