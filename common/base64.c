/* SPDX-License-Identifier: MIT */
/* The encoder of base64.h. */
#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

bool
base64_encode(char *dst, size_t size, const uint8_t *data, size_t len)
{
	size_t i, left;
	uint32_t bits;

	if (size == 0 || (size - 1) / 4 < (len + 2) / 3)
		return false;
	for (i = 0; i < len; i += 3) {
		left = len - i;
		bits = (uint32_t)data[i] << 16;
		if (left > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			bits |= data[i + 2];
		*dst++ = alphabet[bits >> 18];
		*dst++ = alphabet[bits >> 12 & 63];
		*dst++ = (char)(left > 1 ? alphabet[bits >> 6 & 63] : '=');
		*dst++ = (char)(left > 2 ? alphabet[bits & 63] : '=');
	}
	*dst = '\0';
	return true;
}
