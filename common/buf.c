/* SPDX-License-Identifier: MIT */
/* The growable buffer of buf.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define BUF_MIN 256

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_clear(b);
}

/* Doubles up to max: appends cost a constant on average. */
static int
grow(struct buf *b, size_t want)
{
	size_t cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;
	uint8_t *data;

	while (cap < want)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	data = realloc(b->data, cap);
	if (data == NULL)
		return -1;
	b->data = data;
	b->cap = cap;
	return 0;
}

uint8_t *
buf_reserve(struct buf *b, size_t len)
{
	if (b->failed || len > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if (b->len + len > b->cap && grow(b, b->len + len) == -1) {
		b->failed = true;
		return NULL;
	}
	/* Never NULL on success, not even for nothing in an empty buffer. */
	if (b->data == NULL && grow(b, 0) == -1)
		b->failed = true;
	return b->failed ? NULL : b->data + b->len;
}

int
buf_append(struct buf *b, const void *data, size_t len)
{
	uint8_t *to = buf_reserve(b, len);

	if (to == NULL)
		return -1;
	if (len > 0)
		memcpy(to, data, len);
	b->len += len;
	return 0;
}

int
buf_putc(struct buf *b, uint8_t c)
{
	return buf_append(b, &c, 1);
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len, rv;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0) {
		b->failed = true;
		return -1;
	}
	rv = buf_append(b, text, (size_t)len);
	free(text);
	return rv;
}

void
buf_consume(struct buf *b, size_t n)
{
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}
