/* SPDX-License-Identifier: MIT */
/*
 * One IPC connection in a libevent loop: receives frames, holds each against
 * proto_check() before anyone sees it, and queues what the socket does not
 * take. The only file in common that knows a loop; telephonectl does not
 * link it.
 */
#ifndef COMMON_PEER_H
#define COMMON_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

struct event_base;
struct peer;

enum peer_end {
	PEER_EOF,      /* the other side closed */
	PEER_ERROR,    /* errno says which */
	PEER_BREACH,   /* it sent what it may not: already logged */
	PEER_OVERFLOW, /* it does not read: the queue is full, already logged */
};

struct peer_ops {
	/* A frame that passed proto_check. Payload and descriptor are borrowed:
	 * keep the descriptor by setting frame->fd to -1, else it is closed
	 * after the call. The peer may be freed inside. */
	void (*on_frame)(struct peer *, struct ipc_frame *frame, void *arg);
	/* The connection is over: called once, nothing after it. The owner
	 * calls peer_free (now or later). */
	void (*on_end)(struct peer *, enum peer_end, void *arg);
};

struct peer_params {
	struct event_base *base;
	int fd; /* non-blocking SEQPACKET; owned by the peer from now on */
	enum proto_role self, other;
	const struct peer_ops *ops;
	void *arg;
};

/* Never NULL: out of memory is fatal. Starts in PROTO_NEW. */
struct peer *peer_create(const struct peer_params *);

/* Closes and frees; queued frames are dropped. NULL is fine. */
void peer_free(struct peer *);

/* Frees it, and gives the descriptor back with whatever is yet to be read. */
int peer_release(struct peer *);

enum proto_state peer_state(const struct peer *);
void peer_set_state(struct peer *, enum proto_state);

/* Tries to send what is queued now, without waiting. */
void peer_flush(struct peer *);

/* How many frames are queued because the socket takes no more. */
size_t peer_waiting(const struct peer *);

/*
 * Sends or queues one message. The descriptor is duplicated, so it stays the
 * caller's; -1: none. A message that the table does not allow is our own
 * mistake and fatal. After the end of the connection it does nothing.
 */
void peer_send(struct peer *, uint16_t type, uint32_t id, const void *payload,
    size_t len, int fd);

/* The same with the result of a proto_put_* in space; len < 0 is fatal. */
void peer_send_put(
    struct peer *, uint16_t type, uint32_t id, const uint8_t *space, int len);

/* Without payload. */
void peer_send_empty(struct peer *, uint16_t type, uint32_t id);

#endif
