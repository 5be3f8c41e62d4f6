/* SPDX-License-Identifier: MIT */
/* What stands between the quotes: unescaped where it stands, and escaped. */
#include <string.h>

#include "json.h"
#include "json_scan.h"
#include "utf8.h"

size_t
json_plain_len(const uint8_t *s, size_t len)
{
	size_t i = 0;
	uint64_t w;

	for (; len - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, s + i, sizeof(w));
		if (json_word_stops(w))
			break;
	}
	while (i < len && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
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
	if (end - p < 6 || (c = json_hex4(p + 2)) < 0)
		return -1;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return -1;
	low = json_hex4(p + 8);
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
	uint8_t *in = s->data, *out = in, *end = in + s->len;
	size_t run = json_plain_len(in, s->len), used;
	int c;

	for (in += run, out += run; in < end; in += run, out += run) {
		if (*in != '\\' || end - in < 2)
			return false;
		used = 2;
		c = in[1] == 'u' ? unicode_escape(in, end, &used)
				 : simple_escape(in[1]);
		if (c < 0)
			return false;
		out = put_char(out, (unsigned)c);
		in += used;
		run = json_plain_len(in, (size_t)(end - in));
		if (run > 0)
			memmove(out, in, run);
	}
	s->len = (size_t)(out - s->data);
	return true;
}

/* The longest name that is asked for, and six bytes for each of its. */
#define NAME_RAW_MAX (6 * 42)

bool
json_name_is(struct json_str raw, const char *text)
{
	uint8_t space[NAME_RAW_MAX];
	struct json_str s = {space, raw.len};

	if (memchr(raw.data, '\\', raw.len) == NULL)
		s.data = raw.data;
	else if (raw.len > sizeof(space))
		return false;
	else {
		memcpy(space, raw.data, raw.len);
		if (!json_unescape(&s))
			return false;
	}
	return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
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

size_t
json_escape(
    const uint8_t *in, size_t len, size_t *taken, uint8_t *out, size_t cap)
{
	size_t i = 0, n = 0, run, room, e;
	uint8_t space[6];

	while (i < len) {
		room = cap - n < len - i ? cap - n : len - i;
		run = json_plain_len(in + i, room);
		if (run == room && run < len - i) /* whole characters only */
			run = utf8_cut(in + i, len - i, room);
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
