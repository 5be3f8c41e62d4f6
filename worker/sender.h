/* SPDX-License-Identifier: MIT */
/*
 * The sending half of one connection: the queue (outbox.h), how fast it
 * empties (pace.h), and the two bounds on that: a peer that takes nothing, and
 * one message that takes too long. Whoever owns the socket writes.
 */
#ifndef WORKER_SENDER_H
#define WORKER_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox.h"
#include "pace.h"
#include "proto.h"

struct event_base;
struct sender;

struct sender_ops {
	/* The next message is a long one, and nothing can go between its
	 * fragments: what is urgent should be pushed now. */
	void (*on_long)(void *arg);
	/* A bound was passed: the connection is of no use. The sender may be
	 * stopped inside. */
	void (*on_stuck)(enum proto_reason, const char *text, void *arg);
};

struct sender_params {
	struct event_base *base;
	int64_t stall_ms;   /* without any byte leaving */
	int64_t message_ms; /* from first to last byte of one message */
	const struct sender_ops *ops;
	void *arg;
};

/* NULL when out of memory. Stopped at first. */
struct sender *sender_create(const struct sender_params *);
void sender_free(struct sender *); /* NULL is fine */

/* A fresh connection; fd is only asked how much it holds (SIOCOUTQ). */
void sender_start(struct sender *, int fd);
/* Ends all messages unsent. NULL is fine. */
void sender_stop(struct sender *);

/* Queues a message, or ends it unsent: no memory (then -1). */
int sender_push(struct sender *, const struct outbox_message *, bool urgent);

bool sender_is_empty(const struct sender *);

/* Bytes of memory that the queue holds and nobody else bounds. */
size_t sender_held(const struct sender *);

/* The next fragment, to be written at once, then sender_wrote. Not empty. */
void sender_read(
    struct sender *, uint8_t *out, size_t cap, struct outbox_fragment *);
void sender_wrote(struct sender *, const struct outbox_fragment *);

/* How it goes, as of now; good until the next call. */
const struct pace *sender_pace(struct sender *);

#endif
