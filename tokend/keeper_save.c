/* SPDX-License-Identifier: MIT */
/* From the candidates to the store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper.h"
#include "keeper_parts.h"
#include "log.h"
#include "secret.h"
#include "util.h"

#define SEALED_MAX SEAL_TEXT_MAX(PROTO_TOKEN_MAX)

struct resealing {
	struct seal *seal, *previous;
	char *text;
	unsigned rows, readable, by_previous;
};

static bool
seal_again(const char *sealed, char *out, size_t size, void *arg)
{
	struct resealing *r = arg;
	bool changed = false;

	r->rows++;
	if (seal_open(r->seal, sealed, r->text, PROTO_TOKEN_MAX) == 0) {
		r->readable++;
	} else if (r->previous != NULL &&
	    seal_open(r->previous, sealed, r->text, PROTO_TOKEN_MAX) == 0) {
		changed = seal_close(r->seal, r->text, out, size) == 0;
		r->readable += changed;
		r->by_previous += changed;
	}
	explicit_bzero(r->text, PROTO_TOKEN_MAX);
	return changed;
}

enum store_fault
keeper_reseal(struct keeper *k)
{
	struct resealing r = {.seal = k->seal, .previous = k->previous};
	enum store_fault fault;

	if (!k->adopted || keeper_is_locked(k))
		return STORE_LOCKED; /* or full: said before, tried again */
	r.text = secret_alloc(PROTO_TOKEN_MAX);
	fault =
	    keeper_note(k, store_rewrite(k->store, seal_again, SEALED_MAX, &r));
	secret_free(r.text, PROTO_TOKEN_MAX);
	if (fault != STORE_OK)
		return fault;
	k->unreadable = r.rows - r.readable;
	k->resealed += r.by_previous;
	seal_free(k->previous); /* all that it opened is sealed anew */
	k->previous = NULL;
	if (r.by_previous == 0)
		return STORE_OK;
	log_info("%u rows of the store are sealed with the present "
		 "SECRET_KEY_BASE now; SECRET_KEY_BASE_PREVIOUS is no longer "
		 "needed",
	    r.by_previous);
	log_audit(LOG_LEVEL_INFO, "rotated",
	    "%u rows of the store sealed anew, %" PRIu64 " unreadable",
	    r.by_previous, k->unreadable);
	return STORE_OK;
}

static void
say_unsaved(void)
{
	log_errorx("the current token is not stored: a restart would need a "
		   "new one; trying again");
}

void
keeper_save_one(struct keeper *k, struct token *token)
{
	char *sealed = malloc(SEALED_MAX);

	k->unsaved = true;
	if (k->adopted && !keeper_is_locked(k) && sealed != NULL &&
	    seal_close(k->seal, token->text, sealed, SEALED_MAX) == 0 &&
	    keeper_note(k,
		store_save(k->store, sealed, token->claims.exp_s,
		    &token->row)) == STORE_OK)
		k->unsaved = false;
	if (k->unsaved)
		say_unsaved();
	free(sealed);
}

static bool
remove_row(struct keeper *k, int64_t row)
{
	return !keeper_is_locked(k) &&
	    keeper_note(k, store_delete(k->store, row)) == STORE_OK;
}

/* False: a row could not be removed, and no other was tried. It and they have
 * another turn. */
static bool
remove_past(struct keeper *k, const struct token *best)
{
	int64_t now_s = keeper_now_s();
	struct keeper_past *p;
	unsigned i, kept = 0;
	bool good = true;

	for (i = 0; i < k->pasts; i++) {
		p = &k->past[i];
		if (good && p->exp_s <= now_s && p->row != best->row)
			good = remove_row(k, p->row);
		if (!good || p->exp_s > now_s)
			k->past[kept++] = *p;
	}
	k->pasts = kept;
	return good;
}

/* What is expired, and not the last one standing, nor one of the operator's
 * that the server has not judged yet. */
static void
remove_expired(struct keeper *k, const struct token *best)
{
	struct token *token;
	unsigned i;

	if (!remove_past(k, best))
		return;
	for (i = 0; i < k->tokens.count;) {
		token = k->tokens.candidate[i];
		if (token == best || token->claims.exp_s > keeper_now_s() ||
		    (token->row == -1 && !token->refused)) {
			i++;
			continue;
		}
		if (token->row != -1 && !remove_row(k, token->row))
			return;
		tokens_remove(&k->tokens, token);
	}
}

/* One in reserve is for when the current one is refused, so it is kept, too. */
static void
save_reserves(struct keeper *k)
{
	struct token *token;
	unsigned i;

	for (i = 0; i < k->tokens.count; i++) {
		token = k->tokens.candidate[i];
		if (token->reserve && token->row == -1)
			keeper_save_one(k, token);
	}
}

void
keeper_save(struct keeper *k)
{
	enum proto_token_state state;
	struct token *best = keeper_best(k, &state);

	k->unsaved = false;
	if (k->path[0] == '\0')
		return; /* it is not open yet */
	if (!keeper_find(k)) {
		k->unsaved = best != NULL;
		if (k->unsaved)
			say_unsaved();
		return;
	}
	(void)keeper_adopt(k);
	if (k->previous != NULL)
		(void)keeper_reseal(k);
	if (best == NULL)
		return;
	save_reserves(k);
	if (best->row == -1)
		keeper_save_one(k, best);
	if (!k->unsaved && k->adopted && state == PROTO_TOKEN_VALID)
		remove_expired(k, best);
}

void
keeper_save_also(struct keeper *k, struct token *token)
{
	if (token->row == -1 && !k->unsaved && k->store != NULL)
		keeper_save_one(k, token);
}

/* How many rows refreshes brought; *worst is the first to go. One in reserve
 * stands among the candidates and is not counted: there are few of those. */
static unsigned
count_brought(struct keeper *k, struct keeper_past **worst)
{
	struct keeper_past *p;
	unsigned i, n = 0;

	*worst = NULL;
	for (i = 0; i < k->pasts; i++) {
		p = &k->past[i];
		if (!p->brought)
			continue;
		n++;
		if (keeper_holds(k, p->row))
			continue;
		if (*worst == NULL || p->reign_ms < (*worst)->reign_ms)
			*worst = p;
	}
	return n;
}

static void
bound_brought(struct keeper *k)
{
	struct keeper_past *worst;

	while (
	    count_brought(k, &worst) >= KEEPER_BROUGHT_MAX && worst != NULL) {
		if (!remove_row(k, worst->row))
			return;
		*worst = k->past[--k->pasts];
	}
}

static void
forget_earlier(struct keeper *k, const struct token *fresh)
{
	enum proto_token_state state;
	const struct token *best = keeper_best(k, &state);
	struct token *token;
	unsigned i = 0;

	if (best != fresh || fresh->row == -1)
		return; /* it does not stand in for the others yet */
	while (i < k->tokens.count) {
		token = k->tokens.candidate[i];
		if (token == best || token->reserve || token->row == -1) {
			i++;
			continue;
		}
		keeper_remember(k, token);
		tokens_remove(&k->tokens, token);
	}
}

void
keeper_settle(struct keeper *k, const struct token *fresh)
{
	forget_earlier(k, fresh);
	bound_brought(k);
}
