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
		reason = admit(p, r, status);
	if (reason == NULL)
		reason = take_fields(&out->head, r, declared, status);
	if (reason == NULL)
		reason = rules_request(p->owner->params.rules, &out->head);
	if (reason == NULL &&
	    head_target(&out->target, r->path, r->query) == -1) {
		*status = 414;
		reason = "the request target is too long";
	}
	return reason;
}
