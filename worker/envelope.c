/* SPDX-License-Identifier: MIT */
/* The scanner of envelope.h: one step a byte, but for the insides of strings,
 * which may be very long. */
#include <string.h>

#include "envelope.h"
#include "util.h"

#define PAYLOAD 4 /* the last element, and the only one that is an object */
#define PAYLOAD_DEPTH 2

static const char *const wanted[] = {
    "request_id",
    "connection_id",
    "check_id",
};

static void
put(struct envelope *e, const void *data, size_t len)
{
	if (len > sizeof(e->text) - e->len) {
		e->fault = "a topic, an event or an id is too long";
		return;
	}
	memcpy(e->text + e->len, data, len);
	e->len += len;
}

static void
put_text(struct envelope *e, const char *text)
{
	put(e, text, strlen(text));
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_object(const struct envelope *e)
{
	return (e->objects >> (e->depth - 1) & 1) != 0;
}

/* --- what is kept --------------------------------------------------------- */

/* A value of the outermost array begins with this byte. */
static void
keep_element(struct envelope *e, uint8_t c)
{
	bool is_container = c == '{' || c == '[';

	if (e->element > PAYLOAD)
		e->fault = "more than five elements";
	else if (e->element == PAYLOAD && c != '{')
		e->fault = "payload is not an object";
	else if (e->element != PAYLOAD && is_container)
		e->fault = "an array or object where a string should be";
	put_text(e, e->element == 0 ? "[" : ",");
	if (e->element == PAYLOAD)
		put_text(e, "{");
	else if (e->element == 1) /* ref: a push has none */
		put_text(e, "null");
	else
		e->copies = true;
}

/* Of several of one name all are kept: the reader takes the last. */
static void
keep_member(struct envelope *e, uint8_t c)
{
	if (e->has_member)
		put_text(e, ",");
	e->has_member = true;
	e->wanted = false;
	put_text(e, "\"");
	put(e, e->name, e->name_len);
	put_text(e, "\":");
	if (c == '"')
		e->copies = true;
	else
		put_text(e, "null"); /* what is no string is no id */
}

static bool
is_wanted(struct envelope *e)
{
	struct json_str name = {e->name, e->name_len};
	size_t i;

	if (e->depth != PAYLOAD_DEPTH || e->name_len > sizeof(e->name))
		return false;
	for (i = 0; i < UTIL_COUNT(wanted); i++)
		if (json_name_is(name, wanted[i]))
			return true;
	return false;
}

/* Bytes of a string. A name that is longer than any of interest is counted
 * only. */
static void
take(struct envelope *e, const uint8_t *data, size_t len)
{
	if (e->copies)
		put(e, data, len);
	if (!e->is_name)
		return;
	if (e->name_len <= sizeof(e->name) &&
	    len <= sizeof(e->name) - e->name_len)
		memcpy(e->name + e->name_len, data, len);
	else
		len = sizeof(e->name) + 1 - e->name_len;
	e->name_len += len;
}

/* --- structure ------------------------------------------------------------ */

static void
open_container(struct envelope *e, bool object)
{
	if (e->depth >= JSON_DEPTH_MAX) {
		e->fault = "nested too deep";
		return;
	}
	e->objects &= ~(1ULL << e->depth);
	e->objects |= (uint64_t)object << e->depth;
	e->depth++;
	e->fresh = true;
	e->state = object ? ENVELOPE_NAME : ENVELOPE_VALUE;
}

static void
end_value(struct envelope *e)
{
	e->copies = e->wanted = false;
	e->state = ENVELOPE_AFTER;
}

static void
close_container(struct envelope *e, uint8_t c)
{
	if (c != (is_object(e) ? '}' : ']')) {
		e->fault = "not JSON";
		return;
	}
	e->depth--;
	e->fresh = false;
	end_value(e);
	if (e->depth == 1 && e->element == PAYLOAD)
		put_text(e, "}");
	if (e->depth > 0)
		return;
	e->state = ENVELOPE_END;
	put_text(e, "]");
	if (e->element < PAYLOAD)
		e->fault = "fewer than five elements";
}

static void
begin_string(struct envelope *e, bool is_name)
{
	e->state = ENVELOPE_STRING;
	e->is_name = is_name;
	e->name_len = is_name ? 0 : e->name_len;
	e->fresh = false;
}

static void
on_value(struct envelope *e, uint8_t c)
{
	if (c == ']' && e->fresh && !is_object(e)) {
		close_container(e, c);
		return;
	}
	if (e->depth == 1)
		keep_element(e, c);
	else if (e->wanted)
		keep_member(e, c);
	if (c == '{' || c == '[') {
		open_container(e, c == '{');
		return;
	}
	if (e->copies)
		put(e, &c, 1);
	if (c == '"') {
		begin_string(e, false);
	} else if (c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' ||
	    c == 'n') {
		e->state = ENVELOPE_SCALAR;
		e->fresh = false;
	} else {
		e->fault = "not JSON";
	}
}

static void
on_name(struct envelope *e, uint8_t c)
{
	if (c == '"')
		begin_string(e, true);
	else if (e->fresh)
		close_container(e, c);
	else
		e->fault = "not JSON";
}

static void
on_string(struct envelope *e, uint8_t c)
{
	if (c == '"' && e->is_name) {
		e->state = ENVELOPE_COLON;
		e->wanted = is_wanted(e);
		e->is_name = false;
		return;
	}
	if (c < 0x20) {
		e->fault = "not JSON";
		return;
	}
	take(e, &c, 1);
	if (c == '"')
		end_value(e);
	else if (c == '\\')
		e->state = ENVELOPE_ESCAPE;
}

static void
on_after(struct envelope *e, uint8_t c)
{
	if (c != ',') {
		close_container(e, c);
		return;
	}
	e->state = is_object(e) ? ENVELOPE_NAME : ENVELOPE_VALUE;
	if (e->depth == 1)
		e->element++;
}

static bool
is_scalar(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' ||
	    c == '+' || c == '-' || c == 'E';
}

static void
step(struct envelope *e, uint8_t c)
{
	if (e->state == ENVELOPE_SCALAR) {
		if (is_scalar(c)) {
			take(e, &c, 1);
			return;
		}
		end_value(e);
	}
	if (is_space(c) && e->state != ENVELOPE_STRING &&
	    e->state != ENVELOPE_ESCAPE)
		return;
	switch (e->state) {
	case ENVELOPE_START:
		if (c == '[')
			open_container(e, false);
		else
			e->fault = "not a JSON array";
		break;
	case ENVELOPE_VALUE:
		on_value(e, c);
		break;
	case ENVELOPE_NAME:
		on_name(e, c);
		break;
	case ENVELOPE_COLON:
		e->state = ENVELOPE_VALUE;
		if (c != ':')
			e->fault = "not JSON";
		break;
	case ENVELOPE_STRING:
		on_string(e, c);
		break;
	case ENVELOPE_ESCAPE: /* one that there is not is the reader's */
		take(e, &c, 1);
		e->state = ENVELOPE_STRING;
		break;
	case ENVELOPE_AFTER:
		on_after(e, c);
		break;
	case ENVELOPE_SCALAR: /* ended above */
	case ENVELOPE_END:
		e->fault = "not JSON";
		break;
	}
}

void
envelope_init(struct envelope *e)
{
	memset(e, 0, offsetof(struct envelope, text));
	e->state = ENVELOPE_START;
	e->fault = NULL;
}

void
envelope_feed(struct envelope *e, const uint8_t *data, size_t len)
{
	size_t i = 0, n;

	while (i < len && e->fault == NULL) {
		n = e->state == ENVELOPE_STRING
		    ? json_plain_len(data + i, len - i)
		    : 0;
		if (n > 0)
			take(e, data + i, n);
		else
			step(e, data[i++]);
		i += n;
	}
}

const char *
envelope_end(const struct envelope *e)
{
	if (e->fault == NULL && e->state != ENVELOPE_END)
		return "not JSON";
	return e->fault;
}
