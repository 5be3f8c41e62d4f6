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
#define SAVE_AGAIN_MS (30 * 1000)
/* Without a worker nobody can be asked; the next one plans anew. */
#define NOBODY_MS (5 * 1000)

struct refresh {
	struct refresh_params params;
	struct event *timer;
	struct event *save;
	int64_t due_ms; /* wall clock; 0: not planned */
	uint32_t last_id;
	uint32_t asked; /* the outstanding id, 0: none */
	unsigned failed_in_a_row;
	uint64_t count, failures;
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

static void
plan_at(struct refresh *r, int64_t due_ms)
{
	r->due_ms = due_ms;
	set_timer(r->timer, due_ms - util_wall_ms());
}

void
refresh_plan(struct refresh *r)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);

	if (r->asked != 0)
		return; /* its end plans */
	(void)evtimer_del(r->timer);
	r->due_ms = 0;
	if (r->params.keeper->unsaved)
		set_timer(r->save, SAVE_AGAIN_MS);
	/* A refused one is planned for, too: a worker asks only when it has
	 * joined, and then the server has taken it after all. */
	if (best == NULL || best->revoked)
		return;
	if (r->failed_in_a_row > 0)
		plan_at(r,
		    util_wall_ms() +
			token_retry_ms(best, r->failed_in_a_row, util_wall_ms(),
			    random32()));
	else
		plan_at(
		    r, token_due_ms(best, r->params.interval_ms, random32()));
}

static void
ask(struct refresh *r)
{
	if (++r->last_id == 0)
		r->last_id = 1;
	if (!r->params.ops->on_ask(r->last_id, r->params.arg)) {
		plan_at(r, util_wall_ms() + NOBODY_MS);
		return;
	}
	r->asked = r->last_id;
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
	if (left_s < life_s / 10)
		log_errorx("token refresh failed %u times (%s): %" PRId64
			   " s of its life are left; a new one in "
			   "TELEPHONE_TOKEN and a reload would help",
		    r->failed_in_a_row, proto_refresh_name(outcome), left_s);
	else
		log_warnx("token refresh failed (%s), %" PRId64
			  " s of its life are left",
		    proto_refresh_name(outcome), left_s);
}

static void
fail(struct refresh *r, enum proto_refresh outcome)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);

	r->asked = 0;
	r->failures++;
	r->failed_in_a_row++;
	log_failure(r, outcome);
	if (outcome == PROTO_REFRESH_REVOKED && best != NULL) {
		log_errorx("plugboard has revoked the token %s: it is set "
			   "aside; give a new one in TELEPHONE_TOKEN and "
			   "reload",
		    best->claims.jti);
		(void)tokens_refuse(
		    &r->params.keeper->tokens, best->claims.jti);
		best->revoked = true;
		r->params.ops->on_change(r->params.arg);
	}
	refresh_plan(r);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct refresh *r = arg;

	(void)fd;
	(void)what;
	if (r->asked != 0)
		fail(r, PROTO_REFRESH_TIMEOUT);
	else if (r->due_ms > util_wall_ms()) /* the clock was set */
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
	if (r->params.keeper->unsaved)
		set_timer(r->save, SAVE_AGAIN_MS);
}

void
refresh_lost(struct refresh *r)
{
	if (r->asked != 0)
		fail(r, PROTO_REFRESH_LOST);
}

/* NULL when the new token may take the old one's place. */
static const char *
judge(const struct refresh *r, const char *text)
{
	enum proto_token_state state;
	struct token *best = keeper_best(r->params.keeper, &state);
	struct jwt jwt;
	const char *error = jwt_parse(&jwt, text);

	if (error != NULL)
		return error;
	if (best == NULL)
		return NULL;
	if (strcmp(jwt.path_id, best->claims.path_id) != 0)
		return "it is for another path_id";
	/* Not refused: the server has put the old one out of use. */
	if (jwt.exp_s < best->claims.exp_s)
		log_warnx("the refreshed token expires %" PRId64
			  " s before the one it replaces",
		    best->claims.exp_s - jwt.exp_s);
	return NULL;
}

static bool
take(struct refresh *r, const char *text)
{
	struct keeper *k = r->params.keeper;
	const char *error = judge(r, text);
	struct token *token;

	if (error != NULL) {
		log_errorx("plugboard's new token is not usable: %s", error);
		return false;
	}
	token = tokens_add(&k->tokens, text, PROTO_SOURCE_REFRESH, -1, &error);
	if (token == NULL)
		return false;
	token->refused = token->revoked = false;
	keeper_save(k);
	log_info("token refreshed: jti %s expires in %" PRId64 " s",
	    token->claims.jti, token->claims.exp_s - util_wall_ms() / 1000);
	return true;
}

bool
refresh_put(struct refresh *r, uint32_t id, const struct proto_put *put)
{
	bool waited = r->asked != 0 && id == r->asked;

	if (put->outcome == PROTO_REFRESH_OK && take(r, put->token)) {
		r->asked = 0;
		r->count++;
		r->failed_in_a_row = 0;
		refresh_plan(r);
		r->params.ops->on_change(r->params.arg);
		return true;
	}
	if (waited)
		fail(r,
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
	int64_t ms = r->due_ms - util_wall_ms();

	if (r->due_ms == 0)
		return r->asked != 0 ? 0 : -1;
	return ms > 0 ? ms : 0;
}

uint64_t
refresh_count(const struct refresh *r)
{
	return r->count;
}

uint64_t
refresh_failures(const struct refresh *r)
{
	return r->failures;
}

struct refresh *
refresh_create(const struct refresh_params *params)
{
	struct refresh *r = calloc(1, sizeof(*r));

	if (r == NULL)
		fatalx("out of memory");
	r->params = *params;
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
