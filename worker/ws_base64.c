/* SPDX-License-Identifier: MIT */
/* Three bytes to four characters and back. */
#include "ws_base64.h"

static const uint8_t alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
ws_base64_encode(const uint8_t *in, size_t len, uint8_t *out)
{
	uint32_t v;

	for (; len >= 3; len -= 3, in += 3) {
		v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = alphabet[v >> 6 & 63];
		*out++ = alphabet[v & 63];
	}
	if (len == 0)
		return;
	v = (uint32_t)in[0] << 16 | (len == 2 ? (uint32_t)in[1] << 8 : 0);
	*out++ = alphabet[v >> 18];
	*out++ = alphabet[v >> 12 & 63];
	*out++ = len == 2 ? alphabet[v >> 6 & 63] : '=';
	*out = '=';
}

/* The six bits of a character, 64: it is none of the alphabet. */
static uint32_t
bits_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool
ws_base64_decode(struct json_str *text)
{
	uint8_t *in = text->data, *out = text->data;
	size_t i, pad = 0;

	if (text->len % 4 != 0)
		return false;
	if (text->len > 0 && in[text->len - 1] == '=')
		pad = in[text->len - 2] == '=' ? 2 : 1;
	for (i = 0; i < text->len; i += 4) {
		size_t have = i + 4 == text->len ? 4 - pad : 4, k;
		uint32_t v = 0;

		for (k = 0; k < 4; k++) {
			uint32_t b = k < have ? bits_of(in[i + k]) : 0;

			if (b == 64)
				return false;
			v = v << 6 | b;
		}
		if ((have == 3 && (v & 0xff) != 0) ||
		    (have == 2 && (v & 0xffff) != 0))
			return false;
		*out++ = (uint8_t)(v >> 16);
		if (have > 2)
			*out++ = (uint8_t)(v >> 8);
		if (have > 3)
			*out++ = (uint8_t)v;
	}
	text->len = (size_t)(out - text->data);
	return true;
}
