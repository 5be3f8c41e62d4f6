/* SPDX-License-Identifier: MIT */
/*
 * One pass over the bytes: skip() finds the end of a value and checks its
 * grammar on the way, without recursion (a bit per level says whether it is
 * an object).
 */
#include <string.h>

#include "json.h"
#include "utf8.h"

static uint8_t *
skip_space(uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* --- strings -------------------------------------------------------------- */

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* True when one of eight bytes is a quote, a backslash or a control. */
static bool
word_stops(uint64_t w)
{
	uint64_t quote = w ^ (ONES * '"'), slash = w ^ (ONES * '\\');

	return ((((w - ONES * 0x20) & ~w) | ((quote - ONES) & ~quote) |
		    ((slash - ONES) & ~slash)) &
		   HIGHS) != 0;
}

static int
hex4(const uint8_t *p)
{
	int i, v = 0;

	for (i = 0; i < 4; i++) {
		uint8_t c = p[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v |= (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return v;
}

/* Past one escape sequence that begins at p, or NULL. */
static uint8_t *
skip_escape(uint8_t *p, const uint8_t *end)
{
	if (end - p < 2)
		return NULL;
	if (p[1] != 'u')
		return memchr("\"\\/bfnrt", p[1], 8) != NULL ? p + 2 : NULL;
	return end - p >= 6 && hex4(p + 2) >= 0 ? p + 6 : NULL;
}

/* p is behind the opening quote: returns the closing one, or NULL. */
static uint8_t *
skip_string(uint8_t *p, const uint8_t *end)
{
	uint8_t *begin = p;
	uint64_t w;

	while (p != NULL) {
		for (; end - p >= 8; p += 8) {
			memcpy(&w, p, sizeof(w));
			if (word_stops(w))
				break;
		}
		while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
			p++;
		if (p == end || *p < 0x20)
			return NULL;
		if (*p == '"')
			return utf8_is_valid(begin, (size_t)(p - begin)) ? p
									 : NULL;
		p = skip_escape(p, end);
	}
	return NULL;
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

/* --- unescaping ----------------------------------------------------------- */

static uint8_t *
put_char(uint8_t *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (uint8_t)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (uint8_t)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		*out++ = (uint8_t)(0xe0 | c >> 12);
		*out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	} else {
		*out++ = (uint8_t)(0xf0 | c >> 18);
		*out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		*out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (uint8_t)(0x80 | (c & 0x3f));
	return out;
}

/* The character of "\uXXXX" or of a surrogate pair at p; -1 for a lone
 * surrogate. *used bytes of input. */
static int
unicode_escape(const uint8_t *p, const uint8_t *end, size_t *used)
{
	int c, low;

	*used = 6;
	if (end - p < 6 || (c = hex4(p + 2)) < 0)
		return -1;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return -1;
	low = hex4(p + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*used = 12;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static int
simple_escape(uint8_t c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = memchr(from, c, sizeof(from) - 1);

	return p == NULL ? -1 : to[p - from];
}

bool
json_unescape(struct json_str *s)
{
	uint8_t *in, *out, *end = s->data + s->len;
	size_t used;
	int c;

	in = s->len == 0 ? NULL : memchr(s->data, '\\', s->len);
	if (in == NULL)
		return true;
	for (out = in; in < end;) {
		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		if (end - in < 2)
			return false;
		used = 2;
		c = in[1] == 'u' ? unicode_escape(in, end, &used)
				 : simple_escape(in[1]);
		if (c < 0)
			return false;
		out = put_char(out, (unsigned)c);
		in += used;
	}
	s->len = (size_t)(out - s->data);
	return true;
}

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

/* --- writing -------------------------------------------------------------- */

/* The escape of one byte, or 0 when it goes as it is. */
static size_t
escape_byte(uint8_t c, uint8_t out[6])
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	static const char hex[] = "0123456789abcdef";
	const char *p;

	if (c >= 0x20 && c != '"' && c != '\\')
		return 0;
	p = memchr(from, c, sizeof(from) - 1);
	out[0] = '\\';
	if (p != NULL) {
		out[1] = (uint8_t)to[p - from];
		return 2;
	}
	memcpy(out + 1, "u00", 3);
	out[4] = (uint8_t)hex[c >> 4];
	out[5] = (uint8_t)hex[c & 15];
	return 6;
}

/* How many bytes from i on go as they are. */
static size_t
plain_len(const uint8_t *in, size_t i, size_t len)
{
	size_t begin = i;
	uint64_t w;

	for (; i + 8 <= len; i += 8) {
		memcpy(&w, in + i, sizeof(w));
		if (word_stops(w))
			break;
	}
	while (i < len && in[i] >= 0x20 && in[i] != '"' && in[i] != '\\')
		i++;
	return i - begin;
}

size_t
json_escape(
    const uint8_t *in, size_t len, size_t *taken, uint8_t *out, size_t cap)
{
	size_t i = 0, n = 0, run, e;
	uint8_t space[6];

	while (i < len) {
		run = plain_len(in, i, len);
		if (run > cap - n) /* whole characters only */
			run = utf8_cut(in + i, len - i, cap - n);
		memcpy(out + n, in + i, run);
		i += run;
		n += run;
		if (i == len || (e = escape_byte(in[i], space)) == 0 ||
		    e > cap - n)
			break;
		memcpy(out + n, space, e);
		n += e;
		i++;
	}
	*taken = i;
	return n;
}

int
json_put_str(struct buf *b, const void *data, size_t len)
{
	const uint8_t *in = data;
	size_t taken, n;
	uint8_t space[512];

	(void)buf_putc(b, '"');
	while (len > 0) {
		n = json_escape(in, len, &taken, space, sizeof(space));
		if (n == 0)
			break;
		(void)buf_append(b, space, n);
		in += taken;
		len -= taken;
	}
	return buf_putc(b, '"');
}
