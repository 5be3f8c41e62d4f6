/* SPDX-License-Identifier: MIT */
/*
 * The choice of token.h against a model that knows nothing of its code: random
 * histories of tokens that come, are refused, revoked, forgiven and grow old.
 * After each step both must offer the same one; and a server that takes any
 * one of them must be reached. The seed is printed; SEED=N runs it again.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token.h"

#define HISTORIES 3000
#define STEPS 40

/* --- the model ---------------------------------------------------------------
 */

struct made {
	char jti[16], text[512];
	int iat, exp;
	int source; /* 1 stored, 2 given, 3 refreshed */
	int refusals;
	bool refused, revoked, reserve;
};

static struct made model[TOKEN_CANDIDATES_MAX];
static int models, made;
static int now;
static struct tokens tokens;
static unsigned seed;

static int
chance(int n)
{
	seed = seed * 1103515245u + 12345u;
	return (int)((seed >> 8) % (unsigned)n);
}

static bool
is_dead(const struct made *m)
{
	return m->revoked || (m->refused && m->exp <= now);
}

/*
 * What docs/tokens.md says, in its words and its order: "unexpired ones, the
 * latest iat first; of two equal ones the given one" before the stored one and
 * behind what a refresh brought; "in reserve"; "an expired one, once"; "those
 * that the server refused", each in its turn.
 */
static int
class_of(const struct made *m)
{
	if (m->refused)
		return 4;
	if (m->exp <= now)
		return 3;
	return m->reserve ? 2 : 1;
}

static const struct made *
model_offer(void)
{
	const struct made *m, *best = NULL;
	int i, class, c;

	for (class = 1; class <= 4 && best == NULL; class ++)
		for (i = 0; i < models; i++) {
			m = &model[i];
			c = class_of(m);
			if (is_dead(m) || c != class)
				continue;
			if (best == NULL ||
			    (class == 4 && m->refusals < best->refusals) ||
			    ((class != 4 || m->refusals == best->refusals) &&
				(m->iat > best->iat ||
				    (m->iat == best->iat &&
					m->source > best->source))))
				best = m;
		}
	return best;
}

/* --- tokens ------------------------------------------------------------------
 */

static size_t
base64(char *text, const char *json, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				     "opqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	size_t i, n = 0;
	int have = 0;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | (uint8_t)json[i];
		for (have += 8; have >= 6; have -= 6)
			text[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		text[n++] = digits[bits << (6 - have) & 63];
	return n;
}

/* iat and source are unlike those of all others, so that one is the best. */
static bool
is_unlike(int iat, int source)
{
	int i;

	for (i = 0; i < models; i++)
		if (model[i].iat == iat && model[i].source == source)
			return false;
	return true;
}

static void
come(void)
{
	struct made *m = &model[models];
	char json[256];
	const char *error;
	struct token *t;
	size_t n;

	if (models == TOKEN_CANDIDATES_MAX)
		return;
	memset(m, 0, sizeof(*m));
	m->iat = now - 500 + chance(700); /* some from the future */
	m->exp = m->iat + 1 + chance(900);
	m->source = 1 + chance(3);
	if (!is_unlike(m->iat, m->source))
		return;
	(void)snprintf(m->jti, sizeof(m->jti), "t%d", made++);
	n = (size_t)snprintf(json, sizeof(json),
	    "{\"sub\":\"s\",\"path_id\":\"p\",\"jti\":\"%s\",\"iat\":%d,"
	    "\"exp\":%d}",
	    m->jti, m->iat, m->exp);
	(void)strcpy(m->text, "e30.");
	n = 4 + base64(m->text + 4, json, n);
	(void)strcpy(m->text + n, ".c2ln");
	t = tokens_add(
	    &tokens, m->text, (enum proto_source)m->source, -1, &error);
	ck_assert_msg(t != NULL, "seed %u: %s", seed, error);
	m->reserve = t->reserve = m->source == 3 && chance(4) == 0;
	models++;
}

static struct token *
find(const char *jti)
{
	unsigned i;

	for (i = 0; i < tokens.count; i++)
		if (strcmp(tokens.candidate[i]->claims.jti, jti) == 0)
			return tokens.candidate[i];
	return NULL;
}

static void
be_refused(struct made *m)
{
	bool first = !m->refused;

	m->refused = true;
	m->refusals++;
	ck_assert(tokens_refuse(&tokens, m->jti, 403, 1) == first);
}

static void
be_revoked(struct made *m)
{
	be_refused(m);
	m->revoked = find(m->jti)->revoked = true;
}

static void
leave(struct made *m)
{
	tokens_remove(&tokens, find(m->jti));
	*m = model[--models];
}

static void
forgive(void)
{
	int i;

	for (i = 0; i < models; i++) {
		model[i].refused = model[i].revoked = false;
		model[i].refusals = 0;
	}
	tokens_forgive(&tokens);
}

static void
step(void)
{
	int what = chance(20);
	struct made *any = models > 0 ? &model[chance(models)] : NULL;

	if (what < 8 || any == NULL)
		come();
	else if (what < 13)
		be_refused(any);
	else if (what < 14)
		be_revoked(any);
	else if (what < 15)
		leave(any);
	else if (what < 16)
		forgive();
	else
		now += chance(200);
}

/* --- properties
 * ---------------------------------------------------------------- */

static const char *
offer(enum proto_token_state *state)
{
	struct token *t = tokens_offer(&tokens, now, state);

	return t == NULL ? "none" : t->claims.jti;
}

static void
agree(unsigned from)
{
	const struct made *m = model_offer();
	enum proto_token_state state;
	const char *got = offer(&state);

	ck_assert_msg(strcmp(got, m == NULL ? "none" : m->jti) == 0,
	    "seed %u: %s is offered, %s is better", from, got,
	    m == NULL ? "none" : m->jti);
	ck_assert_msg(state ==
		(m == NULL		? PROTO_TOKEN_NONE
			: m->refused	? PROTO_TOKEN_REFUSED_ALL
			: m->exp <= now ? PROTO_TOKEN_EXPIRED
					: PROTO_TOKEN_VALID),
	    "seed %u: the state of %s", from, got);
}

/* A fresh token of the operator's is never beaten by a stale one. */
static void
fresh_beats_stale(unsigned from)
{
	enum proto_token_state state;
	const char *got = offer(&state);
	struct token *t = find(got);
	int i;

	for (i = 0; i < models; i++) {
		const struct made *m = &model[i];

		if (m->source != 2 || m->refused || m->exp <= now)
			continue;
		ck_assert_msg(t != NULL && !t->refused &&
			t->claims.exp_s > now && t->claims.iat_s >= m->iat,
		    "seed %u: %s beats the fresh %s", from, got, m->jti);
	}
}

/* Whichever one of them the server takes: it is offered before the others
 * have been refused twice. Never locked out. */
static void
any_is_reached(unsigned from)
{
	enum proto_token_state state;
	struct made *m;
	const char *wanted, *got;
	int i, tries, before;

	if (models == 0)
		return;
	m = &model[chance(models)];
	if (is_dead(m))
		return;
	wanted = m->jti;
	for (i = 0, before = 0; i < models; i++)
		before += model[i].refusals;
	for (tries = 0; tries <= models * (before + 2); tries++) {
		got = offer(&state);
		if (strcmp(got, wanted) == 0)
			return;
		ck_assert_msg(strcmp(got, "none") != 0,
		    "seed %u: nothing is offered, %s would be taken", from,
		    wanted);
		for (i = 0; strcmp(model[i].jti, got) != 0; i++)
			;
		be_refused(&model[i]);
	}
	ck_abort_msg("seed %u: locked out, %s would be taken", from, wanted);
}

static unsigned
first_seed(void)
{
	const char *given = getenv("SEED");

	return given != NULL ? (unsigned)strtoul(given, NULL, 10)
			     : (unsigned)time(NULL);
}

START_TEST(the_model_agrees)
{
	unsigned first = first_seed(), from;
	int history, i;

	(void)printf("SEED=%u\n", first);
	(void)fflush(stdout);
	for (history = 0; history < HISTORIES; history++) {
		seed = from = first + (unsigned)history;
		models = made = 0;
		now = 1000000;
		tokens_init(&tokens);
		for (i = 0; i < STEPS; i++) {
			step();
			agree(from);
			fresh_beats_stale(from);
		}
		any_is_reached(from);
		agree(from);
		tokens_clear(&tokens);
	}
}
END_TEST

/* When more come than there is room for, the best one stays. */
START_TEST(the_best_one_is_never_evicted)
{
	unsigned first = first_seed(), from;
	enum proto_token_state state;
	char jti[PROTO_ID_MAX];
	int history, i;

	for (history = 0; history < 100; history++) {
		seed = from = first + (unsigned)history;
		models = made = 0;
		now = (int)time(NULL);
		tokens_init(&tokens);
		for (i = 0; i < 3 * TOKEN_CANDIDATES_MAX; i++) {
			(void)snprintf(jti, sizeof(jti), "%s", offer(&state));
			if (models == TOKEN_CANDIDATES_MAX)
				models = 0; /* the model counts for nothing */
			come();
			ck_assert_msg(
			    strcmp(jti, "none") == 0 || find(jti) != NULL,
			    "seed %u: the best one is gone", from);
		}
		tokens_clear(&tokens);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token model");
	TCase *tc = tcase_create("token model");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, the_model_agrees);
	tcase_add_test(tc, the_best_one_is_never_evicted);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
