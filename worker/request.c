/* SPDX-License-Identifier: MIT */
/*
 * Two passes: the members are found first, then unescaped, so that nothing is
 * changed under the scanner's feet.
 */
#include <string.h>

#include "phx.h"
#include "request.h"
#include "util.h"

enum {
	ID,
	METHOD,
	PATH,
	QUERY,
	BODY,
	HEADERS,
	MEMBERS
};

static const struct {
	const char *name;
	enum json_type type;
	const char *fault;
} members[MEMBERS] = {
    [ID] = {"request_id", JSON_STRING, "request_id is not a string"},
    [METHOD] = {"method", JSON_STRING, "method is not a string"},
    [PATH] = {"path", JSON_STRING, "path is not a string"},
    [QUERY] = {"query_string", JSON_STRING, "query_string is not a string"},
    [BODY] = {"body", JSON_STRING, "body is not a string"},
    [HEADERS] = {"headers", JSON_OBJECT, "headers is not an object"},
};

static bool
is_id(const struct json_str *s)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (s->data[i] <= 0x20 || s->data[i] >= 0x7f)
			return false;
	return s->len > 0 && s->len <= REQUEST_ID_MAX;
}

/* The last value of each known name. False: no JSON object. */
static bool
find(struct json_value found[MEMBERS], uint8_t *payload, size_t len)
{
	struct json_cursor c;
	struct json_value v;
	struct json_str name;
	size_t i;

	(void)json_open(&c, JSON_OBJECT, payload, len);
	while (json_next_member(&c, &name, &v)) {
		for (i = 0; i < MEMBERS; i++)
			if (json_name_is(name, members[i].name))
				found[i] = v;
	}
	return !c.failed;
}

/* A member of the right type, unescaped. */
static bool
take(struct json_value *v, size_t i, struct json_str *out)
{
	if (v->raw.data == NULL || v->type != members[i].type)
		return false;
	if (v->type == JSON_STRING && !json_unescape(&v->raw))
		return false;
	*out = v->raw;
	return true;
}

static const char *
check_method(const struct json_str *method)
{
	if (!util_is_token((char *)method->data, method->len))
		return "method is not a token";
	if (method->len > REQUEST_METHOD_MAX)
		return "method is too long";
	/* RFC 9110 §9.3.6 and §9.3.8: neither makes sense through a proxy
	 * that is not the client's. */
	if (phx_is(*method, "CONNECT") || phx_is(*method, "TRACE"))
		return "method cannot be proxied";
	return NULL;
}

const char *
request_parse(struct request *r, uint8_t *payload, size_t len)
{
	struct json_value found[MEMBERS];
	struct json_str *out[MEMBERS] = {
	    [ID] = &r->request_id,
	    [METHOD] = &r->method,
	    [PATH] = &r->path,
	    [QUERY] = &r->query,
	    [BODY] = &r->body,
	    [HEADERS] = &r->headers,
	};
	size_t i;

	memset(r, 0, sizeof(*r));
	memset(found, 0, sizeof(found));
	if (!find(found, payload, len))
		return "not a JSON object";
	for (i = 0; i < MEMBERS; i++)
		if (!take(&found[i], i, out[i]))
			return members[i].fault;
		else if (i == ID && !is_id(&r->request_id)) {
			r->request_id.data = NULL;
			return "request_id is not 1 to 128 printable "
			       "characters";
		}
	return check_method(&r->method);
}

void
request_fields_init(struct request_fields *it, const struct request *r)
{
	struct json_value v = {JSON_OBJECT, r->headers};

	json_enter(&it->cursor, &v);
	it->error = NULL;
}

bool
request_next_field(
    struct request_fields *it, struct json_str *name, struct json_str *value)
{
	struct json_value v;

	if (!json_next_member(&it->cursor, name, &v)) {
		if (it->cursor.failed)
			it->error = "headers is not JSON";
		return false;
	}
	*value = v.raw;
	if (v.type == JSON_STRING && json_unescape(name) &&
	    json_unescape(value))
		return true;
	it->error = "a header value is not a string";
	return false;
}
