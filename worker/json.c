/* SPDX-License-Identifier: MIT */
/*
 * The scanner and the cursor. One pass over the bytes: skip_value finds the
 * end of a value and checks its grammar on the way, without recursion (a flag
 * per level says whether it is an object).
 */
#include <string.h>

#include "json.h"
#include "json_scan.h"
#include "utf8.h"

static uint8_t *
skip_space(uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* --- strings -------------------------------------------------------------- */

/* Past one escape sequence that begins at p, or NULL. */
static uint8_t *
skip_escape(uint8_t *p, const uint8_t *end)
{
	if (end - p < 2)
		return NULL;
	if (p[1] != 'u')
		return memchr("\"\\/bfnrt", p[1], 8) != NULL ? p + 2 : NULL;
	return end - p >= 6 && json_hex4(p + 2) >= 0 ? p + 6 : NULL;
}

/* p is behind the opening quote: returns the closing one, or NULL. ASCII is
 * looked at once only. */
static uint8_t *
skip_string(uint8_t *p, const uint8_t *end)
{
	uint8_t *begin = p;
	uint64_t w, seen = 0;

	while (p != NULL) {
		for (; end - p >= 8; p += 8) {
			memcpy(&w, p, sizeof(w));
			if (json_word_stops(w))
				break;
			seen |= w;
		}
		while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
			seen |= *p++;
		if (p == end || *p < 0x20)
			return NULL;
		if (*p == '"')
			break;
		p = skip_escape(p, end);
	}
	if (p != NULL && (seen & JSON_HIGHS) != 0 &&
	    !utf8_is_valid(begin, (size_t)(p - begin)))
		return NULL;
	return p;
}

/* --- numbers and words ---------------------------------------------------- */

static uint8_t *
skip_digits(uint8_t *p, const uint8_t *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* RFC 8259 §6; NULL when it is none. */
static uint8_t *
skip_number(uint8_t *p, const uint8_t *end)
{
	uint8_t *q;

	if (p < end && *p == '-')
		p++;
	q = skip_digits(p, end);
	if (q == p || (*p == '0' && q > p + 1))
		return NULL;
	if (q < end && *q == '.') {
		p = q + 1;
		q = skip_digits(p, end);
		if (q == p)
			return NULL;
	}
	if (q < end && (*q == 'e' || *q == 'E')) {
		p = q + 1;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		q = skip_digits(p, end);
		if (q == p)
			return NULL;
	}
	return q;
}

static uint8_t *
skip_word(uint8_t *p, const uint8_t *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - p) < len || memcmp(p, word, len) != 0)
		return NULL;
	return p + len;
}

static uint8_t *
skip_scalar(uint8_t *p, const uint8_t *end)
{
	switch (*p) {
	case '"':
		p = skip_string(p + 1, end);
		return p == NULL ? NULL : p + 1;
	case 't':
		return skip_word(p, end, "true");
	case 'f':
		return skip_word(p, end, "false");
	case 'n':
		return skip_word(p, end, "null");
	default:
		return skip_number(p, end);
	}
}

/* --- values --------------------------------------------------------------- */

/* Past "name" : and the white space around them, or NULL. */
static uint8_t *
skip_name(uint8_t *p, const uint8_t *end)
{
	p = skip_space(p, end);
	if (p == end || *p != '"' || (p = skip_string(p + 1, end)) == NULL)
		return NULL;
	p = skip_space(p + 1, end);
	if (p == end || *p != ':')
		return NULL;
	return skip_space(p + 1, end);
}

struct levels {
	bool object[JSON_DEPTH_MAX];
	unsigned depth;
};

/* Enters a container at p. Past its opening and, in an object, its first
 * name; *empty when it closed at once. */
static uint8_t *
open_container(struct levels *l, uint8_t *p, const uint8_t *end, bool *empty)
{
	bool object = *p == '{';

	*empty = false;
	if (l->depth == JSON_DEPTH_MAX)
		return NULL;
	p = skip_space(p + 1, end);
	if (p < end && *p == (object ? '}' : ']')) {
		*empty = true;
		return p + 1;
	}
	l->object[l->depth++] = object;
	return object ? skip_name(p, end) : p;
}

/* Behind a value: closes what closes, or goes on behind a comma. *more when
 * another value follows. */
static uint8_t *
close_containers(struct levels *l, uint8_t *p, const uint8_t *end, bool *more)
{
	*more = false;
	while (l->depth > 0) {
		bool object = l->object[l->depth - 1];

		p = skip_space(p, end);
		if (p == end)
			return NULL;
		if (*p == ',') {
			*more = true;
			return object ? skip_name(p + 1, end)
				      : skip_space(p + 1, end);
		}
		if (*p != (object ? '}' : ']'))
			return NULL;
		l->depth--;
		p++;
	}
	return p;
}

/* Past the value that begins at p (no white space before it), or NULL. */
static uint8_t *
skip_value(uint8_t *p, const uint8_t *end)
{
	struct levels l = {.depth = 0};
	bool more = true, empty;

	while (p != NULL && more) {
		if (p == end)
			return NULL;
		if (*p == '{' || *p == '[') {
			p = open_container(&l, p, end, &empty);
			if (p != NULL && !empty)
				continue;
		} else {
			p = skip_scalar(p, end);
		}
		if (p != NULL)
			p = close_containers(&l, p, end, &more);
	}
	return p;
}

static enum json_type
type_of(uint8_t c)
{
	switch (c) {
	case '"':
		return JSON_STRING;
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

/* Takes one value; returns what is behind it, or NULL. */
static uint8_t *
take_value(struct json_value *v, uint8_t *p, const uint8_t *end)
{
	uint8_t *after;

	p = skip_space(p, end);
	if (p == end || (after = skip_value(p, end)) == NULL)
		return NULL;
	v->type = type_of(*p);
	v->raw.data = p;
	v->raw.len = (size_t)(after - p);
	if (v->type == JSON_STRING) {
		v->raw.data++;
		v->raw.len -= 2;
	}
	return after;
}

bool
json_parse(struct json_value *v, uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;
	uint8_t *after;

	if (len == 0)
		return false;
	after = take_value(v, data, end);
	return after != NULL && skip_space(after, end) == end;
}

/* --- walking -------------------------------------------------------------- */

void
json_enter(struct json_cursor *c, const struct json_value *v)
{
	c->at = v->raw.data + 1;
	c->end = v->raw.data + v->raw.len - 1; /* the closing bracket */
	c->first = true;
	c->failed = false;
}

bool
json_open(struct json_cursor *c, enum json_type type, uint8_t *data, size_t len)
{
	uint8_t *end = data + len, *p = skip_space(data, end);
	bool object = type == JSON_OBJECT;

	while (end > p && skip_space(end - 1, end) == end)
		end--;
	c->failed = end - p < 2 || *p != (object ? '{' : '[') ||
	    end[-1] != (object ? '}' : ']');
	c->first = true;
	c->at = c->failed ? p : p + 1;
	c->end = c->failed ? p : end - 1;
	return !c->failed;
}

/* At the next element or member; false at the end or after a failure. */
static bool
step(struct json_cursor *c)
{
	if (c->failed)
		return false;
	c->at = skip_space(c->at, c->end);
	if (c->at == c->end)
		return false;
	if (!c->first) {
		if (*c->at != ',') {
			c->failed = true;
			return false;
		}
		c->at = skip_space(c->at + 1, c->end);
	}
	c->first = false;
	return true;
}

bool
json_next_element(struct json_cursor *c, struct json_value *v)
{
	uint8_t *after;

	if (!step(c))
		return false;
	after = take_value(v, c->at, c->end);
	if (after == NULL) {
		c->failed = true;
		return false;
	}
	c->at = after;
	return true;
}

bool
json_next_member(
    struct json_cursor *c, struct json_str *name, struct json_value *v)
{
	uint8_t *quote, *p;

	if (!step(c))
		return false;
	c->failed = true; /* until all is found */
	if (c->at == c->end || *c->at != '"')
		return false;
	quote = skip_string(c->at + 1, c->end);
	if (quote == NULL)
		return false;
	name->data = c->at + 1;
	name->len = (size_t)(quote - name->data);
	p = skip_space(quote + 1, c->end);
	if (p == c->end || *p != ':' ||
	    (p = take_value(v, p + 1, c->end)) == NULL)
		return false;
	c->at = p;
	c->failed = false;
	return true;
}

/* --- integers ------------------------------------------------------------ */

bool
json_int(const struct json_value *v, int64_t *out)
{
	const uint8_t *p = v->raw.data, *end = p + v->raw.len;
	bool negative;
	int64_t n = 0;

	if (v->type != JSON_NUMBER)
		return false;
	negative = *p == '-';
	for (p += negative; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false; /* a fraction or an exponent */
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, *p - '0', &n))
			return false;
	}
	/* Counted downwards, because INT64_MIN has no positive twin. */
	if (!negative && n == INT64_MIN)
		return false;
	*out = negative ? n : -n;
	return true;
}
