/* SPDX-License-Identifier: MIT */
/* The printers of jsonout.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "jsonout.h"
#include "log.h"
#include "utf8.h"

/* No text that is printed here comes near: the bound of buf.h wants one. */
#define TEXT_MAX (1u << 20)

void
jsonout_put_string(struct buf *b, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t valid = utf8_valid_len(p, strlen(text));

	(void)buf_putc(b, '"');
	for (; *p != '\0'; p++) {
		if (valid == 0) {
			(void)buf_puts(b, "\\ufffd");
			valid = utf8_valid_len(p + 1, strlen((char *)p) - 1);
			continue;
		}
		valid--;
		if (*p == '"' || *p == '\\')
			(void)buf_printf(b, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			(void)buf_printf(b, "\\u%04x", *p);
		else if (*p == 0xc2 && p[1] < 0xa0) { /* a terminal obeys */
			(void)buf_printf(b, "\\u%04x", *++p);
			valid--;
		} else
			(void)buf_putc(b, *p);
	}
	(void)buf_putc(b, '"');
}

void
jsonout_put_text(struct buf *b, const char *name, const char *text)
{
	(void)buf_printf(b, ",\"%s\":", name);
	if (text == NULL || text[0] == '\0')
		(void)buf_puts(b, "null");
	else
		jsonout_put_string(b, text);
}

void
jsonout_put_int(struct buf *b, const char *name, int64_t v)
{
	(void)buf_printf(b, ",\"%s\":%" PRId64, name, v);
}

void
jsonout_put_bool(struct buf *b, const char *name, bool v)
{
	(void)buf_printf(b, ",\"%s\":%s", name, v ? "true" : "false");
}

void
jsonout_put_ms(struct buf *b, const char *name, int64_t us)
{
	if (us < 0)
		(void)buf_printf(b, ",\"%s\":null", name);
	else
		(void)buf_printf(b, ",\"%s\":%" PRId64 ".%03d", name, us / 1000,
		    (int)(us % 1000));
}

/* --- to standard output --------------------------------------------------- */

void
jsonout_string(const char *text)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	jsonout_put_string(&b, text);
	if (b.failed)
		fatalx("out of memory");
	(void)fwrite(b.data, 1, b.len, stdout);
	buf_clear(&b);
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
