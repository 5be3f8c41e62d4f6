/* SPDX-License-Identifier: MIT */
/*
 * idle → planned (timer) → outstanding (deadline) → planned. The same timer
 * serves both, and the retry of a save that failed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "log.h"
#include "refresh.h"
#include "util.h"

/* An answer that takes longer is lost. The worker has deadlines of its own,
 * and may have to wait for its tunnel. */
#define ANSWER_MS (60 * 1000)
/* A save that failed is tried again, more and more slowly. */
#define SAVE_FIRST_MS 1000
#define SAVE_MAX_MS (30 * 1000)
/* Without a worker nobody can be asked; the next one plans anew. */
#define NOBODY_MS (5 * 1000)
/* A timer knows nothing of a clock that was set, or a machine that slept: it
 * is looked at least this often. */
#define LOOK_MS (60 * 1000)

struct refresh {
	struct refresh_params params;
	struct event *timer;
	struct event *save;
	int64_t due_ms; /* by now_ms; 0: not planned */
	uint32_t last_id;
	uint32_t asked; /* the outstanding id, 0: none */
	bool late;	/* a token may yet come for an earlier question */
	bool said;	/* … that another one came */
	unsigned failed_in_a_row;
	char failed[PROTO_ID_MAX]; /* … with the token of this jti */
	int64_t save_ms;	   /* how long the last wait for a save was */
	struct refresh_counts counts;
};

static uint32_t
random32(void)
{
	uint32_t r;

	util_random(&r, sizeof(r));
	return r;
}

static void
set_timer(struct event *ev, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (evtimer_add(ev, &tv) == -1)
		fatalx("a timer cannot be armed");
}

static int64_t
now_ms(const struct refresh *r)
{
	enum proto_token_state state;
	const struct token *best = keeper_best(r->params.keeper, &state);
	int64_t wall_ms = util_wall_ms();

	return best == NULL ? wall_ms
			    : token_now_ms(best, wall_ms, util_mono_ms());
}

static void
plan_at(struct refresh *r, int64_t due_ms)
{
	int64_t ms = due_ms - now_ms(r);

	r->due_ms = due_ms;
	set_timer(r->timer, ms < LOOK_MS ? ms : LOOK_MS);
}

static void
plan_save(struct refresh *r)
{
	if (!r->params.keeper->unsaved) {
		r->save_ms = 0;
		(void)evtimer_del(r->save);
		return;
	}
	if (evtimer_pending(r->save, NULL))
		return;
	r->save_ms = r->save_ms == 0 ? SAVE_FIRST_MS : 2 * r->save_ms;
	if (r->save_ms > SAVE_MAX_MS)
		r->save_ms = SAVE_MAX_MS;
	set_timer(r->save, r->save_ms);
}

/* When the next is due. One in reserve is what there will be when the current
 * one is refused: its life counts as well. */
static int64_t
due_ms(const struct refresh *r, const struct token *best)
{
	const struct tokens *all = &r->params.keeper->tokens;
	int64_t interval_ms = r->params.interval_ms, ms, reserve_ms;
	unsigned i;

	ms = token_due_ms(best, interval_ms, random32());
	for (i = 0; i < all->count; i++) {
		if (!all->candidate[i]->reserve || all->candidate[i]->refused)
			continue;
		reserve_ms =
		    token_due_ms(all->candidate[i], interval_ms, random32());
		if (best->claims.iat_s <= all->candidate[i]->claims.iat_s)
			ms = reserve_ms; /* the server's last word */
	}
	return ms;
}

void
refresh_plan(struct refresh *r)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);

	plan_save(r);
	if (r->asked != 0)
		return; /* its end plans */
	(void)evtimer_del(r->timer);
	r->due_ms = 0;
	/* A refused one is planned for, too: a worker asks only when it has
	 * joined, and then the server has taken it after all. */
	if (best == NULL || best->revoked)
		return;
	if (strcmp(best->claims.jti, r->failed) != 0)
		r->failed_in_a_row = 0; /* those were another's */
	if (r->failed_in_a_row > 0)
		plan_at(r,
		    now_ms(r) +
			token_retry_ms(best, r->failed_in_a_row, util_wall_ms(),
			    random32()));
	else
		plan_at(r, due_ms(r, best));
}

static void
ask(struct refresh *r)
{
	if (++r->last_id == 0)
		r->last_id = 1;
	if (!r->params.ops->on_ask(r->last_id, r->params.arg)) {
		plan_at(r, now_ms(r) + NOBODY_MS);
		return;
	}
	r->asked = r->last_id;
	r->said = false;
	r->due_ms = 0;
	set_timer(r->timer, ANSWER_MS);
}

/* Says what happened, the louder the less life is left. */
static void
log_failure(const struct refresh *r, enum proto_refresh outcome)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);
	int64_t left_s, life_s;

	if (best == NULL)
		return;
	left_s = best->claims.exp_s - util_wall_ms() / 1000;
	life_s = best->claims.exp_s - best->claims.iat_s;
	if (left_s < 0)
		log_errorx("token refresh failed %u times (%s): the token "
			   "expired %" PRId64
			   " s ago; give a new one (telephonectl token set)",
		    r->failed_in_a_row, proto_refresh_name(outcome), -left_s);
	else if (left_s < life_s / 10)
		log_errorx("token refresh failed %u times (%s): %" PRId64
			   " s of its life are left; a new one (telephonectl "
			   "token set) would help",
		    r->failed_in_a_row, proto_refresh_name(outcome), left_s);
	else
		log_warnx("token refresh failed (%s), %" PRId64
			  " s of its life are left",
		    proto_refresh_name(outcome), left_s);
}

static void
fail(struct refresh *r, unsigned by, enum proto_refresh outcome)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);

	r->asked = 0;
	r->late = true;
	r->failed_in_a_row++;
	if (best != NULL)
		(void)util_strlcpy(
		    r->failed, best->claims.jti, sizeof(r->failed));
	log_failure(r, outcome);
	if (outcome == PROTO_REFRESH_REVOKED && best != NULL) {
		keeper_revoke(r->params.keeper, best, by);
		r->params.ops->on_change(r->params.arg);
	}
	refresh_plan(r);
}

/* … without an answer that could have been taken. */
static void
fail_unheard(struct refresh *r, enum proto_refresh outcome)
{
	r->counts.outcome[outcome]++;
	fail(r, 0, outcome);
	r->params.ops->on_end(r->params.arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct refresh *r = arg;

	(void)fd;
	(void)what;
	if (r->asked != 0)
		fail_unheard(r, PROTO_REFRESH_TIMEOUT);
	else if (r->due_ms > now_ms(r))
		plan_at(r, r->due_ms);
	else
		ask(r);
}

static void
on_save(evutil_socket_t fd, short what, void *arg)
{
	struct refresh *r = arg;

	(void)fd;
	(void)what;
	keeper_save(r->params.keeper);
	plan_save(r);
	if (!r->params.keeper->unsaved)
		log_info("the current token is stored now");
	r->params.ops->on_end(r->params.arg);
}

void
refresh_lost(struct refresh *r)
{
	if (r->asked != 0)
		fail_unheard(r, PROTO_REFRESH_LOST);
}

/* NULL when the new token is one to keep. One that expires before the token
 * that it is to replace does not replace it, but the server may have put that
 * out of use: it stands in reserve for then. */
static const char *
judge(const struct refresh *r, const char *text, bool *reserve)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);
	struct jwt jwt;
	const char *error = jwt_parse(&jwt, text);

	*reserve = false;
	if (error != NULL || best == NULL)
		return error;
	if (strcmp(jwt.path_id, best->claims.path_id) != 0)
		return "it is for another path_id";
	*reserve = jwt.exp_s < best->claims.exp_s &&
	    state == PROTO_TOKEN_VALID && strcmp(text, best->text) != 0;
	if (*reserve)
		log_warnx("the refreshed token expires %" PRId64
			  " s before the one it should replace: it is kept "
			  "in reserve for when that is refused",
		    best->claims.exp_s - jwt.exp_s);
	return NULL;
}

/* The token is among the candidates now. */
static void
keep(struct keeper *k, struct token *token, bool reserve)
{
	token->refused = token->revoked = false;
	token->refusals = 0;
	token->reserve = reserve;
	keeper_save(k);
	keeper_save_also(k, token);
	keeper_settle(k, token);
	log_info("token refreshed: jti %s expires in %" PRId64 " s",
	    token->claims.jti, token->claims.exp_s - util_wall_ms() / 1000);
	log_audit(LOG_LEVEL_INFO, "refreshed",
	    "jti %s, path_id %s, issued %" PRId64 ", expires %" PRId64 "%s%s",
	    token->claims.jti, token->claims.path_id, token->claims.iat_s,
	    token->claims.exp_s, reserve ? ", in reserve" : "",
	    token->row == -1 ? ", not stored" : "");
	keeper_warn(k);
}

static bool
take(struct refresh *r, const char *text)
{
	struct keeper *k = r->params.keeper;
	enum proto_token_state state;
	struct token *before = keeper_best(k, &state), *token = NULL;
	bool reserve;
	const char *error = judge(r, text, &reserve);

	if (error == NULL)
		token = tokens_add(
		    &k->tokens, text, PROTO_SOURCE_REFRESH, -1, &error);
	if (token == NULL) {
		log_errorx("plugboard's new token is not usable: %s", error);
		log_audit(LOG_LEVEL_WARN, "refused",
		    "what a refresh brought: %s", error);
		return false;
	}
	if (before != NULL) /* the best one has not made room */
		token_believe(token, before);
	keep(k, token, reserve);
	return true;
}

/* Each question has one token, which may be late: then it is no answer to the
 * one that is outstanding. */
static bool
is_answer(struct refresh *r, bool waited)
{
	bool late = r->late;

	if (!waited)
		r->late = false;
	return waited || late;
}

/* Nobody is waiting for it, nor has been. */
static void
refuse_unasked(struct refresh *r)
{
	r->counts.unusable++;
	if (r->said)
		return;
	r->said = true;
	log_warnx("a worker sent a token that nobody asked it for: it is not "
		  "taken");
}

bool
refresh_put(
    struct refresh *r, unsigned by, uint32_t id, const struct proto_put *put)
{
	bool waited = r->asked != 0 && id == r->asked;

	if (put->outcome == PROTO_REFRESH_OK && !is_answer(r, waited)) {
		refuse_unasked(r);
		return false;
	}
	if (put->outcome == PROTO_REFRESH_OK && take(r, put->token)) {
		if (waited)
			r->asked = 0;
		r->counts.outcome[PROTO_REFRESH_OK]++;
		r->failed_in_a_row = 0;
		refresh_plan(r);
		r->params.ops->on_change(r->params.arg);
		return true;
	}
	if (put->outcome == PROTO_REFRESH_OK)
		r->counts.unusable++;
	else if (waited)
		r->counts.outcome[put->outcome]++;
	if (waited)
		fail(r, by,
		    put->outcome == PROTO_REFRESH_OK ? PROTO_REFRESH_REFUSED
						     : put->outcome);
	return false;
}

void
refresh_set_interval(struct refresh *r, int64_t interval_ms)
{
	r->params.interval_ms = interval_ms;
}

int64_t
refresh_in_ms(const struct refresh *r)
{
	int64_t ms = r->due_ms - now_ms(r);

	if (r->due_ms == 0)
		return r->asked != 0 ? 0 : -1;
	return ms > 0 ? ms : 0;
}

const struct refresh_counts *
refresh_counts(const struct refresh *r)
{
	return &r->counts;
}

uint64_t
refresh_failures(const struct refresh *r)
{
	uint64_t n = r->counts.unusable;
	size_t i;

	for (i = 0; i < PROTO_REFRESHES; i++)
		if (i != PROTO_REFRESH_OK)
			n += r->counts.outcome[i];
	return n;
}

struct refresh *
refresh_create(const struct refresh_params *params)
{
	struct refresh *r = calloc(1, sizeof(*r));

	if (r == NULL)
		fatalx("out of memory");
	r->params = *params;
	r->late = true; /* what the tokend before this asked for */
	r->timer = evtimer_new(params->base, on_timer, r);
	r->save = evtimer_new(params->base, on_save, r);
	if (r->timer == NULL || r->save == NULL)
		fatalx("out of memory");
	return r;
}

void
refresh_free(struct refresh *r)
{
	if (r == NULL)
		return;
	event_free(r->timer);
	event_free(r->save);
	free(r);
}
