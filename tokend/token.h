/* SPDX-License-Identifier: MIT */
/*
 * Which token, and when to ask for the next: the candidates (stored, given,
 * refreshed), the choice among them, and the arithmetic of the refresh. Knows
 * no peer and no loop; time is an argument.
 *
 * The choice: of those that the server did not refuse, the unexpired one with
 * the latest iat (the given one when equal); else an expired one, once, since
 * the server's clock decides; else, of the refused that are not dead, the one
 * that was refused the least often, so that each has its turn. Dead is what the
 * server has revoked, and what it refused after its life: neither is presented
 * again.
 */
#ifndef TOKEND_TOKEN_H
#define TOKEND_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "jwt.h"
#include "proto.h"

/* Candidates held at most; the least useful one that can be read again makes
 * room. */
#define TOKEN_CANDIDATES_MAX 16

struct token {
	struct jwt claims;
	char *text; /* secret_alloc'ed, PROTO_TOKEN_MAX bytes */
	enum proto_source source;
	int64_t row;	   /* in the store, -1: not stored */
	int64_t since_ms;  /* wall clock: when it came here … */
	int64_t mono_ms;   /* … and by the clock that nobody sets */
	int64_t issued_s;  /* iat, but not later than that: what a token says
			      of the future must not put it first for ever */
	int64_t from_ms;   /* wall clock: when the schedule says that it was
			      issued, which is iat if that can be */
	int64_t life_s;	   /* what the schedule goes by: claims, or less */
	uint16_t status;   /* of the refusal: 403, or 0 for its join */
	bool refused;	   /* set aside: the server may yet take it */
	unsigned refusals; /* how often, since it was last forgiven */
	unsigned said_by;  /* the worker that last said so */
	bool revoked;	   /* set aside for good */
	bool reserve;	   /* refreshed, but it would expire before the one that
			      it replaces: for when that is refused */
	bool verified;	   /* its signature was checked */
};

struct tokens {
	struct token *candidate[TOKEN_CANDIDATES_MAX];
	unsigned count;
	const struct jwt_key *key; /* borrowed; NULL: nothing is verified */
	/* One makes room: it is still whole. NULL: nobody asks. */
	void (*on_evict)(const struct token *, void *arg);
	void *arg;
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

/* The one to present: the best, or NULL with PROTO_TOKEN_NONE when it is dead
 * or there is none. */
struct token *
tokens_offer(const struct tokens *, int64_t now_s, enum proto_token_state *);

/* The server said no, again maybe, as the worker `by` tells. True when there
 * was an unrefused one with that jti. */
bool
tokens_refuse(struct tokens *, const char *jti, uint16_t status, unsigned by);
/* How many are set aside. */
unsigned tokens_refused(const struct tokens *);
/* All refusals are forgotten. */
void tokens_forgive(struct tokens *);
/* … that this worker told of: how many. */
unsigned tokens_unsay(struct tokens *, unsigned by);

/* How far ahead of this clock it was issued, 0: it was not, or by no more
 * than clocks differ. */
#define TOKEN_SKEW_S 5
int64_t token_skew_s(const struct token *, int64_t now_s);

/*
 * The time for its schedule, wall clock, ms: a clock that was set forward is
 * believed, one that was set back is not, for its life goes on.
 */
int64_t token_now_ms(const struct token *, int64_t wall_ms, int64_t mono_ms);

/*
 * It is to replace `before`, by a worker's word alone: the schedule believes it
 * no life more than twice as long, or an hour, so that a false one does not
 * put the next refresh off until the true one has expired.
 */
void token_believe(struct token *, const struct token *before);

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
