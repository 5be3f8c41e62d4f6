/* SPDX-License-Identifier: MIT */
/* The joints of keeper.h: what was given, what the server says, what is odd. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper.h"
#include "keeper_parts.h"
#include "log.h"
#include "secret.h"
#include "util.h"

/* Below the first wait for a save that failed (refresh.c). */
#define LOCKED_FOR_MS 500

int64_t
keeper_now_s(void)
{
	return util_wall_ms() / 1000;
}

struct token *
keeper_best(const struct keeper *k, enum proto_token_state *state)
{
	return tokens_best(&k->tokens, keeper_now_s(), state);
}

struct token *
keeper_offer(const struct keeper *k, enum proto_token_state *state)
{
	return tokens_offer(&k->tokens, keeper_now_s(), state);
}

void
keeper_audit(enum log_level level, const char *event, const struct token *token)
{
	log_audit(level, event,
	    "jti %s, path_id %s, from %s, issued %" PRId64 ", expires %" PRId64
	    "%s",
	    token->claims.jti, token->claims.path_id,
	    proto_source_name(token->source), token->claims.iat_s,
	    token->claims.exp_s, token->verified ? ", signature verified" : "");
}

enum store_fault
keeper_note(struct keeper *k, enum store_fault fault)
{
	if (fault != STORE_OK)
		k->errors[store_fault_metric(fault)]++;
	if (fault == STORE_LOCKED)
		k->locked_ms = util_mono_ms();
	return fault;
}

bool
keeper_is_locked(const struct keeper *k)
{
	return k->locked_ms != 0 &&
	    util_mono_ms() - k->locked_ms < LOCKED_FOR_MS;
}

/* --- what was given ------------------------------------------------------- */

struct taking {
	struct seal *seal, *previous;
	struct jwt_key *jwt_key;
};

static void
free_taking(struct taking *t)
{
	seal_free(t->seal);
	seal_free(t->previous);
	inputs_free_jwt_key(t->jwt_key);
}

static void
swap_in(struct keeper *k, struct taking *t)
{
	struct taking old = {k->seal, k->previous, k->jwt_key};

	k->seal = t->seal;
	k->previous = t->previous;
	k->jwt_key = t->jwt_key;
	k->previous_given = t->previous != NULL;
	*t = old;
}

int
keeper_take_inputs(struct keeper *k, const struct inputs *in)
{
	const struct jwt_key *key = k->tokens.key;
	struct taking t = {NULL, NULL, NULL};
	struct token *given = NULL;
	int code = inputs_secret(in, &t.seal);

	if (code == EX_OK)
		code = inputs_previous(in, &t.previous);
	if (code == EX_OK)
		code = inputs_jwt_key(in, &t.jwt_key);
	/* A new secret must open something of what is there, or the previous
	 * one must: else it is the wrong one. */
	if (code == EX_OK)
		code = keeper_try_seals(k, t.seal, t.previous);
	if (code == EX_OK) {
		k->tokens.key = t.jwt_key;
		code = inputs_token(in, &k->tokens, &given);
	}
	if (code == EX_OK) {
		swap_in(k, &t);
		if (k->store != NULL && k->adopted)
			(void)keeper_reseal(k);
	} else {
		k->tokens.key = key;
	}
	free_taking(&t);
	return code;
}

/* --- what the server says ------------------------------------------------ */

bool
keeper_refuse(
    struct keeper *k, const struct proto_refused *refused, unsigned by_worker)
{
	enum proto_token_state state;
	struct token *best = keeper_best(k, &state);
	const char *by = refused->status == 403 ? "403" : "join";

	if (best == NULL || strcmp(best->claims.jti, refused->jti) != 0)
		return false;
	if (!tokens_refuse(
		&k->tokens, refused->jti, refused->status, by_worker)) {
		keeper_recall(k);
		return true; /* once more: it is the next one's turn */
	}
	k->refused++;
	(void)util_fmt(k->refusal, sizeof(k->refusal),
	    "jti %s was refused (%s)%s", refused->jti, by,
	    best->claims.exp_s <= keeper_now_s() ? ", after its life" : "");
	log_audit(LOG_LEVEL_WARN, "refused", "%s", k->refusal);
	keeper_recall(k);
	(void)keeper_best(k, &state);
	log_warnx("plugboard refused the token %s (%s): %s", refused->jti, by,
	    state == PROTO_TOKEN_REFUSED_ALL ? "there is no other"
					     : "trying the next one");
	if (keeper_offer(k, &state) == NULL)
		log_errorx("no token is left to present: give a new one "
			   "(telephonectl token set, or TELEPHONE_TOKEN and a "
			   "reload)");
	return true;
}

void
keeper_revoke(struct keeper *k, struct token *token, unsigned by)
{
	log_errorx("plugboard has revoked the token %s: it is set aside and "
		   "not presented again; give a new one (telephonectl token "
		   "set)",
	    token->claims.jti);
	log_audit(
	    LOG_LEVEL_ERROR, "refused", "jti %s is revoked", token->claims.jti);
	(void)util_fmt(k->refusal, sizeof(k->refusal), "jti %s was revoked",
	    token->claims.jti);
	(void)tokens_refuse(&k->tokens, token->claims.jti, 0, by);
	token->revoked = true;
	k->refused++;
	keeper_recall(k);
}

bool
keeper_unsay(struct keeper *k, unsigned by)
{
	unsigned i, n = tokens_unsay(&k->tokens, by);

	for (i = 0; i < k->pasts; i++) {
		if (k->past[i].refusals == 0 || k->past[i].said_by != by)
			continue;
		k->past[i].refusals = 0;
		k->past[i].revoked = false;
		n++;
	}
	if (n > 0)
		log_info("the worker that said so of %u tokens is gone: they "
			 "may be tried again",
		    n);
	return n > 0;
}

void
keeper_forgive(struct keeper *k)
{
	unsigned i;

	tokens_forgive(&k->tokens);
	for (i = 0; i < k->pasts; i++) {
		k->past[i].refusals = 0;
		k->past[i].revoked = false;
	}
}

/* --- what is odd ---------------------------------------------------------- */

/* A refresh takes no longer, be it on the slowest way: else clocks differ. */
#define LATE_S 60

static void
warn_of_clock(const struct token *best)
{
	int64_t skew_s = token_skew_s(best, keeper_now_s());
	int64_t late_s = best->since_ms / 1000 - best->claims.iat_s;

	if (skew_s > 0)
		log_warnx("the token %s was issued %" PRId64 " s in the "
			  "future: this clock is behind, or plugboard's is "
			  "ahead; it is used all the same",
		    best->claims.jti, skew_s);
	else if (best->source == PROTO_SOURCE_REFRESH && late_s > LATE_S)
		log_warnx("the token %s was issued %" PRId64 " s before it "
			  "came: this clock is ahead, or plugboard's is "
			  "behind; it is used all the same",
		    best->claims.jti, late_s);
}

void
keeper_warn(const struct keeper *k)
{
	enum proto_token_state state;
	const struct token *best = keeper_best(k, &state), *other;
	unsigned i;

	if (best == NULL)
		return;
	warn_of_clock(best);
	for (i = 0; i < k->tokens.count; i++) {
		other = k->tokens.candidate[i];
		if (strcmp(other->claims.path_id, best->claims.path_id) == 0)
			continue;
		log_warnx("the token %s is for path_id %s, but another one "
			  "(from %s) is for %s: a path has been moved, or a "
			  "token is the wrong one",
		    best->claims.jti, best->claims.path_id,
		    proto_source_name(other->source), other->claims.path_id);
		return;
	}
}

/* --- life ----------------------------------------------------------------- */

static void
on_evict(const struct token *token, void *arg)
{
	if (token->row != -1)
		keeper_remember(arg, token);
}

void
keeper_init(struct keeper *k)
{
	memset(k, 0, sizeof(*k));
	tokens_init(&k->tokens);
	k->tokens.on_evict = on_evict;
	k->tokens.arg = k;
}

void
keeper_close(struct keeper *k)
{
	store_close(k->store);
	k->store = NULL;
	seal_free(k->seal);
	seal_free(k->previous);
	inputs_free_jwt_key(k->jwt_key);
	k->seal = k->previous = NULL;
	k->jwt_key = NULL;
	tokens_clear(&k->tokens);
}
