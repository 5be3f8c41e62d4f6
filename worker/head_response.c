/* SPDX-License-Identifier: MIT */
/* The head of an answer, on its way to plugboard. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "head.h"
#include "head_rules.h"
#include "utf8.h"
#include "util.h"

struct line {
	struct json_str name;
	const char *value;
	size_t len;
};

static bool
is_ows(char c)
{
	return c == ' ' || c == '\t';
}

static size_t
without_line_end(const char *line, size_t len)
{
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	return len;
}

/* NULL, or what is wrong with the line. */
static const char *
split(struct line *out, const char *line, size_t len)
{
	const char *colon, *end;

	len = without_line_end(line, len);
	if (len > 0 && is_ows(line[0]))
		return "a header field is folded over two lines";
	if (memchr(line, '\0', len) != NULL ||
	    memchr(line, '\r', len) != NULL || memchr(line, '\n', len) != NULL)
		return "a header field holds CR, LF or NUL";
	colon = memchr(line, ':', len);
	if (colon == NULL)
		return "a header line has no colon";
	end = line + len;
	out->name.data = (uint8_t *)(uintptr_t)line;
	out->name.len = (size_t)(colon - line);
	if (!util_is_token((char *)out->name.data, out->name.len))
		return "a header name is not a token";
	for (colon++; colon < end && is_ows(*colon);)
		colon++;
	while (end > colon && is_ows(end[-1]))
		end--;
	out->value = colon;
	out->len = (size_t)(end - colon);
	return NULL;
}

/* ISO-8859-1 to UTF-8; NULL when out of memory. */
static char *
transcode(const char *value, size_t len, size_t *out_len)
{
	uint8_t *out = malloc(2 * len + 1), *p = out;
	size_t i;

	if (out == NULL)
		return NULL;
	for (i = 0; i < len; i++) {
		uint8_t c = (uint8_t)value[i];

		if (c >= 0x80) {
			*p++ = (uint8_t)(0xc0 | c >> 6);
			c = 0x80 | (c & 0x3f);
		}
		*p++ = c;
	}
	*out_len = (size_t)(p - out);
	return (char *)out;
}

static struct head_field *
find(struct head *h, const struct json_str *name)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (strlen(h->field[i].name) == name->len &&
		    strncasecmp(h->field[i].name, (const char *)name->data,
			name->len) == 0)
			return &h->field[i];
	return NULL;
}

static void
to_lower_case(char *c)
{
	for (; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
}

/* Fields that mean something else when two values are joined. Of the others
 * that may come once only (Date, Server …) a joined value harms nobody. */
static bool
is_single(const char *name)
{
	static const char *const names[] = {
	    "content-range", "content-type", "etag", "location"};
	size_t i;

	for (i = 0; i < UTIL_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A further field of a name that is there already. */
static const char *
join(struct head *h, struct head_field *f, const char *value, size_t len)
{
	if (strcmp(f->name, "set-cookie") == 0) {
		h->cookies_dropped++;
		return NULL;
	}
	if (!is_single(f->name))
		return head_extend(h, f, value, len);
	return f->len == len && memcmp(f->value, value, len) == 0
	    ? NULL
	    : "a field that may come only once came with two values";
}

static const char *
put(struct head *h, const struct line *l, const char *value, size_t len)
{
	struct head_field *f = find(h, &l->name);
	size_t at = f == NULL ? 0 : f->len + 2; /* of this value in the field */
	const char *error = f != NULL ? join(h, f, value, len)
				      : head_append(h, &l->name, value, len);

	if (error != NULL)
		return error;
	if (f == NULL) {
		f = &h->field[h->count - 1];
		to_lower_case(f->name);
	}
	if (strcmp(f->name, "content-length") == 0)
		head_note_length(h, f->value + at);
	return NULL;
}

const char *
head_response_add(struct head *h, const char *line, size_t len)
{
	struct line l;
	const char *error = split(&l, line, len);
	char *copy;
	size_t copy_len;

	if (error != NULL)
		return error;
	if (utf8_is_valid((const uint8_t *)l.value, l.len))
		return put(h, &l, l.value, l.len);
	copy = transcode(l.value, l.len, &copy_len);
	if (copy == NULL)
		return "out of memory";
	error = put(h, &l, copy, copy_len);
	free(copy);
	return error;
}

size_t
head_response_finish(struct head *h)
{
	head_strip(h);
	return h->cookies_dropped;
}
