/* SPDX-License-Identifier: MIT */
/*
 * wsframe: one WebSocket frame and the upgrade's bytes (RFC 6455), pure.
 * Used by ws only.
 */
#ifndef SWITCHBOARD_WSFRAME_H
#define SWITCHBOARD_WSFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define WSFRAME_HEAD_MAX 14

struct wsframe {
	int opcode;
	bool fin, masked, reserved; /* reserved: an RSV bit */
	uint64_t len;
	uint8_t mask[4];
};

/*
 * Parse a frame head.  Returns its length, 0 when bytes are missing.  A head
 * without mask is complete as soon as its second byte is there.
 */
size_t wsframe_parse(struct wsframe *, const uint8_t *, size_t);

/* Unmask n payload bytes that begin at this offset of the payload. */
void wsframe_unmask(const struct wsframe *, uint64_t at, uint8_t *, size_t);

/* Append an unmasked frame. */
void wsframe_put(struct buf *, int opcode, bool fin, const void *, size_t);

/* Append the 101 answer to this key. */
void wsframe_put_upgrade(struct buf *, const char *key, const char *protocol);

#endif
