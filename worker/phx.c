/* SPDX-License-Identifier: MIT */
/* The codec of phx.h. */
#include <string.h>

#include "phx.h"

/* A string, or null where that is allowed. */
static bool
take_str(struct json_cursor *c, struct json_str *out, bool nullable)
{
	struct json_value v;

	out->data = NULL;
	out->len = 0;
	if (!json_next_element(c, &v))
		return false;
	if (v.type == JSON_NULL)
		return nullable;
	if (v.type != JSON_STRING || !json_unescape(&v.raw))
		return false;
	*out = v.raw;
	return true;
}

static const char *
take_all(struct phx_msg *m, struct json_cursor *c)
{
	struct json_value v;

	if (!take_str(c, &m->join_ref, true))
		return "join_ref is neither a string nor null";
	if (!take_str(c, &m->ref, true))
		return "ref is neither a string nor null";
	if (!take_str(c, &m->topic, false))
		return "topic is not a string";
	if (!take_str(c, &m->event, false))
		return "event is not a string";
	if (!json_next_element(c, &v) || v.type != JSON_OBJECT)
		return "payload is not an object";
	m->payload = v.raw;
	return json_next_element(c, &v) ? "more than five elements" : NULL;
}

const char *
phx_parse(struct phx_msg *m, uint8_t *data, size_t len)
{
	struct json_cursor c;
	const char *error;

	memset(m, 0, sizeof(*m));
	if (!json_open(&c, JSON_ARRAY, data, len))
		return "not a JSON array (is vsn=2.0.0 understood there?)";
	error = take_all(m, &c);
	return c.failed ? "not JSON" : error;
}

bool
phx_is(struct json_str s, const char *text)
{
	return s.data != NULL && s.len == strlen(text) &&
	    memcmp(s.data, text, s.len) == 0;
}

/* The last member of that name, as decoders keep it. */
static bool
get(struct json_str object, const char *name, struct json_value *out)
{
	struct json_cursor c;
	struct json_value v, whole = {JSON_OBJECT, object};
	struct json_str key;
	bool found = false;

	if (object.data == NULL || object.len < 2 || object.data[0] != '{')
		return false;
	json_enter(&c, &whole);
	while (json_next_member(&c, &key, &v)) {
		if (json_name_is(key, name)) {
			*out = v;
			found = true;
		}
	}
	return found && !c.failed;
}

bool
phx_parse_reply(struct phx_reply *reply, struct json_str payload)
{
	struct json_value v;

	memset(reply, 0, sizeof(*reply));
	if (!get(payload, "status", &v) || v.type != JSON_STRING)
		return false;
	reply->ok = json_name_is(v.raw, "ok");
	if (get(payload, "response", &v) && v.type == JSON_OBJECT)
		reply->response = v.raw;
	return true;
}

/* Unescapes the copy: the object may be asked again. */
bool
phx_get_str(struct json_str object, const char *name, char *dst, size_t size)
{
	struct json_value v;
	struct json_str s = {(uint8_t *)dst, 0};

	dst[0] = '\0';
	if (!get(object, name, &v) || v.type != JSON_STRING ||
	    v.raw.len >= size)
		return false;
	memcpy(dst, v.raw.data, v.raw.len);
	s.len = v.raw.len;
	if (!json_unescape(&s) || memchr(dst, '\0', s.len) != NULL) {
		dst[0] = '\0';
		return false;
	}
	dst[s.len] = '\0';
	return true;
}

bool
phx_get_int(struct json_str object, const char *name, int64_t *out)
{
	struct json_value v;

	return get(object, name, &v) && json_int(&v, out);
}

static void
put_str(struct buf *b, const char *s)
{
	if (s == NULL)
		(void)buf_puts(b, "null");
	else
		(void)json_put_str(b, s, strlen(s));
	(void)buf_putc(b, ',');
}

int
phx_put_head(struct buf *b, const struct phx_names *names)
{
	(void)buf_putc(b, '[');
	put_str(b, names->join_ref);
	put_str(b, names->ref);
	put_str(b, names->topic);
	put_str(b, names->event);
	return b->failed ? -1 : 0;
}

int
phx_put_msg(struct buf *b, const struct phx_names *names, const char *payload)
{
	(void)phx_put_head(b, names);
	(void)buf_puts(b, payload);
	return buf_putc(b, ']');
}
