/* SPDX-License-Identifier: MIT */
/* The lists of pin.h. */
#include <stdbool.h>
#include <string.h>

#include "pin.h"

/* 32 bytes are 43 digits and one "=" (RFC 4648 §4). */
#define DIGITS 43

static int
digit(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c == '\0' ? NULL : strchr(alphabet, c);

	return p == NULL ? -1 : (int)(p - alphabet);
}

/* Strict: the bits that are over must be zero. */
static bool
decode(uint8_t *out, const char *s)
{
	uint32_t bits = 0;
	int i, d, have = 0;

	for (i = 0; i < DIGITS; i++) {
		d = digit(s[i]);
		if (d == -1)
			return false;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*out++ = (uint8_t)(bits >> have);
		}
	}
	return (bits & 3) == 0 && s[DIGITS] == '=';
}

static const char *
skip_prefix(const char *s)
{
	if (strncmp(s, "sha256/", 7) != 0)
		return s;
	return s[7] == '/' ? s + 8 : s + 7;
}

int
pin_parse(uint8_t pins[PIN_MAX][PIN_LEN], const char *list)
{
	int count = 0;
	size_t len;

	list += strspn(list, " \t");
	if (*list == '\0')
		return 0;
	for (;; list++) {
		list = skip_prefix(list + strspn(list, " \t"));
		len = strcspn(list, ", \t");
		if (count == PIN_MAX || len != DIGITS + 1 ||
		    !decode(pins[count], list))
			return -1;
		count++;
		list += len;
		list += strspn(list, " \t");
		if (*list != ',')
			return *list == '\0' ? count : -1;
	}
}
