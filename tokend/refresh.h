/* SPDX-License-Identifier: MIT */
/*
 * The schedule of refreshes: one timer, one refresh outstanding at most, and
 * what follows from how it ended.
 */
#ifndef TOKEND_REFRESH_H
#define TOKEND_REFRESH_H

#include <stdint.h>

#include "keeper.h"

struct event_base;
struct refresh;

struct refresh_ops {
	/* Ask a worker: false when there is none. */
	bool (*on_ask)(uint32_t id, void *arg);
	/* The current token is another one, or there is none any more. */
	void (*on_change)(void *arg);
	/* A refresh has ended, or a save: figures are other ones. */
	void (*on_end)(void *arg);
};

struct refresh_params {
	struct event_base *base;
	struct keeper *keeper;
	int64_t interval_ms; /* TOKEN_REFRESH_INTERVAL, 0: unset */
	const struct refresh_ops *ops;
	void *arg;
};

struct refresh *refresh_create(const struct refresh_params *);
void refresh_free(struct refresh *);

void refresh_set_interval(struct refresh *, int64_t interval_ms);

/* The best token may be another one, or there is a worker to ask again:
 * plans anew. */
void refresh_plan(struct refresh *);

/* The worker that was asked is gone. */
void refresh_lost(struct refresh *);

/*
 * A worker's answer, from the worker `by`; id is 0 when that is not the one
 * that was asked. A good token is taken even when nobody waits for it any more,
 * for the server has already put the old one out of use; but one for each time
 * that a worker was asked (and one that a tokend before this asked for), since
 * nobody but the server can tell a forged one. True: it was kept.
 */
bool refresh_put(
    struct refresh *, unsigned by, uint32_t id, const struct proto_put *);

/* Milliseconds to the next one, -1: none is planned. */
int64_t refresh_in_ms(const struct refresh *);

/* How they ended, since the start. */
struct refresh_counts {
	uint64_t outcome[PROTO_REFRESHES];
	uint64_t unusable; /* OK, but what came could not be taken */
};
const struct refresh_counts *refresh_counts(const struct refresh *);
/* All but OK. */
uint64_t refresh_failures(const struct refresh *);

#endif
