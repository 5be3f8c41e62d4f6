/* SPDX-License-Identifier: MIT */
/*
 * The parser of request heads.  conn.c calls head_find until a head is
 * complete and then head_parse once.  It refuses what RFC 9112 lets a
 * server refuse, because its task is to show a proxy's faults: bare LF,
 * folded fields, space before the colon, two lengths, no or two hosts.
 */
#include <string.h>
#include <strings.h>

#include "head.h"

static bool
is_tchar(unsigned char c)
{
	if (c >= 'a' && c <= 'z')
		return true;
	if (c >= 'A' && c <= 'Z')
		return true;
	if (c >= '0' && c <= '9')
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool
head_is_token(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_tchar((unsigned char)p[i]))
			return false;
	return len > 0;
}

bool
head_span_is(struct span span, const char *text)
{
	return span.len == strlen(text) &&
	    strncasecmp(span.p, text, span.len) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(const char *p, size_t len)
{
	while (len > 0 && is_blank(*p)) {
		p++;
		len--;
	}
	while (len > 0 && is_blank(p[len - 1]))
		len--;
	return (struct span){p, len};
}

ssize_t
head_find(const uint8_t *buf, size_t len, size_t *seen)
{
	for (size_t i = *seen; i < len; i++) {
		if (buf[i] == '\0')
			return -1;
		if (i > 0 && buf[i - 1] == '\r' && buf[i] != '\n')
			return -1;
		if (buf[i] != '\n')
			continue;
		if (i == 0 || buf[i - 1] != '\r')
			return -1;
		/* an empty first line is no head either */
		if (i == 1)
			return -1;
		if (i >= 3 && buf[i - 2] == '\n') {
			*seen = i + 1;
			return (ssize_t)(i + 1);
		}
	}
	*seen = len;
	return 0;
}

/* Takes one line off *rest, without its CRLF; false when none is left. */
static bool
next_line(struct span *rest, struct span *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->p, '\n', rest->len);
	if (end == NULL)
		return false;
	line->p = rest->p;
	line->len = (size_t)(end - rest->p) - 1;
	rest->len -= line->len + 2;
	rest->p = end + 1;
	return true;
}

/* Splits a field line at its colon. */
static bool
split_field(struct span line, struct span *name, struct span *value)
{
	const char *colon = memchr(line.p, ':', line.len);

	if (colon == NULL)
		return false;
	name->p = line.p;
	name->len = (size_t)(colon - line.p);
	*value = trim(colon + 1, line.len - name->len - 1);
	return head_is_token(name->p, name->len);
}

bool
head_field(
    const struct head *head, const char *name, size_t nth, struct span *value)
{
	struct span rest = head->fields, line, key;

	while (next_line(&rest, &line)) {
		if (!split_field(line, &key, value))
			return false;
		if (head_span_is(key, name) && nth-- == 0)
			return true;
	}
	return false;
}

bool
head_next_token(struct span *list, struct span *token)
{
	const char *comma;
	size_t len;

	while (list->len > 0) {
		comma = memchr(list->p, ',', list->len);
		len = comma == NULL ? list->len : (size_t)(comma - list->p);
		*token = trim(list->p, len);
		if (comma != NULL)
			len++;
		list->p += len;
		list->len -= len;
		if (token->len > 0)
			return true;
	}
	return false;
}

bool
head_has_token(const struct head *head, const char *name, const char *token)
{
	struct span list, item;

	for (size_t i = 0; head_field(head, name, i, &list); i++)
		while (head_next_token(&list, &item))
			if (head_span_is(item, token))
				return true;
	return false;
}

/* Finds path and query in an origin-form or absolute-form target. */
static int
parse_target(struct head *head)
{
	const char *p = head->target.p, *end = p + head->target.len, *mark;

	/* visible ASCII only: a proxy encodes the rest */
	for (size_t i = 0; i < head->target.len; i++)
		if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f)
			return 400;
	if (head->target.len > 7 && strncasecmp(p, "http://", 7) == 0) {
		p = memchr(p + 7, '/', head->target.len - 7);
		if (p == NULL)
			return 400;
	}
	if (*p != '/' && !head_span_is(head->target, "*"))
		return 400;
	mark = memchr(p, '?', (size_t)(end - p));
	head->path.p = p;
	head->path.len = (size_t)((mark == NULL ? end : mark) - p);
	if (mark != NULL) {
		head->query.p = mark + 1;
		head->query.len = (size_t)(end - mark) - 1;
	}
	return 0;
}

static int
parse_request_line(struct head *head, struct span line)
{
	const char *first, *last;
	size_t rest;

	first = memchr(line.p, ' ', line.len);
	last = memrchr(line.p, ' ', line.len);
	if (first == NULL || first == last)
		return 400;
	head->method.p = line.p;
	head->method.len = (size_t)(first - line.p);
	head->target.p = first + 1;
	head->target.len = (size_t)(last - first) - 1;
	rest = line.len - (size_t)(last - line.p) - 1;
	if (!head_is_token(head->method.p, head->method.len) ||
	    head->target.len == 0)
		return 400;
	if (rest != 8 || memcmp(last + 1, "HTTP/", 5) != 0 || last[7] != '.')
		return 400;
	if (last[6] != '1' || (last[8] != '0' && last[8] != '1'))
		return 505;
	head->minor = last[8] - '0';
	return parse_target(head);
}

/* Name a token, no blank before the colon, no folding, no controls. */
static int
check_fields(const struct head *head)
{
	struct span rest = head->fields, line, name, value;

	while (next_line(&rest, &line)) {
		if (!split_field(line, &name, &value))
			return 400;
		for (size_t i = 0; i < value.len; i++) {
			unsigned char c = (unsigned char)value.p[i];

			if ((c < ' ' && c != '\t') || c == 0x7f)
				return 400;
		}
	}
	return 0;
}

static int
parse_length(struct head *head)
{
	struct span value;

	if (!head_field(head, "content-length", 0, &value))
		return 0;
	if (value.len == 0 || value.len > 18)
		return 400;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 400;
		head->length = head->length * 10 + (uint64_t)(value.p[i] - '0');
	}
	head->has_length = true;
	return head_field(head, "content-length", 1, &value) ? 400 : 0;
}

/* How the body is framed, RFC 9112 section 6; doubt is a 400. */
static int
parse_framing(struct head *head)
{
	struct span value;
	int status;

	if ((status = parse_length(head)) != 0)
		return status;
	if (!head_field(head, "transfer-encoding", 0, &value))
		return 0;
	if (head->has_length || head->minor == 0)
		return 400;
	if (!head_span_is(value, "chunked"))
		return 501;
	head->chunked = true;
	return head_field(head, "transfer-encoding", 1, &value) ? 400 : 0;
}

int
head_parse(struct head *head, const uint8_t *buf, size_t len)
{
	struct span rest, line, value;
	int status;

	memset(head, 0, sizeof(*head));
	if (len < 4)
		return 400;
	head->raw = (struct span){(const char *)buf, len - 2};
	rest = head->raw;
	if (!next_line(&rest, &line))
		return 400;
	head->fields = rest;
	if ((status = parse_request_line(head, line)) != 0 ||
	    (status = check_fields(head)) != 0 ||
	    (status = parse_framing(head)) != 0)
		return status;

	if (!head_field(head, "host", 0, &value) && head->minor == 1)
		return 400;
	if (head_field(head, "host", 1, &value))
		return 400;
	head->close =
	    head->minor == 0 || head_has_token(head, "connection", "close");
	if (head->minor == 1 && head_field(head, "expect", 0, &value)) {
		if (!head_span_is(value, "100-continue"))
			return 417;
		head->expects = true;
	}
	return 0;
}
