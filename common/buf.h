/* SPDX-License-Identifier: MIT */
/*
 * A growable byte buffer with a bound. A failed append (bound reached, out of
 * memory) sets `failed`, and everything appended after that is ignored: the
 * caller may build a whole message and ask once at the end.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* NULL while empty */
	size_t len;
	size_t cap;
	size_t max;  /* bound on len */
	bool failed; /* sticky until buf_clear or buf_reset */
};

/* An empty buffer that will hold at most max bytes. Allocates nothing. */
void buf_init(struct buf *, size_t max);

/* Frees the memory; the buffer is empty and usable again. */
void buf_clear(struct buf *);

/* Empties the buffer but keeps its memory for the next use. */
void buf_reset(struct buf *);

/* Overwrites the whole memory, then frees it: for tokens. */
void buf_wipe(struct buf *);

/* Each returns 0, or -1 with `failed` set. */
int buf_append(struct buf *, const void *data, size_t len);
int buf_putc(struct buf *, uint8_t c);
int buf_puts(struct buf *, const char *s);
int buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for len more bytes and returns where they go (the caller adds
 * what it wrote to b->len), or NULL with `failed` set. */
uint8_t *buf_reserve(struct buf *, size_t len);

/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *, size_t n);

#endif
