/* SPDX-License-Identifier: MIT */
/*
 * The body of one answer: collected in pieces, read in pieces. Kept in blocks,
 * so that growing never copies; judged for UTF-8 on the way in. Pure.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body;

/* Holds at most max bytes. NULL when out of memory. */
struct body *body_create(size_t max);
void body_free(struct body *); /* NULL is fine */

/* 0, or -1 with errno: EFBIG (more than max, nothing was taken) or ENOMEM. */
int body_append(struct body *, const void *, size_t len);

size_t body_len(const struct body *);

/* True when all of it is valid UTF-8 and no character is unfinished. */
bool body_is_text(const struct body *);

/* True when it is not, whatever may follow. */
bool body_is_binary(const struct body *);

/* Copies up to cap bytes from offset on; returns how many. Reading forwards
 * costs no search. */
size_t body_read(struct body *, size_t offset, uint8_t *out, size_t cap);

#endif
