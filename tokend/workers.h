/* SPDX-License-Identifier: MIT */
/*
 * tokend's conversations with workers: one that serves, others that come or
 * drain. Answers for tokens, carries refreshes out and back, and tells each
 * its metrics. A worker that breaks the protocol loses its conversation; tokend
 * itself must survive it.
 */
#ifndef TOKEND_WORKERS_H
#define TOKEND_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"
#include "refresh.h"

struct event_base;
struct workers;

/* Never NULL: out of memory is fatal. All borrowed. */
struct workers *
workers_create(struct event_base *, struct keeper *, struct refresh *);
void workers_free(struct workers *); /* NULL is fine */

/* A socket to another one, owned from now on. Until workers_open nobody listens
 * there: who asked earlier would be told that there is no token. */
void workers_add(struct workers *, int fd);
void workers_open(struct workers *);

/* Asks the newest one that listens for a refresh: false when there is none. */
bool workers_ask(struct workers *, uint32_t id);

/* The current token is another one: all are told. */
void workers_news(struct workers *);
/* The figures may be other ones: all are told. */
void workers_figures(struct workers *);

#endif
