/* SPDX-License-Identifier: MIT */
/*
 * Fragments of one WebSocket message (RFC 6455 §5.4) on their way in, put
 * together up to a bound; of a message that is longer the size is known at its
 * end, and its envelope. Knows no socket.
 */
#ifndef WORKER_INBOX_H
#define WORKER_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "envelope.h"

struct inbox {
	struct buf buf;
	size_t max;
	bool skip; /* the message is too long, or there is no memory for it */
	size_t skipped;
	struct envelope envelope; /* of what is skipped */
};

void inbox_init(struct inbox *, size_t max);
void inbox_clear(struct inbox *);

/* A message begins, whose first frame is so long: when that is too long
 * already, nothing of it is held. What was left of another one is forgotten. */
void inbox_begin(struct inbox *, size_t frame_len);

/* A piece of it: kept unless it makes the message too long. */
void inbox_append(struct inbox *, const void *, size_t);

/* The whole size of the message, whether it was kept or not. */
size_t inbox_size(const struct inbox *);

/* Takes the message out, so that whoever reads it may clear the inbox. */
struct buf inbox_take(struct inbox *);
/* Gives the buffer back for the next one; a large one is freed instead. */
void inbox_give(struct inbox *, struct buf *);

#endif
