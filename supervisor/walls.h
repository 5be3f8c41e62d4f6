/* SPDX-License-Identifier: MIT */
/*
 * How the walls of all processes stand (sandbox.h) and how often somebody ran
 * into one: kept by the supervisor, which outlives the others, and told to
 * the operator and, for its metrics, to the worker.
 */
#ifndef SUPERVISOR_WALLS_H
#define SUPERVISOR_WALLS_H

#include <stdbool.h>

#include "proto.h"

struct peer;

struct walls {
	struct proto_sandbox of[SANDBOX_PROCESSES];
	bool known[SANDBOX_PROCESSES];
};

void walls_init(struct walls *);

/* The supervisor's own stand. */
void walls_own(struct walls *);

/* What a child of this role said: 0, or -1 when it may not say that. */
int walls_take(struct walls *, enum proto_role, const struct ipc_frame *);

/* A child has ended with this status of wait(2): true when a violation ended
 * it, which is counted. */
bool walls_on_end(struct walls *, enum proto_role, int status);

/* Sends all that is known. */
void walls_tell(const struct walls *, struct peer *);

#endif
