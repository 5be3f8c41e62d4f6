/* SPDX-License-Identifier: MIT */
/*
 * scan: is this JSON?  A checker without recursion: depth costs one byte a
 * level, and that is bounded.
 */
#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "scan.h"

#define DEPTH_MAX 100000

struct scan {
	const char *p, *end;
	struct buf stack; /* '{' or '[' of each open level */
};

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

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && is_space(*s->p))
		s->p++;
}

int32_t
scan_hex4(const char *p, const char *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		v *= 16;
		if (is_digit(c))
			v += c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v += (c | 32) - 'a' + 10;
		else
			return -1;
	}
	return v;
}

static bool
take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* The escape behind a backslash; a surrogate must have its other half. */
static int
scan_escape(struct scan *s)
{
	int32_t v;

	if (s->p == s->end)
		return -1;
	if (*s->p != 'u') {
		if (*s->p == '\0' || strchr("\"\\/bfnrt", *s->p) == NULL)
			return -1;
		s->p++;
		return 0;
	}
	if ((v = scan_hex4(s->p + 1, s->end)) < 0)
		return -1;
	s->p += 5;
	if (v < 0xd800 || v > 0xdfff)
		return 0;
	if (v > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' ||
	    s->p[1] != 'u')
		return -1;
	v = scan_hex4(s->p + 2, s->end);
	s->p += 6;
	return v >= 0xdc00 && v <= 0xdfff ? 0 : -1;
}

static int
scan_string(struct scan *s)
{
	if (!take(s, '"'))
		return -1;
	while (s->p < s->end) {
		char c = *s->p++;

		if (c == '"')
			return 0;
		if ((unsigned char)c < 0x20)
			return -1;
		if (c == '\\' && scan_escape(s) == -1)
			return -1;
	}
	return -1;
}

static int
scan_digits(struct scan *s)
{
	if (s->p == s->end || !is_digit(*s->p))
		return -1;
	while (s->p < s->end && is_digit(*s->p))
		s->p++;
	return 0;
}

static int
scan_number(struct scan *s)
{
	take(s, '-');
	if (!take(s, '0') && scan_digits(s) == -1)
		return -1;
	if (take(s, '.') && scan_digits(s) == -1)
		return -1;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		return scan_digits(s);
	}
	return 0;
}

static int
scan_scalar(struct scan *s)
{
	static const char *const words[] = {"true", "false", "null"};

	if (s->p == s->end)
		return -1;
	if (*s->p == '"')
		return scan_string(s);
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(s->end - s->p) >= n &&
		    memcmp(s->p, words[i], n) == 0) {
			s->p += n;
			return 0;
		}
	}
	return scan_number(s);
}

static int
scan_key(struct scan *s)
{
	skip_space(s);
	if (scan_string(s) == -1)
		return -1;
	skip_space(s);
	return take(s, ':') ? 0 : -1;
}

/* Opens a container; 1 when it is closed again at once. */
static int
scan_open(struct scan *s)
{
	char open = *s->p++;

	if (s->stack.len >= DEPTH_MAX)
		return -1;
	skip_space(s);
	if (take(s, open == '{' ? '}' : ']'))
		return 1;
	buf_addc(&s->stack, open);
	return open == '{' ? scan_key(s) : 0;
}

/* Behind a value: 0 when another follows, 1 at the end of the document. */
static int
scan_after(struct scan *s)
{
	while (s->stack.len > 0) {
		char top = (char)s->stack.data[s->stack.len - 1];

		skip_space(s);
		if (take(s, ','))
			return top == '{' ? scan_key(s) : 0;
		if (!take(s, top == '{' ? '}' : ']'))
			return -1;
		s->stack.len--;
	}
	return 1;
}

static int
scan_value(struct scan *s)
{
	int r;

	do {
		skip_space(s);
		if (s->p < s->end && (*s->p == '{' || *s->p == '['))
			r = scan_open(s);
		else
			r = scan_scalar(s) == -1 ? -1 : 1;
		if (r == 1)
			r = scan_after(s);
	} while (r == 0);
	return r == 1 ? 0 : -1;
}

const char *
scan_document(const void *data, size_t len, size_t *value_len)
{
	struct scan s = {data, (const char *)data + len, BUF_INIT};
	const char *value;
	int r;

	if (len == 0)
		return NULL;
	skip_space(&s);
	value = s.p;
	r = scan_value(&s);
	*value_len = (size_t)(s.p - value);
	skip_space(&s);
	buf_clear(&s.stack);
	return r == 0 && s.p == s.end ? value : NULL;
}
