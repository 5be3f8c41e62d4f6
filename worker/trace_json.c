/* SPDX-License-Identifier: MIT */
/* Writes and reads what trace_json.h says. */
#include <string.h>

#include "json.h"
#include "trace_json.h"
#include "utf8.h"
#include "version.h"

/* Bits 8 and 9 of Span.flags: it is known whether the parent is remote, and
 * that it is. */
#define FLAG_HAS_REMOTE 0x100u
#define FLAG_IS_REMOTE 0x200u

static void
put_text(struct buf *b, const char *text)
{
	(void)json_put_str(b, text, strlen(text));
}

static void
put_hex(struct buf *b, const char *name, const uint8_t *id, size_t len)
{
	char space[2 * TRACE_ID_LEN];

	trace_context_hex(space, id, len);
	(void)buf_puts(b, name);
	(void)buf_append(b, space, 2 * len);
	(void)buf_putc(b, '"');
}

/* Decimal, of which printf(3) would make most of what a span costs. */
static void
put_num(struct buf *b, int64_t num)
{
	char space[24];
	size_t at = sizeof(space);
	uint64_t left = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;

	do {
		space[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (num < 0)
		space[--at] = '-';
	(void)buf_append(b, space + at, sizeof(space) - at);
}

/* fixed64, so a string. */
static void
put_time(struct buf *b, const char *name, int64_t us)
{
	(void)buf_puts(b, name);
	put_num(b, us < 0 ? 0 : us);
	(void)buf_puts(b, "000\"");
}

static void
put_attrs(struct buf *b, const struct trace_attr *a, size_t count)
{
	const char *comma = "";
	size_t i;

	(void)buf_puts(b, "\"attributes\":[");
	for (i = 0; i < count; i++) {
		if (a[i].text == NULL && a[i].num == -1)
			continue;
		(void)buf_puts(b, comma);
		(void)buf_puts(b, "{\"key\":");
		put_text(b, a[i].key);
		if (a[i].text != NULL) {
			(void)buf_puts(b, ",\"value\":{\"stringValue\":");
			put_text(b, a[i].text);
			(void)buf_puts(b, "}}");
		} else {
			(void)buf_puts(b, ",\"value\":{\"intValue\":\"");
			put_num(b, a[i].num);
			(void)buf_puts(b, "\"}}");
		}
		comma = ",";
	}
	(void)buf_putc(b, ']');
}

static void
put_events(struct buf *b, const struct trace_event *e, size_t count)
{
	size_t i;

	(void)buf_puts(b, ",\"events\":[");
	for (i = 0; i < count; i++) {
		put_time(b,
		    i > 0 ? ",{\"timeUnixNano\":\"" : "{\"timeUnixNano\":\"",
		    e[i].at_us);
		(void)buf_puts(b, ",\"name\":");
		put_text(b, e[i].name);
		(void)buf_putc(b, ',');
		put_attrs(b, e[i].attrs, e[i].attr_count);
		(void)buf_putc(b, '}');
	}
	(void)buf_putc(b, ']');
}

int
trace_json_span(struct buf *b, const struct trace_span *s)
{
	unsigned flags = s->flags | FLAG_HAS_REMOTE;

	if (s->parent_id != NULL && s->remote)
		flags |= FLAG_IS_REMOTE;
	put_hex(b, "{\"traceId\":\"", s->trace_id, TRACE_ID_LEN);
	put_hex(b, ",\"spanId\":\"", s->span_id, TRACE_SPAN_ID_LEN);
	if (s->state[0] != '\0') {
		(void)buf_puts(b, ",\"traceState\":");
		put_text(b, s->state);
	}
	if (s->parent_id != NULL)
		put_hex(
		    b, ",\"parentSpanId\":\"", s->parent_id, TRACE_SPAN_ID_LEN);
	(void)buf_puts(b, ",\"flags\":");
	put_num(b, flags);
	(void)buf_puts(b, ",\"name\":");
	put_text(b, s->name);
	(void)buf_puts(b, ",\"kind\":");
	put_num(b, s->kind);
	put_time(b, ",\"startTimeUnixNano\":\"", s->begin_us);
	put_time(b, ",\"endTimeUnixNano\":\"", s->end_us);
	(void)buf_putc(b, ',');
	put_attrs(b, s->attrs, s->attr_count);
	if (s->event_count > 0)
		put_events(b, s->events, s->event_count);
	if (s->error)
		(void)buf_puts(b, ",\"status\":{\"code\":2}"); /* ERROR */
	return buf_putc(b, '}');
}

int
trace_json_begin(
    struct buf *b, const struct trace_attr *resource, size_t attr_count)
{
	(void)buf_puts(b, "{\"resourceSpans\":[{\"resource\":{");
	put_attrs(b, resource, attr_count);
	(void)buf_puts(b,
	    "},\"scopeSpans\":[{\"scope\":{\"name\":\"telephone\","
	    "\"version\":");
	put_text(b, version);
	return buf_puts(b, "},\"spans\":[");
}

int
trace_json_end(struct buf *b)
{
	return buf_puts(b, "]}]}]}");
}

/* --- the answer ----------------------------------------------------------- */

/* An int64, which the mapping writes as a string, and may be a number. */
static bool
take_count(const struct json_value *v, uint64_t *out)
{
	struct json_value number = {JSON_NUMBER, v->raw};
	int64_t n;

	if (v->type == JSON_NULL)
		return true;
	if ((v->type != JSON_STRING && v->type != JSON_NUMBER) ||
	    !json_int(&number, &n) || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static bool
take_text(struct json_value *v, char text[TRACE_JSON_TEXT_MAX])
{
	size_t n;

	if (v->type == JSON_NULL)
		return true;
	if (v->type != JSON_STRING || !json_unescape(&v->raw))
		return false;
	n = utf8_cut(v->raw.data, v->raw.len, TRACE_JSON_TEXT_MAX - 1);
	memcpy(text, v->raw.data, n);
	text[n] = '\0';
	return true;
}

static bool
take_partial(const struct json_value *v, uint64_t *rejected,
    char text[TRACE_JSON_TEXT_MAX])
{
	struct json_value member, message = {JSON_NULL, {NULL, 0}};
	struct json_cursor c;
	struct json_str name;

	if (v->type == JSON_NULL)
		return true;
	if (v->type != JSON_OBJECT)
		return false;
	json_enter(&c, v);
	while (json_next_member(&c, &name, &member)) {
		if (json_name_is(name, "rejectedSpans") &&
		    !take_count(&member, rejected))
			return false;
		if (json_name_is(name, "errorMessage"))
			message = member;
	}
	return !c.failed && take_text(&message, text);
}

int
trace_json_answer(uint8_t *data, size_t len, uint64_t *rejected,
    char text[TRACE_JSON_TEXT_MAX])
{
	struct json_value v, member, partial = {JSON_NULL, {NULL, 0}};
	struct json_cursor c;
	struct json_str name;

	*rejected = 0;
	text[0] = '\0';
	if (len == 0)
		return 0;
	if (!json_parse(&v, data, len) || v.type != JSON_OBJECT)
		return -1;
	json_enter(&c, &v);
	while (json_next_member(&c, &name, &member))
		if (json_name_is(name, "partialSuccess"))
			partial = member;
	return !c.failed && take_partial(&partial, rejected, text) ? 0 : -1;
}
