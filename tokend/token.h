/* SPDX-License-Identifier: MIT */
/*
 * Which token, and when to ask for the next: the candidates (stored, given,
 * refreshed), the choice among them, and the arithmetic of the refresh. Knows
 * no peer and no loop; time is an argument.
 *
 * The choice: of those that the server did not refuse, the unexpired one with
 * the latest iat (the given one when equal); else an expired one, since the
 * server's clock decides; else, of the refused, the latest.
 */
#ifndef TOKEND_TOKEN_H
#define TOKEND_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "jwt.h"
#include "proto.h"

/* Candidates held at most; the least useful one makes room. */
#define TOKEN_CANDIDATES_MAX 16

struct token {
	struct jwt claims;
	char *text; /* secret_alloc'ed, PROTO_TOKEN_MAX bytes */
	enum proto_source source;
	int64_t row;	  /* in the store, -1: not stored */
	int64_t since_ms; /* wall clock: when it came here */
	bool refused;	  /* 403, or its join: the server may yet take it */
	bool revoked;	  /* refused for good */
};

struct tokens {
	struct token *candidate[TOKEN_CANDIDATES_MAX];
	unsigned count;
};

void tokens_init(struct tokens *);
void tokens_clear(struct tokens *); /* wipes */

/*
 * Takes a candidate in; the text is copied. One with the same text is only
 * updated (row, source) and returned. NULL with *error (static) when it is no
 * token.
 */
struct token *tokens_add(struct tokens *, const char *text,
    enum proto_source source, int64_t row, const char **error);

/* Wipes one. */
void tokens_remove(struct tokens *, struct token *);

/* The best, or NULL, and how it stands. */
struct token *
tokens_best(const struct tokens *, int64_t now_s, enum proto_token_state *);

/* The server said no. True when there was an unrefused one with that jti. */
bool tokens_refuse(struct tokens *, const char *jti);
/* All refusals are forgotten. */
void tokens_forgive(struct tokens *);

/*
 * When this token should be refreshed (wall clock, ms): at half of its life,
 * or interval_ms (0: none) after it came, but never later than five sixths of
 * its life; ±5 % by `random` (any 32 bits).
 */
int64_t
token_due_ms(const struct token *, int64_t interval_ms, uint32_t random);

/* How long to wait after the n-th failure in a row (n >= 1): 5 s doubling to
 * 5 min, at most a quarter of what is left of its life but at least 1 s, ±25 %
 * by `random`. */
int64_t token_retry_ms(
    const struct token *, unsigned n, int64_t now_ms, uint32_t random);

#endif
