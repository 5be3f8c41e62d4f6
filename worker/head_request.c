/* SPDX-License-Identifier: MIT */
/* The head of a request, on its way to the backend. */
#include <string.h>
#include <strings.h>

#include "head.h"
#include "head_rules.h"
#include "util.h"

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
	if (!util_is_token((char *)name.data, name.len))
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
