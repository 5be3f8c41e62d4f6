/* SPDX-License-Identifier: MIT */
/*
 * telephonectl's questions, on the control socket. Its clients are outsiders:
 * root and group telephone alone, few at a time (some places are kept for
 * root), bounded in time and in connections a second, and one that breaks the
 * protocol loses its own conversation only.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include "ipc.h"

struct control;
struct service;

/* fd is the listening socket, which stays the caller's. Never NULL. */
struct control *control_create(struct service *, int fd);
void control_free(struct control *); /* NULL is fine */

/* A child's status has come: passes it on to those who wait. */
void control_status(struct control *, const struct ipc_frame *);

/* tokend has answered TOKEN_SET or TOKEN_ROTATE. */
void control_report(struct control *, const struct ipc_frame *);
/* tokend is gone, and with it what it was asked. */
void control_tokend_end(struct control *);
/* The service has ended, with this exit code: tells those who wait for it. */
void control_stopped(struct control *, int code);

#endif
