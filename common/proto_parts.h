/* SPDX-License-Identifier: MIT */
/* What the encodings of proto.h share, and nobody else needs. */
#ifndef COMMON_PROTO_PARTS_H
#define COMMON_PROTO_PARTS_H

#include "pack.h"
#include "proto.h"

/* A payload of IPC_PAYLOAD_MAX bytes at most, and its length, or -1. */
struct pack proto_begin(uint8_t *space);
int proto_end(const struct pack *);
/* One of `count` values; anything else fails the message. */
void proto_put_enum(struct pack *, unsigned v, unsigned count);

struct unpack proto_open_frame(const struct ipc_frame *);
int proto_done(const struct unpack *); /* 0 or -1 */
unsigned proto_get_enum(struct unpack *, unsigned count);
bool proto_get_bool(struct unpack *);

#endif
