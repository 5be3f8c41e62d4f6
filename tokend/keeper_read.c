/* SPDX-License-Identifier: MIT */
/* From the store to the candidates. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper.h"
#include "keeper_parts.h"
#include "log.h"
#include "secret.h"
#include "util.h"

struct reading {
	struct keeper *keeper;
	struct seal *seal, *previous; /* to be tried, in this order */
	bool only_try;		      /* nothing is taken in */
	char *text;
	unsigned rows, readable, by_previous;
};

void
keeper_remember(struct keeper *k, int64_t row, int64_t exp_s)
{
	unsigned i;

	for (i = 0; i < k->pasts; i++)
		if (k->past[i].row == row)
			return;
	if (k->pasts < KEEPER_PAST_MAX)
		k->past[k->pasts++] = (struct keeper_past){row, exp_s};
}

static bool
is_candidate(const struct tokens *t, int64_t row)
{
	unsigned i;

	for (i = 0; i < t->count; i++)
		if (t->candidate[i]->row == row)
			return true;
	return false;
}

static bool
take_row(struct reading *r, int64_t id)
{
	struct keeper *k = r->keeper;
	struct token *token;
	const char *error;

	if (is_candidate(&k->tokens, id))
		return true;
	token = tokens_add(&k->tokens, r->text, PROTO_SOURCE_STORE, id, &error);
	if (token == NULL) {
		log_audit(LOG_LEVEL_WARN, "refused",
		    "row %" PRId64 " of the store is left out: %s", id, error);
		return true;
	}
	if (token->claims.exp_s <= keeper_now_s())
		keeper_remember(k, id, token->claims.exp_s);
	return r->rows < 10 * TOKEN_CANDIDATES_MAX; /* the newest will do */
}

static bool
read_row(int64_t id, const char *sealed, void *arg)
{
	struct reading *r = arg;

	r->rows++;
	if (seal_open(r->seal, sealed, r->text, PROTO_TOKEN_MAX) == -1) {
		if (r->previous == NULL ||
		    seal_open(r->previous, sealed, r->text, PROTO_TOKEN_MAX) ==
			-1)
			return true;
		r->by_previous++;
	}
	r->readable++;
	return r->only_try ? r->by_previous == 0 : take_row(r, id);
}

/* 0, or an exit code when there are rows and none of them could be read. */
static int
read_rows(struct reading *r)
{
	struct keeper *k = r->keeper;
	enum store_fault fault;

	r->text = secret_alloc(PROTO_TOKEN_MAX);
	fault = keeper_note(k, store_each(k->store, read_row, r));
	secret_free(r->text, PROTO_TOKEN_MAX);
	if (fault != STORE_OK)
		return store_fault_code(fault);
	if (r->rows > 0 && r->readable == 0) {
		k->errors[PROTO_STORE_DAMAGED]++;
		log_errorx("nothing in the store can be read with this "
			   "SECRET_KEY_BASE: give the one that it was sealed "
			   "with (in SECRET_KEY_BASE_PREVIOUS, if it is to be "
			   "replaced), or move the store aside (telephonectl "
			   "token check --move-aside) and give a token in "
			   "TELEPHONE_TOKEN; the store was not changed");
		log_audit(LOG_LEVEL_ERROR, "unreadable",
		    "%u rows of the store, and no key for them", r->rows);
		return EX_CONFIG;
	}
	k->unreadable = r->rows - r->readable;
	if (r->only_try || k->unreadable == 0)
		return EX_OK;
	log_warnx("%" PRIu64 " of %u rows in the store cannot be read with "
		  "this SECRET_KEY_BASE",
	    k->unreadable, r->rows);
	log_audit(LOG_LEVEL_WARN, "unreadable", "%" PRIu64 " rows of the store",
	    k->unreadable);
	return EX_OK;
}

int
keeper_try_seals(struct keeper *k, struct seal *seal, struct seal *previous)
{
	struct reading r = {
	    .keeper = k, .seal = seal, .previous = previous, .only_try = true};

	return k->store == NULL ? EX_OK : read_rows(&r);
}

void
keeper_recall(struct keeper *k)
{
	struct reading r = {
	    .keeper = k, .seal = k->seal, .previous = k->previous};
	unsigned before = k->tokens.count;

	if (k->store == NULL)
		return;
	r.text = secret_alloc(PROTO_TOKEN_MAX);
	(void)keeper_note(k, store_each(k->store, read_row, &r));
	secret_free(r.text, PROTO_TOKEN_MAX);
	if (k->tokens.count > before)
		log_info("%u earlier tokens of the store are tried again",
		    k->tokens.count - before);
}

static int
open_store(struct keeper *k, const struct store_params *params)
{
	enum store_fault fault = keeper_note(k, store_open(&k->store, params));

	if (fault == STORE_DAMAGED || fault == STORE_NEWER ||
	    fault == STORE_FOREIGN)
		log_audit(LOG_LEVEL_ERROR, "unreadable", "the store: %s",
		    store_fault_name(fault));
	return store_fault_code(fault);
}

int
keeper_adopt(struct keeper *k)
{
	enum store_fault fault;

	if (k->adopted)
		return EX_OK;
	fault = keeper_note(k, store_adopt(k->store));
	k->adopted = fault == STORE_OK;
	return k->adopted || store_fault_is_transient(fault)
	    ? EX_OK
	    : store_fault_code(fault);
}

int
keeper_open(struct keeper *k, const struct conf *conf, bool was_root)
{
	struct store_params params = {
	    .path = conf_text(conf, CONF_TOKEN_DB_PATH),
	    .timeout_ms = conf_num(conf, CONF_DB_TIMEOUT),
	    .was_root = was_root,
	};
	struct reading r = {
	    .keeper = k, .seal = k->seal, .previous = k->previous};
	enum proto_token_state state;
	struct token *best;
	int code = open_store(k, &params);

	if (code == EX_OK)
		code = read_rows(&r);
	if (code == EX_OK)
		code = keeper_adopt(k);
	if (code != EX_OK)
		return code;
	if (k->previous != NULL)
		(void)keeper_reseal(k);
	best = keeper_best(k, &state);
	if (best != NULL)
		keeper_audit(LOG_LEVEL_INFO, "loaded", best);
	return EX_OK;
}
