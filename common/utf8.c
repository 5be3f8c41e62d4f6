/* SPDX-License-Identifier: MIT */
/* RFC 3629 §4, with a fast way through ASCII. */
#include <string.h>

#include "utf8.h"

#define HIGH_BITS 0x8080808080808080ULL

/* Length of a character by its first byte, 0: none begins so. */
static size_t
char_len(uint8_t c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* The second byte carries what makes a form overlong, a surrogate, or too
 * large. */
static bool
is_second(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return (second & 0xc0) == 0x80;
	}
}

/* True when the n bytes at s (n >= 1) can begin a character. */
static bool
can_begin(const uint8_t *s, size_t n)
{
	size_t i, len = char_len(s[0]);

	if (len == 0 || n > len)
		return false;
	if (n >= 2 && !is_second(s[0], s[1]))
		return false;
	for (i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

static size_t
skip_ascii(const uint8_t *s, size_t i, size_t len)
{
	uint64_t word;

	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, s + i, sizeof(word));
		if ((word & HIGH_BITS) != 0)
			break;
	}
	while (i < len && s[i] < 0x80)
		i++;
	return i;
}

size_t
utf8_valid_len(const uint8_t *s, size_t len)
{
	size_t i = 0, n;

	for (;;) {
		i = skip_ascii(s, i, len);
		if (i == len)
			return i;
		n = char_len(s[i]);
		if (n == 0 || n > len - i || !can_begin(s + i, n))
			return i;
		i += n;
	}
}

bool
utf8_is_valid(const uint8_t *s, size_t len)
{
	return utf8_valid_len(s, len) == len;
}

size_t
utf8_cut(const uint8_t *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && (s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

void
utf8_init(struct utf8_state *u)
{
	memset(u, 0, sizeof(*u));
}

/* Completes the held character from s; returns how many bytes it took. */
static size_t
feed_held(struct utf8_state *u, const uint8_t *s, size_t len)
{
	size_t want = char_len(u->held[0]), taken = 0;

	while (u->held_len < want && taken < len)
		u->held[u->held_len++] = s[taken++];
	if (!can_begin(u->held, u->held_len))
		u->invalid = true;
	else if (u->held_len == want)
		u->held_len = 0;
	return taken;
}

void
utf8_feed(struct utf8_state *u, const uint8_t *s, size_t len)
{
	size_t n = 0;

	if (u->invalid || len == 0)
		return;
	if (u->held_len > 0)
		n = feed_held(u, s, len);
	if (u->invalid)
		return;
	n += utf8_valid_len(s + n, len - n);
	if (n == len)
		return;
	if (len - n >= sizeof(u->held) || !can_begin(s + n, len - n)) {
		u->invalid = true;
		return;
	}
	u->held_len = (uint8_t)(len - n);
	memcpy(u->held, s + n, len - n);
}

bool
utf8_is_complete(const struct utf8_state *u)
{
	return !u->invalid && u->held_len == 0;
}
