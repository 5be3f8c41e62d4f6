/* SPDX-License-Identifier: MIT */
/* What the operator asks for, and the reports. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper.h"
#include "keeper_parts.h"
#include "log.h"
#include "secret.h"
#include "util.h"

/* What became of it, for people. */
static void
set_text(struct proto_report *r, enum proto_token_state state)
{
	(void)util_fmt(r->text, sizeof(r->text), "%s%s%s",
	    !r->current ? "kept in reserve: the token in use was issued later"
		: state == PROTO_TOKEN_EXPIRED
		? "it has expired by this clock, and is tried once"
		: "in use",
	    r->stored ? ", stored" : ", NOT stored (see the log)",
	    r->moved ? "; it is for another path than the one before: a reload "
		       "has begun, by which a new worker joins there and the "
		       "old one drains"
		     : "");
}

void
keeper_set(struct keeper *k, int fd, struct proto_report *report)
{
	enum proto_token_state state;
	const char *error;
	char path_id[PROTO_ID_MAX] = "";
	struct token *best = keeper_best(k, &state), *token;

	if (best != NULL) /* it may have to make room */
		(void)util_strlcpy(
		    path_id, best->claims.path_id, sizeof(path_id));
	token = inputs_sent(fd, &k->tokens, &error);
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
	keeper_audit(LOG_LEVEL_INFO, "set", token);
	keeper_save(k);
	keeper_save_also(k, token);
	best = keeper_best(k, &state);
	report->current = token == best;
	report->stored = token->row != -1;
	report->moved = report->current && path_id[0] != '\0' &&
	    strcmp(path_id, token->claims.path_id) != 0;
	report->exp_s = token->claims.exp_s;
	(void)util_strlcpy(
	    report->path_id, token->claims.path_id, sizeof(report->path_id));
	(void)util_strlcpy(report->jti, token->claims.jti, sizeof(report->jti));
	report->code =
	    report->current && report->stored && state == PROTO_TOKEN_VALID
	    ? EX_OK
	    : 1;
	set_text(report, state);
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
	enum store_fault fault;
	int64_t rows;

	keeper_save(k); /* finds the store, if it is not where it was */
	fault = keeper_reseal(k);
	rows = store_count(k->store);
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
