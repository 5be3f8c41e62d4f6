/* SPDX-License-Identifier: MIT */
/* The printers of jsonout.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jsonout.h"
#include "utf8.h"

void
jsonout_string(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t valid = utf8_valid_len(p, strlen(text));

	(void)putchar('"');
	for (; *p != '\0'; p++) {
		if (valid == 0) {
			(void)printf("\\ufffd");
			valid = utf8_valid_len(p + 1, strlen((char *)p) - 1);
			continue;
		}
		valid--;
		if (*p == '"' || *p == '\\')
			(void)printf("\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			(void)printf("\\u%04x", *p);
		else if (*p == 0xc2 && p[1] < 0xa0) { /* a terminal obeys */
			(void)printf("\\u%04x", *++p);
			valid--;
		} else
			(void)putchar(*p);
	}
	(void)putchar('"');
}

void
jsonout_text(const char *name, const char *text)
{
	(void)printf(",\"%s\":", name);
	jsonout_string(text);
}

void
jsonout_int(const char *name, int64_t v)
{
	(void)printf(",\"%s\":%" PRId64, name, v);
}

void
jsonout_bool(const char *name, bool v)
{
	(void)printf(",\"%s\":%s", name, v ? "true" : "false");
}
