/* SPDX-License-Identifier: MIT */
/*
 * Paths and targets of requests. The path was percent-decoded by Phoenix, once
 * (protocol.md §3); the application decodes what is encoded here, once, and so
 * sees the same.
 */
#include <string.h>

#include "head.h"

static int
put_byte(struct buf *b, uint8_t c, bool encode)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!encode)
		return buf_putc(b, c);
	(void)buf_putc(b, '%');
	(void)buf_putc(b, (uint8_t)hex[c >> 4]);
	return buf_putc(b, (uint8_t)hex[c & 15]);
}

/* RFC 3986 §3.3: pchar without "%", and "/". */
static bool
is_path_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static bool
is_query_byte(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '#';
}

int
head_target(struct buf *b, struct json_str path, struct json_str query)
{
	size_t i;

	if (path.len == 0)
		(void)buf_putc(b, '/');
	for (i = 0; i < path.len; i++)
		(void)put_byte(b, path.data[i], !is_path_byte(path.data[i]));
	if (query.len > 0)
		(void)buf_putc(b, '?');
	for (i = 0; i < query.len; i++)
		(void)put_byte(b, query.data[i], !is_query_byte(query.data[i]));
	return buf_putc(b, '\0');
}

/* --- what a path comes to ------------------------------------------------- */

struct segment {
	const uint8_t *data;
	size_t len; /* without parameters, that is ";" and what follows */
};

/* The next segment, as the most lenient of servers would see it: "\" parts
 * segments like "/". False at the end. */
static bool
next_segment(struct json_str *rest, struct segment *out)
{
	size_t len = 0;
	bool params = false;

	if (rest->len == 0)
		return false;
	out->data = rest->data;
	out->len = 0;
	for (; len < rest->len && rest->data[len] != '/' &&
	     rest->data[len] != '\\';
	     len++) {
		params = params || rest->data[len] == ';';
		out->len += !params;
	}
	len += len < rest->len;
	rest->data += len;
	rest->len -= len;
	return true;
}

static bool
is_dots(const struct segment *s, size_t n)
{
	return s->len == n && s->data[0] == '.' && s->data[n - 1] == '.';
}

static bool
climbs_out(struct json_str path)
{
	struct segment s;
	size_t depth = 0;

	while (next_segment(&path, &s)) {
		if (is_dots(&s, 2) && depth-- == 0)
			return true;
		if (s.len > 0 && !is_dots(&s, 1) && !is_dots(&s, 2))
			depth++;
	}
	return false;
}

const char *
head_path_fault(struct json_str path)
{
	size_t i;

	if (path.len == 0)
		return NULL;
	for (i = 0; i < path.len; i++)
		if (path.data[i] < 0x20 || path.data[i] == 0x7f)
			return "path holds a control character";
	if (path.data[0] != '/')
		return "path does not begin with /";
	if (path.len > 1 && (path.data[1] == '/' || path.data[1] == '\\'))
		return "path begins with //, which names a host";
	if (climbs_out(path))
		return "path climbs out with ..";
	return NULL;
}

static void
drop_last(struct buf *b)
{
	while (b->len > 0 && b->data[--b->len] != '/')
		;
}

int
head_path_clean(struct buf *b, struct json_str path)
{
	struct segment s;

	while (next_segment(&path, &s)) {
		if (is_dots(&s, 2))
			drop_last(b);
		if (s.len == 0 || is_dots(&s, 1) || is_dots(&s, 2))
			continue;
		(void)buf_putc(b, '/');
		(void)buf_append(b, s.data, s.len);
	}
	return b->failed ? -1 : 0;
}
