/* SPDX-License-Identifier: MIT */
/*
 * A status, asked for without waiting: a conversation of its own each time, so
 * that whoever looks on for hours holds no place on the control socket.
 */
#ifndef SUPERVISOR_TELEPHONECTL_POLL_H
#define SUPERVISOR_TELEPHONECTL_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc.h"
#include "telephonectl.h"

/* The supervisor waits two seconds for a child that is silent. */
#define POLL_DUE_MS 6000

struct poll_status {
	int fd; /* -1: nothing is asked */
	int64_t due_ms;
	struct answers answers; /* those that are coming */
	char said[256];		/* with them: why there are none */
	struct status status;	/* the last whole one */
	bool has_status;
	char why[256]; /* of the last end without one: plain text; "": none */
	int code;
	uint8_t space[IPC_FRAME_MAX];
};

void poll_init(struct poll_status *);
void poll_close(struct poll_status *);

/* Asks, unless that is under way. */
void poll_ask(struct poll_status *, const char *path);
/* Takes what has come: true when this question is over, well or not. */
bool poll_read(struct poll_status *);

#endif
