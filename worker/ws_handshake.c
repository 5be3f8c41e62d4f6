/* SPDX-License-Identifier: MIT */
/* One request head out, one answer head in. */
#include <string.h>
#include <strings.h>

#include "head.h"
#include "request.h"
#include "trace_context.h"
#include "util.h"
#include "ws_handshake.h"

#define FIELDS_MAX 200
#define FIELD_BYTES_MAX (64 * 1024)
#define PROTOCOL_FIELD "Sec-WebSocket-Protocol"

/* --- the request ---------------------------------------------------------- */

/* Those that are this hop's own to say, besides what head.h takes away. */
static bool
is_own(const char *name)
{
	static const char *const own[] = {
	    "host",
	    "sec-websocket-accept",
	    "sec-websocket-extensions",
	    "sec-websocket-key",
	    "sec-websocket-version",
	};
	size_t i;

	for (i = 0; i < UTIL_COUNT(own); i++)
		if (strcasecmp(name, own[i]) == 0)
			return true;
	return false;
}

/* The path is still percent-encoded and stays so: what may not stand in a
 * request line is a fault, but bytes above ASCII are encoded. */
static const char *
put_target(struct buf *b, struct json_str path, struct json_str query)
{
	size_t i;

	if (path.len == 0 || path.data[0] != '/')
		(void)buf_putc(b, '/');
	for (i = 0; i < path.len; i++) {
		uint8_t c = path.data[i];

		if (c <= 0x20 || c == 0x7f || c == '#' || c == '?')
			return "the path holds a character that may not stand "
			       "in one";
		if (c > 0x7f)
			(void)buf_printf(b, "%%%02X", c);
		else
			(void)buf_putc(b, c);
	}
	if (query.len > 0)
		(void)buf_putc(b, '?');
	for (i = 0; i < query.len; i++) {
		uint8_t c = query.data[i];

		if (c > 0x20 && c < 0x7f && c != '#')
			(void)buf_putc(b, c);
		else
			(void)buf_printf(b, "%%%02X", c);
	}
	return NULL;
}

/* The fields that the client sent, checked. NULL, or what is wrong. */
static const char *
take_fields(struct head *head, const struct ws_ask *ask)
{
	struct request_fields it;
	struct request r;
	struct json_str name, value;
	const char *reason;

	memset(&r, 0, sizeof(r));
	r.headers = ask->headers;
	request_fields_init(&it, &r);
	while (request_next_field(&it, &name, &value)) {
		reason = head_request_add(head, name, value);
		if (reason != NULL)
			return reason;
	}
	if (it.error != NULL)
		return it.error;
	if (ask->on_fields != NULL)
		ask->on_fields(head, ask->arg);
	(void)head_request_finish(head);
	return NULL;
}

struct span {
	const char *at;
	size_t len;
};

/* Takes the next member off a comma separated list; false: there is none. */
static bool
next_member(struct span *list, struct span *member)
{
	const char *end = list->at + list->len, *at = list->at;

	while (at < end && strchr(" \t,", *at) != NULL)
		at++;
	member->at = at;
	while (at < end && strchr(" \t,", *at) == NULL)
		at++;
	member->len = (size_t)(at - member->at);
	list->at = at;
	list->len = (size_t)(end - at);
	return member->len > 0;
}

static bool
is_protocol_list(const char *text)
{
	struct span list = {text, strlen(text)}, member;

	while (next_member(&list, &member))
		if (!util_is_token(member.at, member.len))
			return false;
	return true;
}

static const char *
put_fields(struct buf *b, const struct head *head, const struct ws_ask *ask)
{
	const struct head_field *f = head_find(head, "host");
	size_t i;

	(void)buf_printf(b,
	    " HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
	    f != NULL ? f->value : ask->host);
	for (i = 0; i < head_count(head); i++) {
		f = head_field(head, i);
		if (is_own(f->name) ||
		    (ask->traced && trace_context_is_field(f->name)))
			continue;
		if (strcasecmp(f->name, PROTOCOL_FIELD) == 0 &&
		    !is_protocol_list(f->value))
			return "sec-websocket-protocol is malformed";
		(void)buf_printf(b, "%s: %s\r\n", f->name, f->value);
	}
	return NULL;
}

const char *
ws_handshake_build(struct buf *b, struct ws_ask *ask)
{
	struct head head;
	const char *reason;

	(void)buf_puts(b, "GET ");
	reason = put_target(b, ask->path, ask->query);
	if (reason != NULL)
		return reason;
	head_init(&head, FIELDS_MAX, FIELD_BYTES_MAX);
	reason = take_fields(&head, ask);
	if (reason == NULL)
		reason = put_fields(b, &head, ask);
	head_clear(&head);
	if (reason == NULL && b->failed)
		reason = "the request head is too long";
	return reason;
}

int
ws_handshake_finish(struct buf *b, const char key[WS_KEY_LEN + 1])
{
	return buf_printf(b, "Sec-WebSocket-Key: %s\r\n\r\n", key);
}

/* --- the answer ----------------------------------------------------------- */

/* The line that begins at `at`, without its CRLF; false at the empty one, with
 * which a head ends, or when there is none. */
static bool
next_line(struct span *text, struct span *line)
{
	const char *cr = memmem(text->at, text->len, "\r\n", 2);

	if (cr == NULL)
		return false;
	line->at = text->at;
	line->len = (size_t)(cr - text->at);
	text->at = cr + 2;
	text->len -= line->len + 2;
	return line->len > 0;
}

/* "HTTP/1.1 101 …": 101, or 0 when it is no status line. */
static int
status_of(struct span line)
{
	const char *p = line.at;

	if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' ||
	    (line.len > 12 && p[12] != ' '))
		return 0;
	if (p[9] < '1' || p[9] > '5' || p[10] < '0' || p[10] > '9' ||
	    p[11] < '0' || p[11] > '9')
		return 0;
	return (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
}

/* The value of a line that is this field, trimmed; false: it is another. */
static bool
take_value(struct span line, const char *name, struct span *value)
{
	size_t n = strlen(name);

	if (line.len <= n || line.at[n] != ':' ||
	    strncasecmp(line.at, name, n) != 0)
		return false;
	value->at = line.at + n + 1;
	value->len = line.len - n - 1;
	while (value->len > 0 && strchr(" \t", value->at[0]) != NULL) {
		value->at++;
		value->len--;
	}
	while (
	    value->len > 0 && strchr(" \t", value->at[value->len - 1]) != NULL)
		value->len--;
	return true;
}

static bool
is_text(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static bool
is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static bool
list_has_word(struct span list, const char *word)
{
	struct span member;

	while (next_member(&list, &member))
		if (is_word(member, word))
			return true;
	return false;
}

/* §4.1: a subprotocol that was not offered fails the connection. */
static bool
is_offered(const struct buf *request, const char *protocol)
{
	struct span text = {(const char *)request->data, request->len};
	struct span line, list, member;

	while (next_line(&text, &line)) {
		if (!take_value(line, PROTOCOL_FIELD, &list))
			continue;
		while (next_member(&list, &member))
			if (is_text(member, protocol))
				return true;
	}
	return false;
}

static bool
take_protocol(struct ws_answer *a, const struct buf *request, struct span value)
{
	if (value.len >= sizeof(a->protocol) ||
	    !util_is_token(value.at, value.len))
		return false;
	memcpy(a->protocol, value.at, value.len);
	a->protocol[value.len] = '\0';
	return is_offered(request, a->protocol);
}

/* What an accepting answer must say (§4.1, the client's list of six). */
static const char *
judge_fields(struct ws_answer *a, const struct buf *request, const char *accept,
    struct span head)
{
	bool upgrade = false, connection = false, accepted = false;
	struct span line, v;

	while (next_line(&head, &line)) {
		if (take_value(line, "upgrade", &v))
			upgrade = is_word(v, "websocket");
		else if (take_value(line, "connection", &v))
			connection = connection || list_has_word(v, "upgrade");
		else if (take_value(line, "sec-websocket-accept", &v))
			accepted = is_text(v, accept);
		else if (take_value(line, "sec-websocket-extensions", &v))
			return "the application chose an extension that was "
			       "not offered";
		else if (take_value(line, PROTOCOL_FIELD, &v) &&
		    !take_protocol(a, request, v))
			return "the application chose a subprotocol that was "
			       "not offered";
	}
	if (!upgrade || !connection)
		return "the application's answer 101 upgrades to something "
		       "else";
	return accepted ? NULL
			: "the application's answer has a wrong "
			  "sec-websocket-accept";
}

bool
ws_handshake_judge(struct ws_answer *a, const struct buf *request,
    const char *accept, const struct buf *said)
{
	const char *begin = (const char *)said->data, *stop;
	struct span rest = {begin, said->len}, head, line;

	memset(a, 0, sizeof(*a));
	while (rest.len > 0 &&
	    (stop = memmem(rest.at, rest.len, "\r\n\r\n", 4)) != NULL) {
		head.at = rest.at;
		head.len = (size_t)(stop + 4 - rest.at);
		rest.at += head.len;
		rest.len -= head.len;
		a->len = (size_t)(rest.at - begin);
		a->status = next_line(&head, &line) ? status_of(line) : 0;
		if (a->status == 0)
			a->fault = "the application's answer is not HTTP";
		else if (a->status == 101)
			a->fault = judge_fields(a, request, accept, head);
		else if (a->status >= 200)
			a->fault = "the application did not accept the "
				   "WebSocket handshake";
		if (a->status < 100 || a->status == 101 || a->status >= 200)
			return true;
	}
	a->status = 0; /* or a 100 or 103, after which more follows */
	return false;
}
