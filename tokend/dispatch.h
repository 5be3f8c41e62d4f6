/* SPDX-License-Identifier: MIT */
/*
 * tokend's messages: with the supervisor (configuration, secrets, status,
 * stop) and with one or more workers (tokens and refreshes).
 */
#ifndef TOKEND_DISPATCH_H
#define TOKEND_DISPATCH_H

struct dispatch;
struct event_base;

/* fd is the supervisor's channel, owned from now on. Says HELLO. Never NULL:
 * out of memory is fatal. */
struct dispatch *dispatch_create(struct event_base *, int fd);
void dispatch_free(struct dispatch *);

/* What main should return when the loop has stopped. */
int dispatch_exit_code(const struct dispatch *);

#endif
