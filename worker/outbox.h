/* SPDX-License-Identifier: MIT */
/*
 * Messages on their way out of one WebSocket, cut into fragments (RFC 6455
 * §5.4). Nothing can go between the fragments of one message, so an urgent one
 * waits for what has begun and passes the rest. Knows no socket.
 */
#ifndef WORKER_OUTBOX_H
#define WORKER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Encoded piece by piece, so that a long message never has to stand in memory
 * whole. */
struct outbox_message {
	/* Writes up to cap bytes, sets *done with the last of them. */
	size_t (*read)(void *arg, uint8_t *out, size_t cap, bool *done);
	/* Called once: sent whole (handed to the kernel), or discarded. */
	void (*end)(void *arg, bool sent);
	void *arg;
	size_t len;  /* about how long it will be, 0: short */
	size_t held; /* bytes of memory that nobody else bounds, or 0 */
	/* Its place among others does not matter: a long one lets those pass
	 * that come later, see below. */
	bool yields;
	/* Called as its last byte is handed to the kernel, before end; or
	 * NULL. */
	void (*sent)(void *sent_arg);
	void *sent_arg;
};

struct outbox_entry;

/*
 * A message that yields and is this long waits until nothing else is left, so
 * that of several long ones at most one stands before a short one; but not
 * until more than OUTBOX_PASS_MAX bytes have gone by.
 */
#define OUTBOX_LONG (256 * 1024)
#define OUTBOX_PASS_MAX (4 * 1024 * 1024)

struct outbox {
	TAILQ_HEAD(outbox_list, outbox_entry) list;
	struct outbox_list late; /* those that wait */
	size_t passed;		 /* bytes, since one of them might begin */
	size_t count;
	size_t held; /* of all messages */
};

void outbox_init(struct outbox *);

/* Ends all messages unsent. */
void outbox_clear(struct outbox *);

/* Queues a message. Without memory it is ended unsent and -1 returned. */
int outbox_push(struct outbox *, const struct outbox_message *, bool urgent);

/* A copy of len bytes as a message, for outbox_push. 0, or -1: no memory. */
int outbox_text(struct outbox_message *, const uint8_t *data, size_t len);

bool outbox_is_empty(const struct outbox *);

/* The first message when nothing of it was read yet, else NULL. */
const struct outbox_message *outbox_fresh(struct outbox *);

struct outbox_fragment {
	size_t len;
	bool first, last; /* of its message */
};

/* Encodes the next fragment of the first message. The outbox is not empty. */
void outbox_read(
    struct outbox *, uint8_t *out, size_t cap, struct outbox_fragment *);

/* After the last fragment was written: ends that message as sent. */
void outbox_pop(struct outbox *);

#endif
