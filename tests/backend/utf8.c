/* SPDX-License-Identifier: MIT */
/* The check that RFC 6455 asks for on text messages and close reasons. */
#include "utf8.h"

/*
 * The bytes that follow a first byte, and the range of the second, which
 * is where overlong forms, surrogates and the end of Unicode show.
 */
static size_t
lead(uint8_t c, uint8_t *low, uint8_t *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		return 1;
	if (c >= 0xe0 && c <= 0xef)
		return 2;
	if (c >= 0xf0 && c <= 0xf4)
		return 3;
	return 0;
}

bool
utf8_is_valid(const uint8_t *p, size_t len)
{
	uint8_t low, high;
	size_t more;

	for (size_t i = 0; i < len;) {
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		more = lead(p[i], &low, &high);
		if (more == 0 || len - i <= more)
			return false;
		if (p[i + 1] < low || p[i + 1] > high)
			return false;
		for (size_t k = 2; k <= more; k++)
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
		i += more + 1;
	}
	return true;
}
