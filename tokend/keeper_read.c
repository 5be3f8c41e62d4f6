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

/* How many rows are taken in at once: the others are there to be refused, too,
 * and each has its turn. */
#define RECALL_MAX (TOKEN_CANDIDATES_MAX / 2)

struct reading {
	struct keeper *keeper;
	unsigned below; /* only what was refused less often; 0: all */
	unsigned taken;
	struct seal *seal, *previous; /* to be tried, in this order */
	bool only_try;		      /* nothing is taken in */
	char *text;
	unsigned rows, readable, by_previous;
};

static struct keeper_past *
find_past(struct keeper *k, int64_t row)
{
	unsigned i;

	for (i = 0; i < k->pasts; i++)
		if (k->past[i].row == row)
			return &k->past[i];
	return NULL;
}

void
keeper_remember(struct keeper *k, const struct token *token)
{
	struct keeper_past *p = find_past(k, token->row);
	bool known = p != NULL;

	if (p == NULL && k->pasts < KEEPER_PAST_MAX)
		p = &k->past[k->pasts++];
	if (p == NULL)
		return;
	if (!known)
		*p = (struct keeper_past){
		    .row = token->row,
		    .reign_ms = util_wall_ms() - token->since_ms,
		    .brought = token->source == PROTO_SOURCE_REFRESH,
		};
	p->exp_s = token->claims.exp_s;
	p->refusals = token->refusals;
	p->said_by = token->said_by;
	p->revoked = token->revoked;
}

/* It is among the candidates again, with what was said of it. */
static void
put_back(struct token *token, const struct keeper_past *p)
{
	token->refused = p->refusals > 0;
	token->refusals = p->refusals;
	token->said_by = p->said_by;
	token->revoked = p->revoked;
}

bool
keeper_holds(const struct keeper *k, int64_t row)
{
	unsigned i;

	for (i = 0; i < k->tokens.count; i++)
		if (k->tokens.candidate[i]->row == row)
			return true;
	return false;
}

static bool
take_row(struct reading *r, int64_t id)
{
	struct keeper *k = r->keeper;
	const struct keeper_past *p = find_past(k, id);
	struct token *token;
	const char *error;

	token = tokens_add(&k->tokens, r->text, PROTO_SOURCE_STORE, id, &error);
	if (token == NULL) {
		log_audit(LOG_LEVEL_WARN, "refused",
		    "row %" PRId64 " of the store is left out: %s", id, error);
		return true;
	}
	if (p != NULL)
		put_back(token, p);
	if (token->claims.exp_s <= keeper_now_s())
		keeper_remember(k, token);
	r->taken++;
	return r->rows < KEEPER_PAST_MAX &&
	    (r->below == 0 || r->taken < RECALL_MAX);
}

/* Whether the row would be of use: before it is opened. */
static bool
is_wanted(struct reading *r, int64_t id)
{
	const struct keeper_past *p;

	if (r->only_try)
		return true;
	if (keeper_holds(r->keeper, id))
		return false;
	if (r->below == 0)
		return true;
	p = find_past(r->keeper, id);
	if (p == NULL)
		return r->keeper->pasts < KEEPER_PAST_MAX;
	return !p->revoked && p->refusals < r->below &&
	    (p->refusals == 0 || p->exp_s > keeper_now_s());
}

static bool
read_row(int64_t id, const char *sealed, void *arg)
{
	struct reading *r = arg;

	r->rows++;
	if (!is_wanted(r, id)) {
		r->readable++;
		return true;
	}
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
	enum proto_token_state state;
	const struct token *best;

	best = keeper_best(k, &state);
	if (k->store == NULL || best == NULL || !best->refused)
		return;
	r.below = best->refusals;
	r.text = secret_alloc(PROTO_TOKEN_MAX);
	(void)keeper_note(k, store_each(k->store, read_row, &r));
	secret_free(r.text, PROTO_TOKEN_MAX);
	if (r.taken > 0)
		log_info(
		    "%u earlier tokens of the store are tried again", r.taken);
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

	if (k->adopted || keeper_is_locked(k))
		return EX_OK;
	fault = keeper_note(k, store_adopt(k->store));
	k->adopted = fault == STORE_OK;
	return k->adopted || store_fault_is_transient(fault)
	    ? EX_OK
	    : store_fault_code(fault);
}

/* Rows were of the file that is gone. */
static void
forget_rows(struct keeper *k)
{
	unsigned i;

	for (i = 0; i < k->tokens.count; i++)
		k->tokens.candidate[i]->row = -1;
	k->pasts = 0;
	k->adopted = false;
}

bool
keeper_find(struct keeper *k)
{
	if (k->store != NULL && store_is_in_place(k->store))
		return true;
	if (k->store != NULL)
		log_errorx("the store %s was removed or replaced while it was "
			   "in use: what stands there now is opened, or made",
		    k->path);
	/* First, for it takes its -wal along, which is not the other's. */
	store_close(k->store);
	k->store = NULL;
	forget_rows(k);
	if (open_store(k, &k->place) != EX_OK)
		return false;
	if (keeper_try_seals(k, k->seal, k->previous) == EX_OK)
		return true;
	store_close(k->store);
	k->store = NULL;
	return false;
}

int
keeper_open(struct keeper *k, const struct conf *conf, bool was_root)
{
	struct reading r = {
	    .keeper = k, .seal = k->seal, .previous = k->previous};
	enum proto_token_state state;
	struct token *best;
	int code;

	(void)util_strlcpy(
	    k->path, conf_text(conf, CONF_TOKEN_DB_PATH), sizeof(k->path));
	k->place.path = k->path;
	k->place.timeout_ms = conf_num(conf, CONF_DB_TIMEOUT);
	k->place.was_root = was_root;
	code = open_store(k, &k->place);
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
