/* SPDX-License-Identifier: MIT */
/* The contents behind /bytes, /utf8 and /binary. */
#include "pattern.h"

#define ASCII_LEN 61
#define UTF8_LEN 13

static const uint8_t ascii[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX\n";
static const uint8_t utf8[] = "a"
			      "\xc3\xa9"
			      "\xe2\x82\xac"
			      "\xf0\x9f\x98\x80"
			      " z\n";

/* Where in the unit each byte's character begins, and how long it is. */
static const uint8_t utf8_start[UTF8_LEN] = {
    0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 12};
static const uint8_t utf8_size[UTF8_LEN] = {
    1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 1, 1, 1};

_Static_assert(sizeof(ascii) == ASCII_LEN + 1, "the length of a line");
_Static_assert(sizeof(utf8) == UTF8_LEN + 1, "the length of a unit");

void
pattern_ascii(uint8_t *buf, size_t len, uint64_t off, uint64_t total)
{
	size_t at = (size_t)(off % ASCII_LEN);

	(void)total;
	for (size_t i = 0; i < len; i++) {
		buf[i] = ascii[at];
		if (++at == ASCII_LEN)
			at = 0;
	}
}

void
pattern_utf8(uint8_t *buf, size_t len, uint64_t off, uint64_t total)
{
	size_t at = (size_t)(off % UTF8_LEN);

	for (size_t i = 0; i < len; i++) {
		uint64_t start = off + i - at + utf8_start[at];

		buf[i] = utf8[at];
		if (start + utf8_size[at] > total)
			buf[i] = '.';
		if (++at == UTF8_LEN)
			at = 0;
	}
}

void
pattern_binary(uint8_t *buf, size_t len, uint64_t off, uint64_t total)
{
	(void)total;
	for (size_t i = 0; i < len; i++, off++)
		buf[i] = (uint8_t)(off * 7 + off / 256 + off / 65536);
}
