/* SPDX-License-Identifier: MIT */
/* The parser of via_head.h. */
#include <string.h>

#include "via_head.h"

size_t
via_head_len(const char *data, size_t len)
{
	size_t i, line = 0; /* bytes of the line so far, CR not counted */

	for (i = 0; i < len; i++) {
		if (data[i] == '\n') {
			if (line == 0 && i > 1)
				return i + 1;
			line = 0;
		} else if (data[i] != '\r') {
			line++;
		}
	}
	return 0;
}

int
via_head_status(const char *data, size_t len)
{
	int i, status = 0;

	if (len < 13 || memcmp(data, "HTTP/1.", 7) != 0 ||
	    (data[7] != '0' && data[7] != '1') || data[8] != ' ')
		return -1;
	for (i = 9; i < 12; i++) {
		if (data[i] < '0' || data[i] > '9')
			return -1;
		status = status * 10 + (data[i] - '0');
	}
	if (data[12] != ' ' && data[12] != '\r' && data[12] != '\n')
		return -1;
	return status >= 100 ? status : -1;
}
