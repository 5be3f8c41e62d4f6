/* SPDX-License-Identifier: MIT */
/* What `telephonectl status` prints, for people and for programs. */
#ifndef SUPERVISOR_TELEPHONECTL_STATUS_H
#define SUPERVISOR_TELEPHONECTL_STATUS_H

#include <stdbool.h>

#include "proto.h"

struct status {
	struct proto_supervisor_status supervisor;
	struct proto_worker_status worker;
	struct proto_tokend_status tokend;
	struct proto_sandbox walls[SANDBOX_PROCESSES];
	bool has_worker, has_tokend; /* it answered */
	bool has_walls[SANDBOX_PROCESSES];
};

/* "2d 3h", "4m 5s", "1.2s"; "-" below 0. */
#define STATUS_AGE_MAX 32
const char *status_age(int64_t ms, char space[STATUS_AGE_MAX]);

/* Why a process says nothing: it has this pid, or none (0). */
const char *status_missing(uint32_t pid);

/* Whether it serves, and why not: a constant or the text. */
#define STATUS_READY_MAX 64
const char *status_ready(const struct status *, char text[STATUS_READY_MAX]);

/* To stdout. */
void status_print(const struct status *);
/* One object; its names are part of the interface. */
void status_print_json(const struct status *);

#endif
