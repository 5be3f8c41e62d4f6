/* SPDX-License-Identifier: MIT */
/* Unit tests of token.h: which token, and when the next. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token.h"

static struct tokens tokens;

static struct token *
add(const char *jti, int64_t iat, int64_t exp, enum proto_source source)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				     "opqrstuvwxyz0123456789-_";
	char json[256], text[512];
	const char *error;
	size_t len, i, n = 4;
	uint32_t bits = 0;
	int have = 0;

	len = (size_t)snprintf(json, sizeof(json),
	    "{\"sub\":\"s\",\"path_id\":\"p\",\"jti\":\"%s\",\"iat\":%" PRId64
	    ",\"exp\":%" PRId64 "}",
	    jti, iat, exp);
	(void)strcpy(text, "e30.");
	for (i = 0; i < len; i++) {
		bits = bits << 8 | (uint8_t)json[i];
		for (have += 8; have >= 6; have -= 6)
			text[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		text[n++] = digits[bits << (6 - have) & 63];
	(void)strcpy(text + n, ".c2ln");
	return tokens_add(&tokens, text, source, -1, &error);
}

static const char *
best(int now, enum proto_token_state want)
{
	enum proto_token_state state;
	struct token *t = tokens_best(&tokens, now, &state);

	ck_assert_int_eq(state, want);
	return t == NULL ? "" : t->claims.jti;
}

START_TEST(the_later_one_wins)
{
	tokens_init(&tokens);
	ck_assert_str_eq(best(150, PROTO_TOKEN_NONE), "");
	add("old", 100, 1000, PROTO_SOURCE_GIVEN);
	add("new", 200, 900, PROTO_SOURCE_STORE);
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "new");
	add("given", 200, 800, PROTO_SOURCE_GIVEN);
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "given");
	/* An expired one is never better than one that is not. */
	ck_assert_str_eq(best(850, PROTO_TOKEN_VALID), "new");
	ck_assert_str_eq(best(950, PROTO_TOKEN_VALID), "old");
	ck_assert_str_eq(best(2000, PROTO_TOKEN_EXPIRED), "given");
	tokens_clear(&tokens);
}
END_TEST

START_TEST(refused_ones_come_last)
{
	tokens_init(&tokens);
	add("a", 100, 1000, PROTO_SOURCE_STORE);
	add("b", 200, 1000, PROTO_SOURCE_GIVEN);
	ck_assert(!tokens_refuse(&tokens, "c", 403, 1));
	ck_assert(tokens_refuse(&tokens, "b", 403, 1));
	ck_assert(!tokens_refuse(&tokens, "b", 403, 1));
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "a");
	ck_assert_str_eq(best(2000, PROTO_TOKEN_EXPIRED), "a");
	ck_assert(tokens_refuse(&tokens, "a", 403, 1));
	/* b was refused twice: each has its turn. */
	ck_assert_str_eq(best(250, PROTO_TOKEN_REFUSED_ALL), "a");
	ck_assert(!tokens_refuse(&tokens, "a", 403, 1));
	ck_assert_str_eq(best(250, PROTO_TOKEN_REFUSED_ALL), "b");
	tokens_forgive(&tokens);
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "b");
	tokens_clear(&tokens);
}
END_TEST

START_TEST(candidates_are_bounded)
{
	char jti[16];
	int i;

	tokens_init(&tokens);
	for (i = 0; i < 3 * TOKEN_CANDIDATES_MAX; i++) {
		(void)snprintf(jti, sizeof(jti), "t%d", i);
		ck_assert_ptr_nonnull(
		    add(jti, 100 + i, 2000000000, PROTO_SOURCE_STORE));
	}
	ck_assert_uint_eq(tokens.count, TOKEN_CANDIDATES_MAX);
	ck_assert_str_eq(best(1000, PROTO_TOKEN_VALID), jti);
	/* The same text is the same candidate. */
	ck_assert_ptr_eq(add(jti, 99 + i, 2000000000, PROTO_SOURCE_GIVEN),
	    add(jti, 99 + i, 2000000000, PROTO_SOURCE_GIVEN));
	tokens_clear(&tokens);
}
END_TEST

START_TEST(refresh_is_due_at_half_of_life)
{
	struct token *t;

	tokens_init(&tokens);
	t = add("a", 1000, 4600, PROTO_SOURCE_GIVEN);
	ck_assert_int_eq(token_due_ms(t, 0, 0), 1000000 + 1710000);
	ck_assert_int_ge(token_due_ms(t, 0, UINT32_MAX), 1000000 + 1889000);
	ck_assert_int_le(token_due_ms(t, 0, UINT32_MAX), 1000000 + 1890000);
	t->since_ms = 1500000;
	ck_assert_int_eq(token_due_ms(t, 100000, 0), 1500000 + 95000);
	/* Never later than five sixths of its life. */
	ck_assert_int_eq(token_due_ms(t, 36000000, 0), 1000000 + 3000000);
	tokens_clear(&tokens);
}
END_TEST

/* For any life, interval and chance. */
START_TEST(refresh_is_spread_and_never_too_late)
{
	uint32_t seed = 1, r;
	int i, life, early = 0, late = 0;
	int64_t due, half, interval;
	struct token *t;

	tokens_init(&tokens);
	t = add("a", 1000, 2000, PROTO_SOURCE_GIVEN);
	for (i = 0; i < 20000; i++) {
		seed = seed * 1664525u + 1013904223u;
		r = seed ^ seed << 13;
		life = 2 + (int)(seed >> 8) % 3000000;
		interval = i % 2 == 0 ? 0 : 1000 * ((int64_t)(r >> 12) + 1);
		t->claims.exp_s = 1000 + life;
		t->life_s = life;
		t->from_ms = 1000000;
		t->since_ms = 1000000 + (int64_t)life * (r % 900);
		due = token_due_ms(t, interval, r) - 1000000;
		ck_assert_int_le(due, (int64_t)life * 1000 / 6 * 5);
		half = (int64_t)life * 500;
		if (interval == 0) {
			ck_assert_int_ge(due, half - half / 20);
			ck_assert_int_le(due, half + half / 20);
			early += due < half - half / 40;
			late += due > half + half / 40;
		}
	}
	tokens_clear(&tokens);
	/* A quarter of them in either outer quarter, more or less. */
	ck_assert_int_ge(early, 2000);
	ck_assert_int_le(early, 3000);
	ck_assert_int_ge(late, 2000);
	ck_assert_int_le(late, 3000);
}
END_TEST

START_TEST(retries_slow_down_but_not_beyond_life)
{
	struct token *t;
	uint32_t half = UINT32_MAX / 2 + 1;

	tokens_init(&tokens);
	t = add("a", 0, 1000000, PROTO_SOURCE_GIVEN);
	ck_assert_int_eq(token_retry_ms(t, 1, 0, half), 5000);
	ck_assert_int_eq(token_retry_ms(t, 2, 0, half), 10000);
	ck_assert_int_eq(token_retry_ms(t, 60, 0, half), 300000);
	ck_assert_int_eq(token_retry_ms(t, UINT32_MAX, 0, half), 300000);
	ck_assert_int_eq(token_retry_ms(t, 9, 999990000, half), 2500);
	ck_assert_int_eq(token_retry_ms(t, 9, 999999999, half), 1000);
	ck_assert_int_eq(token_retry_ms(t, 1, 2000000000, half), 5000);
	ck_assert_int_eq(token_retry_ms(t, 1, 0, 0), 3750);
	tokens_clear(&tokens);
}
END_TEST

static bool evicted;

static void
on_evict(const struct token *t, void *arg)
{
	ck_assert_str_eq(t->claims.jti, arg);
	evicted = true;
}

/* What can be read again makes room, be it better, but never the best. */
START_TEST(what_is_not_stored_makes_no_room)
{
	char jti[16], stored[] = "t4";
	int i;

	tokens_init(&tokens);
	tokens.on_evict = on_evict;
	tokens.arg = stored;
	for (i = 0; i < TOKEN_CANDIDATES_MAX; i++) {
		(void)snprintf(jti, sizeof(jti), "t%d", i);
		add(jti, 100 + i, 2000000000, PROTO_SOURCE_GIVEN)->row =
		    i == 4 || i == TOKEN_CANDIDATES_MAX - 1 ? i : -1;
	}
	add("more", 99, 2000000000, PROTO_SOURCE_REFRESH);
	ck_assert(evicted);
	ck_assert_uint_eq(tokens.count, TOKEN_CANDIDATES_MAX);
	ck_assert_str_eq(best(1000, PROTO_TOKEN_VALID), jti);
	tokens_clear(&tokens);
}
END_TEST

/* iat counts at most as the moment when a token came. */
START_TEST(the_future_is_not_for_ever)
{
	int now = (int)time(NULL);

	tokens_init(&tokens);
	add("false", now + 100000, now + 200000, PROTO_SOURCE_REFRESH)
	    ->issued_s--; /* it came a second ago */
	add("given", now + 50000, now + 200000, PROTO_SOURCE_GIVEN);
	ck_assert_str_eq(best(now, PROTO_TOKEN_VALID), "given");
	add("refreshed", now + 1, now + 3600, PROTO_SOURCE_REFRESH);
	ck_assert_str_eq(best(now, PROTO_TOKEN_VALID), "refreshed");
	tokens_clear(&tokens);
}
END_TEST

START_TEST(what_a_worker_said_goes_with_it)
{
	tokens_init(&tokens);
	add("a", 100, 1000, PROTO_SOURCE_STORE);
	add("b", 200, 1000, PROTO_SOURCE_GIVEN)->revoked = true;
	ck_assert(tokens_refuse(&tokens, "a", 403, 1));
	ck_assert(tokens_refuse(&tokens, "b", 0, 2));
	ck_assert_uint_eq(tokens_unsay(&tokens, 3), 0);
	ck_assert_uint_eq(tokens_unsay(&tokens, 1), 1);
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "a");
	ck_assert_uint_eq(tokens_unsay(&tokens, 2), 1);
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "b");
	/* What another one says after it stays. */
	ck_assert(tokens_refuse(&tokens, "b", 403, 4));
	ck_assert(!tokens_refuse(&tokens, "b", 403, 5));
	ck_assert_uint_eq(tokens_unsay(&tokens, 4), 0);
	ck_assert_str_eq(best(250, PROTO_TOKEN_VALID), "a");
	tokens_clear(&tokens);
}
END_TEST

/* Clocks that differ by more than a life: neither too late nor all the time. */
START_TEST(the_schedule_survives_clocks)
{
	int now = (int)time(NULL), off, life = 3600;
	int64_t due_s;
	struct token *t;

	for (off = -3 * life; off <= 3 * life; off += 97) {
		tokens_init(&tokens);
		t = add("r", now + off, now + off + life, PROTO_SOURCE_REFRESH);
		due_s = token_due_ms(t, 0, UINT32_MAX / 2) / 1000 - now;
		ck_assert_int_ge(due_s, life / 10 - 2);
		ck_assert_int_le(due_s, life / 2 + 2);
		if (off <= 0 && off > -life / 2)
			ck_assert_int_le(due_s, life + off);
		due_s = token_due_ms(t, 86400000, 0) / 1000 - now;
		ck_assert_int_le(due_s, life / 6 * 5 + 2);
		tokens_clear(&tokens);
	}
	for (off = 60; off <= 3 * life; off += 97) {
		tokens_init(&tokens);
		t = add("g", now + off, now + off + life, PROTO_SOURCE_GIVEN);
		ck_assert_int_le(token_due_ms(t, 0, 0) / 1000, now);
		ck_assert_int_le(token_due_ms(t, 86400000, 0) / 1000, now);
		tokens_clear(&tokens);
	}
}
END_TEST

/* A clock that was set, and a machine that slept. */
START_TEST(a_life_goes_on_whatever_the_clock_says)
{
	struct token *t;

	tokens_init(&tokens);
	t = add("a", 100, 1000, PROTO_SOURCE_GIVEN);
	t->since_ms = 1000000;
	t->mono_ms = 5000;
	ck_assert_int_eq(token_now_ms(t, 1000000, 5000), 1000000);
	ck_assert_int_eq(token_now_ms(t, 1900000, 5500), 1900000);
	ck_assert_int_eq(token_now_ms(t, 200000, 65000), 1060000);
	tokens_clear(&tokens);
}
END_TEST

START_TEST(a_long_life_is_believed_by_and_by)
{
	struct token *before, *t;
	int now = (int)time(NULL);

	tokens_init(&tokens);
	before = add("a", now - 7200, now + 7200, PROTO_SOURCE_GIVEN);
	t = add("b", now, 2000000000, PROTO_SOURCE_REFRESH);
	token_believe(t, before);
	ck_assert_int_le(
	    token_due_ms(t, 0, UINT32_MAX / 2), (now + 14400) * 1000LL);
	t = add("c", now, now + 28800, PROTO_SOURCE_REFRESH);
	token_believe(t, before);
	ck_assert_int_eq(t->life_s, 28800);
	before->life_s = 6;
	token_believe(t, before);
	ck_assert_int_eq(t->life_s, 3600);
	tokens_clear(&tokens);
}
END_TEST

/* Milliseconds in the place of seconds, or no end at all: whatever the claims
 * may hold, nothing overflows, and it is due when half of a life is over. */
START_TEST(a_life_may_be_absurdly_long)
{
	static const int64_t ends[] = {
	    1795000000000, 253402300799, 100000000000000, 9007199254740991};
	static const uint32_t random[] = {0, UINT32_MAX / 2, UINT32_MAX};
	int64_t now_ms = (int64_t)time(NULL) * 1000, due_ms, year_ms;
	struct token *t;
	size_t i, j;

	year_ms = 365 * 86400000LL;
	for (i = 0; i < 4; i++) {
		tokens_init(&tokens);
		t = add("a", now_ms / 1000, ends[i], PROTO_SOURCE_GIVEN);
		ck_assert_ptr_nonnull(t);
		for (j = 0; j < 3; j++) {
			due_ms = token_due_ms(t, 0, random[j]);
			ck_assert_int_gt(due_ms, now_ms + year_ms);
			ck_assert_int_lt(due_ms, now_ms + 100 * year_ms);
			due_ms = token_due_ms(t, 86400000, random[j]);
			ck_assert_int_lt(due_ms, now_ms + 2 * 86400000);
		}
		t = add("b", 0, ends[i], PROTO_SOURCE_GIVEN);
		ck_assert_int_gt(token_due_ms(t, 0, UINT32_MAX), 0);
		tokens_clear(&tokens);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token");
	TCase *tc = tcase_create("token");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, the_later_one_wins);
	tcase_add_test(tc, refused_ones_come_last);
	tcase_add_test(tc, candidates_are_bounded);
	tcase_add_test(tc, a_life_may_be_absurdly_long);
	tcase_add_test(tc, refresh_is_due_at_half_of_life);
	tcase_add_test(tc, refresh_is_spread_and_never_too_late);
	tcase_add_test(tc, retries_slow_down_but_not_beyond_life);
	tcase_add_test(tc, what_is_not_stored_makes_no_room);
	tcase_add_test(tc, the_future_is_not_for_ever);
	tcase_add_test(tc, what_a_worker_said_goes_with_it);
	tcase_add_test(tc, the_schedule_survives_clocks);
	tcase_add_test(tc, a_life_goes_on_whatever_the_clock_says);
	tcase_add_test(tc, a_long_life_is_believed_by_and_by);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
