/* SPDX-License-Identifier: MIT */
/*
 * json: walking checked text.  Nothing recurses; scan.c has checked the
 * document before, so the loops here trust its form.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "scan.h"
#include "text.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int
json_check(const void *data, size_t len, struct json *out)
{
	out->p = scan_document(data, len, &out->len);
	return out->p != NULL ? 0 : -1;
}

int
json_type(struct json j)
{
	if (j.p == NULL)
		return 0;
	return *j.p == '-' || is_digit(*j.p) ? '0' : *j.p;
}

static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p + 1;
}

/* Behind the value at p; the text has been checked. */
static const char *
skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	if (*p == '"')
		return skip_string(p);
	if (*p != '{' && *p != '[') {
		while (p < end && !is_space(*p) && *p != ',' && *p != ']' &&
		    *p != '}')
			p++;
		return p;
	}
	do {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
	} while (depth > 0);
	return p;
}

bool
json_next(
    struct json j, struct json_cursor *c, struct json *key, struct json *value)
{
	const char *p, *end;

	if (j.p == NULL || (*j.p != '{' && *j.p != '['))
		return false;
	end = j.p + j.len - 1;
	p = j.p + (c->at == 0 ? 1 : c->at);
	while (p < end && (is_space(*p) || *p == ','))
		p++;
	if (p == end)
		return false;
	if (*j.p == '{') {
		key->p = p;
		p = skip_string(p);
		key->len = (size_t)(p - key->p);
		while (is_space(*p) || *p == ':')
			p++;
	}
	value->p = p;
	p = skip_value(p, end);
	value->len = (size_t)(p - value->p);
	c->at = (size_t)(p - j.p);
	return true;
}

void
json_pick(struct json j, const char *const *keys, struct json *values, size_t n)
{
	struct json_cursor c = {0};
	struct json key, value;

	for (size_t i = 0; i < n; i++)
		values[i] = (struct json){NULL, 0};
	if (json_type(j) != '{')
		return;
	while (json_next(j, &c, &key, &value))
		for (size_t i = 0; i < n; i++)
			if (json_is_string(key, keys[i]))
				values[i] = value;
}

/* One escape at p (behind the backslash); returns what is behind it. */
static const char *
decode_escape(const char *p, const char *end, struct buf *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at;
	uint32_t v;

	if (*p != 'u') {
		at = strchr(from, *p);
		buf_addc(out, at != NULL ? to[at - from] : *p);
		return p + 1;
	}
	v = (uint32_t)scan_hex4(p + 1, end);
	p += 5;
	if (v >= 0xd800 && v <= 0xdbff) {
		v = 0x10000 + ((v - 0xd800) << 10) +
		    ((uint32_t)scan_hex4(p + 2, end) - 0xdc00);
		p += 6;
	}
	text_put_utf8(out, v);
	return p;
}

int
json_string(struct json j, struct buf *out)
{
	const char *p, *end, *run;

	if (json_type(j) != '"')
		return -1;
	end = j.p + j.len - 1;
	for (p = run = j.p + 1; p < end;) {
		if (*p != '\\') {
			p++;
			continue;
		}
		buf_add(out, run, (size_t)(p - run));
		run = p = decode_escape(p + 1, end, out);
	}
	buf_add(out, run, (size_t)(p - run));
	return 0;
}

char *
json_strdup(struct json j)
{
	struct buf out = BUF_INIT;

	if (json_string(j, &out) == -1)
		return NULL;
	if (out.len > 0 && memchr(out.data, 0, out.len) != NULL) {
		buf_clear(&out);
		return NULL;
	}
	return buf_str(&out);
}

bool
json_is_string(struct json j, const char *s)
{
	struct buf out = BUF_INIT;
	size_t len = strlen(s);
	bool same;

	if (json_type(j) != '"' || j.len < len + 2)
		return false;
	if (memchr(j.p, '\\', j.len) == NULL)
		return j.len == len + 2 && memcmp(j.p + 1, s, len) == 0;
	json_string(j, &out);
	same = out.len == len && memcmp(out.data, s, len) == 0;
	buf_clear(&out);
	return same;
}

int
json_int(struct json j, int64_t *out)
{
	char tmp[24];

	if (json_type(j) != '0' || j.len >= sizeof(tmp))
		return -1;
	memcpy(tmp, j.p, j.len);
	tmp[j.len] = '\0';
	return text_int(tmp, out);
}

/* Brackets and commas of iodata say nothing: read its leaves in a row. */
int
json_iodata(struct json j, bool code_points, struct buf *out)
{
	const char *p = j.p, *end = j.p + j.len;
	struct json leaf;
	int64_t v;

	if (json_type(j) != '"' && json_type(j) != '[')
		return -1;
	while (p < end) {
		if (is_space(*p) || *p == ',' || *p == '[' || *p == ']') {
			p++;
			continue;
		}
		leaf.p = p;
		p = skip_value(p, end);
		leaf.len = (size_t)(p - leaf.p);
		if (json_string(leaf, out) == 0)
			continue;
		if (json_int(leaf, &v) == -1 || v < 0 || v > 0x10ffff ||
		    (!code_points && v > 255) || (v >= 0xd800 && v <= 0xdfff))
			return -1;
		if (code_points)
			text_put_utf8(out, (uint32_t)v);
		else
			buf_addc(out, (int)v);
	}
	return 0;
}

static void
put_escape(struct buf *out, char c)
{
	buf_addc(out, '\\');
	buf_addc(out, c);
}

void
json_put(struct buf *out, const void *data, size_t len)
{
	static const char names[] = "\b\f\n\r\t", letters[] = "bfnrt";
	const char *p = data, *at;
	size_t run = 0, i;

	buf_addc(out, '"');
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, p + run, i - run);
		run = i + 1;
		if (c == '"' || c == '\\')
			put_escape(out, (char)c);
		else if (c != 0 && (at = strchr(names, c)) != NULL)
			put_escape(out, letters[at - names]);
		else {
			buf_add(out, "\\u00", 4);
			buf_addc(out, "01"[c >> 4]);
			buf_addc(out, "0123456789ABCDEF"[c & 15]);
		}
	}
	if (len > run)
		buf_add(out, p + run, len - run);
	buf_addc(out, '"');
}

void
json_puts(struct buf *out, const char *s)
{
	json_put(out, s, strlen(s));
}
