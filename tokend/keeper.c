/* SPDX-License-Identifier: MIT */
/* The joints of keeper.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper.h"
#include "log.h"
#include "secret.h"
#include "util.h"

#define SEALED_MAX SEAL_TEXT_MAX(PROTO_TOKEN_MAX)

static int64_t
now_s(void)
{
	return util_wall_ms() / 1000;
}

struct token *
keeper_best(const struct keeper *k, enum proto_token_state *state)
{
	return tokens_best(&k->tokens, now_s(), state);
}

struct token *
keeper_offer(const struct keeper *k, enum proto_token_state *state)
{
	return tokens_offer(&k->tokens, now_s(), state);
}

static void
audit_token(enum log_level level, const char *event, const struct token *token)
{
	log_audit(level, event,
	    "jti %s, path_id %s, from %s, issued %" PRId64 ", expires %" PRId64
	    "%s",
	    token->claims.jti, token->claims.path_id,
	    proto_source_name(token->source), token->claims.iat_s,
	    token->claims.exp_s, token->verified ? ", signature verified" : "");
}

/* Counted for the metric; STORE_OK passes through. */
static enum store_fault
note(struct keeper *k, enum store_fault fault)
{
	if (fault != STORE_OK)
		k->errors[store_fault_metric(fault)]++;
	return fault;
}

/* --- reading the store ---------------------------------------------------- */

struct reading {
	struct keeper *keeper;
	struct seal *seal, *previous; /* to be tried, in this order */
	bool only_try;		      /* nothing is taken in */
	char *text;
	unsigned rows, readable, by_previous;
};

static void
remember_stale(struct keeper *k, int64_t id, const struct token *token)
{
	if (token->claims.exp_s <= now_s() && k->stales < KEEPER_STALE_MAX)
		k->stale[k->stales++] = id;
}

static bool
take_row(struct reading *r, int64_t id)
{
	struct keeper *k = r->keeper;
	struct token *token;
	const char *error;

	token = tokens_add(&k->tokens, r->text, PROTO_SOURCE_STORE, id, &error);
	if (token == NULL) {
		log_audit(LOG_LEVEL_WARN, "refused",
		    "row %" PRId64 " of the store is left out: %s", id, error);
		return true;
	}
	remember_stale(k, id, token);
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
	fault = note(k, store_each(k->store, read_row, r));
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

static int
open_store(struct keeper *k, const struct store_params *params)
{
	enum store_fault fault = note(k, store_open(&k->store, params));

	if (fault == STORE_DAMAGED || fault == STORE_NEWER ||
	    fault == STORE_FOREIGN)
		log_audit(LOG_LEVEL_ERROR, "unreadable", "the store: %s",
		    store_fault_name(fault));
	return store_fault_code(fault);
}

/* A store that could be read and cannot be written just now must not keep a
 * good token from being used: writing is tried again. */
static int
adopt(struct keeper *k)
{
	enum store_fault fault;

	if (k->adopted)
		return EX_OK;
	fault = note(k, store_adopt(k->store));
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
		code = adopt(k);
	if (code != EX_OK)
		return code;
	if (k->previous != NULL)
		(void)keeper_reseal(k);
	best = keeper_best(k, &state);
	if (best != NULL)
		audit_token(LOG_LEVEL_INFO, "loaded", best);
	return EX_OK;
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

/* A new secret must open something of what is there, or the previous one
 * must: else it is the wrong one. */
static int
try_seals(struct keeper *k, const struct taking *t)
{
	struct reading r = {.keeper = k,
	    .seal = t->seal,
	    .previous = t->previous,
	    .only_try = true};

	return k->store == NULL ? EX_OK : read_rows(&r);
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
	if (code == EX_OK)
		code = try_seals(k, &t);
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

/* --- keeping -------------------------------------------------------------- */

static bool
seal_again(const char *sealed, char *out, size_t size, void *arg)
{
	struct reading *r = arg;
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
	struct reading r = {
	    .keeper = k, .seal = k->seal, .previous = k->previous};
	enum store_fault fault;

	if (!k->adopted)
		return STORE_LOCKED; /* or full: said before, tried again */
	r.text = secret_alloc(PROTO_TOKEN_MAX);
	fault = note(k, store_rewrite(k->store, seal_again, SEALED_MAX, &r));
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
save(struct keeper *k, struct token *token)
{
	char *sealed = malloc(SEALED_MAX);

	k->unsaved = true;
	if (k->adopted && sealed != NULL &&
	    seal_close(k->seal, token->text, sealed, SEALED_MAX) == 0 &&
	    note(k,
		store_save(k->store, sealed, token->claims.exp_s,
		    &token->row)) == STORE_OK)
		k->unsaved = false;
	if (k->unsaved)
		log_errorx("the current token is not stored: a restart would "
			   "need a new one; trying again");
	free(sealed);
}

static void
remove_stale(struct keeper *k, const struct token *best)
{
	unsigned i;

	for (i = 0; i < k->stales; i++)
		if (k->stale[i] != best->row)
			(void)note(k, store_delete(k->store, k->stale[i]));
	k->stales = 0;
}

/* What is expired, and not the last one standing. */
static void
remove_expired(struct keeper *k, const struct token *best)
{
	struct token *token;
	unsigned i;

	remove_stale(k, best);
	for (i = 0; i < k->tokens.count;) {
		token = k->tokens.candidate[i];
		if (token == best || token->claims.exp_s > now_s()) {
			i++;
			continue;
		}
		if (token->row != -1)
			(void)note(k, store_delete(k->store, token->row));
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
			save(k, token);
	}
}

void
keeper_save(struct keeper *k)
{
	enum proto_token_state state;
	struct token *best = keeper_best(k, &state);

	k->unsaved = false;
	if (k->store == NULL)
		return;
	(void)adopt(k);
	if (k->previous != NULL)
		(void)keeper_reseal(k);
	if (best == NULL)
		return;
	save_reserves(k);
	if (best->row == -1)
		save(k, best);
	if (!k->unsaved && k->adopted && state == PROTO_TOKEN_VALID)
		remove_expired(k, best);
}

/* --- what the server and the operator say --------------------------------- */

bool
keeper_refuse(struct keeper *k, const struct proto_refused *refused)
{
	enum proto_token_state state;
	struct token *best = keeper_best(k, &state);
	const char *by = refused->status == 403 ? "403" : "join";

	if (best == NULL || best->refused ||
	    strcmp(best->claims.jti, refused->jti) != 0)
		return false;
	(void)tokens_refuse(&k->tokens, refused->jti, refused->status);
	k->refused++;
	(void)util_fmt(k->refusal, sizeof(k->refusal),
	    "jti %s was refused (%s)%s", refused->jti, by,
	    best->claims.exp_s <= now_s() ? ", after its life" : "");
	log_audit(LOG_LEVEL_WARN, "refused", "%s", k->refusal);
	best = keeper_best(k, &state);
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
keeper_set(struct keeper *k, int fd, struct proto_report *report)
{
	enum proto_token_state state;
	const char *error;
	struct token *token = inputs_sent(fd, &k->tokens, &error), *best;

	memset(report, 0, sizeof(*report));
	if (token == NULL) {
		report->code = EX_DATAERR;
		(void)util_fmt(report->text, sizeof(report->text),
		    "that is no token: %s", error);
		log_audit(LOG_LEVEL_WARN, "refused", "a token that was set: %s",
		    error);
		return;
	}
	token->refused = token->revoked = token->reserve = false;
	audit_token(LOG_LEVEL_INFO, "set", token);
	keeper_save(k);
	/* One that is not the best is kept as well: it may be needed. */
	if (token->row == -1 && !k->unsaved)
		save(k, token);
	best = keeper_best(k, &state);
	report->current = token == best;
	report->stored = token->row != -1;
	report->exp_s = token->claims.exp_s;
	(void)util_strlcpy(
	    report->path_id, token->claims.path_id, sizeof(report->path_id));
	(void)util_strlcpy(report->jti, token->claims.jti, sizeof(report->jti));
	report->code =
	    report->current && report->stored && state == PROTO_TOKEN_VALID
	    ? EX_OK
	    : 1;
	(void)util_fmt(report->text, sizeof(report->text), "%s%s",
	    !report->current ? "kept in reserve: the token in use was issued "
			       "later"
		: state == PROTO_TOKEN_EXPIRED
		? "it has expired by this clock, and is tried once"
		: "in use",
	    report->stored ? ", stored" : ", NOT stored (see the log)");
	keeper_warn(k);
}

/* What is to be done next, as the state of the store tells. */
static const char *
rotate_text(const struct keeper *k, enum store_fault fault)
{
	if (fault != STORE_OK)
		return "the store could not be written (see the log); nothing "
		       "was changed; SECRET_KEY_BASE_PREVIOUS is still needed";
	if (k->unreadable > 0)
		return "some rows are opened by neither key and were left as "
		       "they are; if a key before is known, give it in "
		       "SECRET_KEY_BASE_PREVIOUS, reload, and rotate again";
	if (k->previous_given)
		return "all rows are sealed with the present SECRET_KEY_BASE; "
		       "SECRET_KEY_BASE_PREVIOUS is no longer needed: take it "
		       "away and reload";
	return "all rows are sealed with the present SECRET_KEY_BASE; to "
	       "change it: 1. openssl rand -hex 32  2. put that into "
	       "SECRET_KEY_BASE and the present one into "
	       "SECRET_KEY_BASE_PREVIOUS  3. telephonectl reload  "
	       "4. telephonectl token rotate";
}

void
keeper_rotate(struct keeper *k, struct proto_report *report)
{
	enum store_fault fault = keeper_reseal(k);
	int64_t rows = store_count(k->store);

	memset(report, 0, sizeof(*report));
	report->code = fault != STORE_OK ? (uint8_t)store_fault_code(fault)
					 : k->unreadable > 0;
	report->previous = k->previous_given;
	report->rows = rows > 0 ? (uint64_t)rows : 0;
	report->resealed = k->resealed;
	report->unreadable = k->unreadable;
	(void)util_strlcpy(
	    report->text, rotate_text(k, fault), sizeof(report->text));
}

void
keeper_warn(const struct keeper *k)
{
	enum proto_token_state state;
	const struct token *best = keeper_best(k, &state), *other;
	int64_t skew_s;
	unsigned i;

	if (best == NULL)
		return;
	skew_s = token_skew_s(best, now_s());
	if (skew_s > 0)
		log_warnx("the token %s was issued %" PRId64 " s in the "
			  "future: this clock is behind, or plugboard's is "
			  "ahead; it is used all the same",
		    best->claims.jti, skew_s);
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

void
keeper_init(struct keeper *k)
{
	memset(k, 0, sizeof(*k));
	tokens_init(&k->tokens);
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
