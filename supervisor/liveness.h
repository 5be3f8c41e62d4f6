/* SPDX-License-Identifier: MIT */
/*
 * Whether the processes still turn: every child is asked every few seconds, and
 * killed when it leaves several questions unanswered; systemd's watchdog is fed
 * as long as this loop and the loop of the worker that serves turn
 * (sd_notify(3), WATCHDOG=1).
 */
#ifndef SUPERVISOR_LIVENESS_H
#define SUPERVISOR_LIVENESS_H

struct service;

/* Begins with it, for the life of the service. Out of memory is fatal. */
void liveness_open(struct service *);
void liveness_close(struct service *);

#endif
