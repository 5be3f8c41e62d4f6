/* SPDX-License-Identifier: MIT */
/* text: pure conversions of bytes; knows no socket and keeps no state. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "text.h"

static bool
is_tail(const uint8_t *p, const uint8_t *end, size_t n)
{
	if ((size_t)(end - p) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Length of the well-formed sequence at p, 0 when there is none. */
static size_t
sequence(const uint8_t *p, const uint8_t *end)
{
	uint8_t c = p[0];

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return is_tail(p + 1, end, 1) ? 2 : 0;
	if ((c & 0xf0) == 0xe0) {
		if (!is_tail(p + 1, end, 2) || (c == 0xe0 && p[1] < 0xa0) ||
		    (c == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (!is_tail(p + 1, end, 3) || (c == 0xf0 && p[1] < 0x90) ||
		    (c == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

bool
text_is_utf8(const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;
	uint64_t word;
	size_t n;

	if (len == 0)
		return true;
	while (p < end) {
		if (end - p >= 8) {
			memcpy(&word, p, 8);
			if ((word & 0x8080808080808080ULL) == 0) {
				p += 8;
				continue;
			}
		}
		if ((n = sequence(p, end)) == 0)
			return false;
		p += n;
	}
	return true;
}

bool
text_is_token(const void *data, size_t len)
{
	const char *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] == '\0' ||
		    (!isalnum((unsigned char)p[i]) &&
			strchr("!#$%&'*+-.^_`|~", p[i]) == NULL))
			return false;
	return len > 0;
}

void
text_base64(struct buf *out, const void *data, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;
	uint8_t *o = buf_grow(out, (len + 2) / 3 * 4);

	for (; len > 0; p += 3, o += 4) {
		uint32_t v = (uint32_t)p[0] << 16;

		if (len > 1)
			v |= (uint32_t)p[1] << 8;
		if (len > 2)
			v |= p[2];
		o[0] = (uint8_t)alphabet[v >> 18];
		o[1] = (uint8_t)alphabet[v >> 12 & 63];
		o[2] = len > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
		o[3] = len > 2 ? (uint8_t)alphabet[v & 63] : '=';
		if (len <= 3)
			break;
		len -= 3;
	}
}

static int
sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
text_unbase64(const void *data, size_t len, struct buf *out)
{
	const uint8_t *p = data;
	size_t pad = 0, n;

	if (len % 4 != 0)
		return -1;
	if (len > 0 && p[len - 1] == '=')
		pad = p[len - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;

		n = i + 4 == len ? 4 - pad : 4;
		for (size_t k = 0; k < 4; k++) {
			int s = k < n ? sextet(p[i + k]) : 0;

			if (s < 0)
				return -1;
			v = v << 6 | (uint32_t)s;
		}
		for (size_t k = 0; k + 1 < n; k++)
			buf_addc(out, (int)(v >> (16 - 8 * k) & 255));
	}
	return 0;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
text_percent_decode(const char *s, size_t len, bool plus, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '+' && plus) {
			buf_addc(out, ' ');
		} else if (s[i] != '%') {
			buf_addc(out, s[i]);
		} else {
			if (len - i < 3 || nibble(s[i + 1]) < 0 ||
			    nibble(s[i + 2]) < 0)
				return -1;
			buf_addc(out, nibble(s[i + 1]) * 16 + nibble(s[i + 2]));
			i += 2;
		}
	}
	return 0;
}

int
text_unhex(const char *s, struct buf *out)
{
	for (; *s != '\0'; s += 2) {
		if (nibble(s[0]) < 0 || nibble(s[1]) < 0)
			return -1;
		buf_addc(out, nibble(s[0]) * 16 + nibble(s[1]));
	}
	return 0;
}

char *
text_query_get(const char *query, const char *key)
{
	size_t key_len = strlen(key);
	const char *found = NULL, *end;
	struct buf out = BUF_INIT;

	for (const char *p = query; *p != '\0';) {
		end = p + strcspn(p, "&");
		if (strncmp(p, key, key_len) == 0 && p[key_len] == '=')
			found = p + key_len + 1;
		p = *end == '&' ? end + 1 : end;
	}
	if (found == NULL)
		return NULL;
	if (text_percent_decode(found, strcspn(found, "&"), true, &out) ||
	    (out.len > 0 && memchr(out.data, 0, out.len) != NULL)) {
		buf_clear(&out);
		return NULL;
	}
	return buf_str(&out);
}

int
text_int(const char *s, int64_t *out)
{
	char *end;
	long long v;

	if (!isdigit((unsigned char)s[0]) && s[0] != '-')
		return -1;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0')
		return -1;
	*out = v;
	return 0;
}

void
text_put_utf8(struct buf *out, uint32_t cp)
{
	if (cp < 0x80) {
		buf_addc(out, (int)cp);
		return;
	}
	if (cp < 0x800) {
		buf_addc(out, (int)(0xc0 | cp >> 6));
	} else if (cp < 0x10000) {
		buf_addc(out, (int)(0xe0 | cp >> 12));
		buf_addc(out, (int)(0x80 | (cp >> 6 & 63)));
	} else {
		buf_addc(out, (int)(0xf0 | cp >> 18));
		buf_addc(out, (int)(0x80 | (cp >> 12 & 63)));
		buf_addc(out, (int)(0x80 | (cp >> 6 & 63)));
	}
	buf_addc(out, (int)(0x80 | (cp & 63)));
}

void
text_sha256(const void *data, size_t len, char out[TEXT_SHA256_SIZE])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (!EVP_Digest(data, len, md, &n, EVP_sha256(), NULL))
		abort();
	for (unsigned int i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", md[i]);
}

void
text_uuid(char out[TEXT_UUID_SIZE])
{
	unsigned char r[16];
	int at = 0;

	if (RAND_bytes(r, sizeof(r)) != 1)
		abort();
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		snprintf(out + at, 3, "%02x", r[i]);
		at += 2;
	}
}

void
text_lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}
