/* SPDX-License-Identifier: MIT */
/* What the files of keeper.h share, and nobody else needs. */
#ifndef TOKEND_KEEPER_PARTS_H
#define TOKEND_KEEPER_PARTS_H

#include "keeper.h"
#include "log.h"

int64_t keeper_now_s(void);

/* One line of the audit log about a token. */
void keeper_audit(enum log_level, const char *event, const struct token *);

/* Counts a fault for the metric and returns it; STORE_OK passes through. */
enum store_fault keeper_note(struct keeper *, enum store_fault);

/*
 * Another program has just kept us waiting for DB_TIMEOUT: nothing more is
 * written now, for each statement would wait as long, and whoever waits for the
 * whole of them takes tokend for dead. What is left is tried again.
 */
bool keeper_is_locked(const struct keeper *);

/* 0, or a sysexits code (logged): rows are there, and none of them is opened
 * by either seal. */
int keeper_try_seals(struct keeper *, struct seal *, struct seal *previous);

/* The row's token is among the candidates. */
bool keeper_holds(const struct keeper *, int64_t row);

/* Remembers the row of a token that is not, or will not be, among the
 * candidates. */
void keeper_remember(struct keeper *, const struct token *);

/*
 * Makes the store ours unless it is. A store that could be read and cannot be
 * written just now must not keep a good token from being used: 0 then, too, and
 * writing is tried again. Else a sysexits code (logged).
 */
int keeper_adopt(struct keeper *);

/* The store stands where it was; else what stands there now is opened, or made
 * when nothing does. False: that cannot be used, and nothing can be stored. */
bool keeper_find(struct keeper *);

/* Writes one candidate to the store; sets unsaved when that fails. */
void keeper_save_one(struct keeper *, struct token *);

/* Takes in what is in the store and no candidate any more, a few at a time and
 * those that were refused the least often: when all that are left were refused,
 * an earlier one may yet do. */
void keeper_recall(struct keeper *);

#endif
