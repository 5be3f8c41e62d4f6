/* SPDX-License-Identifier: MIT */
/*
 * A conversation with the worker (watch.h), by way of the supervisor, which
 * hands the socket over. It never waits: whoever has it polls its descriptor
 * (POLLIN), and every state but LINK_READY has its bound in time, so that a
 * worker that is stuck is found out. What comes is held against proto_check()
 * first.
 */
#ifndef SUPERVISOR_TELEPHONECTL_LINK_H
#define SUPERVISOR_TELEPHONECTL_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "ipc.h"
#include "watch.h"

enum link_state {
	LINK_DOWN,
	LINK_CALLED, /* until the worker greets */
	LINK_READY,
	LINK_ASKED, /* until it answers */
};

#define LINK_WHY_MAX 256
/* Beyond what an answer may wait for. */
#define LINK_ANSWER_MS 3000

struct link {
	enum link_state state;
	int fd; /* -1: down */
	int64_t due_ms;
	struct watch_greeting greeting; /* of the last worker that did */
	int code;			/* an exit code for the last end … */
	char why[LINK_WHY_MAX];		/* … and for people: plain text */
	uint8_t space[IPC_FRAME_MAX];
};

void link_init(struct link *);

/* Calls at this control socket. 0, or -1 and down. */
int link_open(struct link *, const char *path);
void link_close(struct link *);

/* Only when ready. The answer may take as long as wait_ms and
 * LINK_ANSWER_MS. */
void link_ask(struct link *, uint16_t type, const void *payload, int len,
    int64_t wait_ms);

/* Takes what has come, without waiting: 1 and the answer, whose payload is
 * valid until the next call; 0: none yet (look at the state); -1: it is over,
 * and why. */
int link_read(struct link *, struct ipc_frame *);

/* Over, because what it sent cannot be read: -1. */
int link_refuse(struct link *, const char *what);

/* When link_read must be called at the latest, -1: at no time. */
int64_t link_due_ms(const struct link *);

#endif
