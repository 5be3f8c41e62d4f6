/* SPDX-License-Identifier: MIT */
/*
 * record: what happened, for GET /admin/log: messages byte for byte, handshakes
 * and events, in a ring of at most 2000 entries and 64 MiB.
 */
#ifndef SWITCHBOARD_RECORD_H
#define SWITCHBOARD_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Bytes that came in or went out.  dir is "in" or "out"; what is "text",
 * "binary", "ping", "pong", "close", "handshake" or "raw"; frames is the
 * number of WebSocket frames they took.  Above 64 KiB the first 1 KiB is
 * kept.  Handshakes must come without their token.
 */
struct record_bytes {
	uint64_t socket;
	const char *dir, *what;
	const void *data;
	size_t len, frames;
};
void record_bytes(const struct record_bytes *);

/* Something that happened on a socket (0: none in particular). */
void record_event(uint64_t socket, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* All entries whose n is above since, one JSON object a line, appended. */
void record_put(struct buf *, uint64_t since);
/* The n of the newest entry. */
uint64_t record_last(void);
void record_free(void);

#endif
