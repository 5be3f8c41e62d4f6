/* SPDX-License-Identifier: MIT */
/*
 * The keeper joins candidates (token.h), sealing (seal.h) and the store
 * (store.h): what is chosen is also kept. Knows no peer and no loop.
 */
#ifndef TOKEND_KEEPER_H
#define TOKEND_KEEPER_H

#include "conf.h"
#include "seal.h"
#include "store.h"
#include "token.h"

struct keeper {
	struct tokens tokens;
	struct seal *seal;
	struct store *store;
	bool unsaved; /* the current one is not in the store yet */
};

/*
 * Reads a SECRET_KEY_BASE from its descriptor (-1: there is none) and derives
 * the key. NULL with *code set (78, logged).
 */
struct seal *keeper_read_secret(int fd, int *code);

/* Reads and judges a given token into the candidates. 0, or 78 (logged); fd
 * -1 is fine: there is none. */
int keeper_read_given(struct tokens *, int fd);

/*
 * Opens the store with this key and takes its tokens in; a store with rows of
 * which none can be read is left alone. 0, or a sysexits code (logged).
 */
int keeper_open(struct keeper *, const struct conf *, bool was_root);
void keeper_close(struct keeper *);

/* 0 when this key opens something in the store, or the store is empty; else
 * 78 (logged). */
int keeper_try_seal(struct keeper *, struct seal *);

/* Stores the best candidate unless it is stored; removes expired rows that we
 * could read. */
void keeper_save(struct keeper *);

/* The best candidate and its state. */
struct token *keeper_best(const struct keeper *, enum proto_token_state *);

#endif
