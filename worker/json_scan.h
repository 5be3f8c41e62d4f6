/* SPDX-License-Identifier: MIT */
/* What json.c shares with json_string.c, and with nobody else. */
#ifndef WORKER_JSON_SCAN_H
#define WORKER_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_ONES 0x0101010101010101ULL
#define JSON_HIGHS 0x8080808080808080ULL

/* True when one of eight bytes is a quote, a backslash or a control: the
 * subtraction borrows into the high bit of the first such byte, and the
 * complement keeps bytes above 0x7f out of it. */
static inline bool
json_word_stops(uint64_t w)
{
	uint64_t quote = w ^ (JSON_ONES * '"'), slash = w ^ (JSON_ONES * '\\');

	return ((((w - JSON_ONES * 0x20) & ~w) |
		    ((quote - JSON_ONES) & ~quote) |
		    ((slash - JSON_ONES) & ~slash)) &
		   JSON_HIGHS) != 0;
}

/* The value of four hexadecimal digits, or -1. */
static inline int
json_hex4(const uint8_t *p)
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

#endif
