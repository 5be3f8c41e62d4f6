/* SPDX-License-Identifier: MIT */
/*
 * buf: a growable run of bytes.  Every module builds its output in one.
 * Sizes that come from outside are bounded by the callers (http, ws) before
 * they get here, so running out of memory ends the process.
 */
#ifndef SWITCHBOARD_BUF_H
#define SWITCHBOARD_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
};

#define BUF_INIT           \
	{                  \
		NULL, 0, 0 \
	}

/* Append len bytes; data may be NULL when len is 0. */
void buf_add(struct buf *, const void *data, size_t len);
void buf_adds(struct buf *, const char *);
void buf_addc(struct buf *, int c);
void
buf_addf(struct buf *, const char *, ...) __attribute__((format(printf, 2, 3)));

/* Room for len more bytes at the end, counted in already; never NULL. */
uint8_t *buf_grow(struct buf *, size_t len);

/* The bytes as a string: a NUL is put behind them, not counted in len. */
char *buf_str(struct buf *);

/* Free the bytes; the struct is empty and usable again. */
void buf_clear(struct buf *);

/* strdup and calloc that end the process instead of failing. */
char *buf_strdup(const char *);
void *buf_calloc(size_t size);

#endif
