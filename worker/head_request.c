/* SPDX-License-Identifier: MIT */
/* The head of a request, on its way to the backend. */
#include <string.h>
#include <strings.h>

#include "head.h"
#include "head_rules.h"
#include "request.h"

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

	if (path.len == 0 || path.data[0] != '/')
		(void)buf_putc(b, '/');
	for (i = 0; i < path.len; i++)
		(void)put_byte(b, path.data[i], !is_path_byte(path.data[i]));
	if (query.len > 0)
		(void)buf_putc(b, '?');
	for (i = 0; i < query.len; i++)
		(void)put_byte(b, query.data[i], !is_query_byte(query.data[i]));
	return buf_putc(b, '\0');
}

/* RFC 9110 §5.5: no CR, LF, NUL; other controls are refused with them, since
 * servers disagree on what they mean. */
static bool
is_value(struct json_str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((s.data[i] < 0x20 && s.data[i] != '\t') ||
		    s.data[i] == 0x7f)
			return false;
	return true;
}

static bool
is_ows(uint8_t c)
{
	return c == ' ' || c == '\t';
}

const char *
head_request_add(struct head *h, struct json_str name, struct json_str value)
{
	if (!request_is_token(name.data, name.len))
		return "a header name is not a token";
	if (!is_value(value))
		return "a header value holds a control character";
	while (value.len > 0 && is_ows(value.data[0])) {
		value.data++;
		value.len--;
	}
	while (value.len > 0 && is_ows(value.data[value.len - 1]))
		value.len--;
	return head_append(h, &name, (const char *)value.data, value.len);
}

int64_t
head_request_finish(struct head *h)
{
	const struct head_field *f = head_find(h, "content-length");

	if (f != NULL)
		head_note_length(h, f->value);
	head_strip(h);
	return h->length_bad ? -1 : h->length;
}
