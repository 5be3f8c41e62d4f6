/* SPDX-License-Identifier: MIT */
/* buf: growable bytes, used everywhere; knows nothing of what it holds. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

static void
reserve(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 64;

	if (more > SIZE_MAX / 4 - b->len)
		abort();
	while (cap < b->len + more)
		cap *= 2;
	if (cap == b->cap)
		return;
	if ((b->data = realloc(b->data, cap)) == NULL) {
		fputs("switchboard: out of memory\n", stderr);
		abort();
	}
	b->cap = cap;
}

uint8_t *
buf_grow(struct buf *b, size_t len)
{
	reserve(b, len + 1);
	b->len += len;
	return b->data + b->len - len;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (len > 0)
		memcpy(buf_grow(b, len), data, len);
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, int c)
{
	*buf_grow(b, 1) = (uint8_t)c;
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	buf_add(b, s, (size_t)n);
	free(s);
}

char *
buf_str(struct buf *b)
{
	reserve(b, 1);
	b->data[b->len] = '\0';
	return (char *)b->data;
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

char *
buf_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		abort();
	return p;
}

void *
buf_calloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		abort();
	return p;
}
