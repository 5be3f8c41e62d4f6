/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/backoff. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backoff.h"

#define MIDDLE 0x80000000U /* no jitter */

START_TEST(doubles_up_to_its_bound)
{
	static const int64_t want[] = {
	    1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct backoff b = {1000, 30000, 0};
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_int_eq(backoff_next(&b, MIDDLE), want[i]);
	ck_assert_uint_eq(b.attempt, i);
	backoff_reset(&b);
	ck_assert_int_eq(backoff_next(&b, MIDDLE), 1000);
}
END_TEST

/* The least, the greatest, and what lies between, at any attempt. */
static const struct {
	uint32_t attempt;
	int64_t middle;
} attempts[] = {
    {0, 1000},
    {1, 2000},
    {5, 30000},
    {60, 30000},
    {62, 30000},
    {63, 30000},
    {64, 30000},
    {0x80000000U, 30000},
    {UINT32_MAX, 30000},
};

START_TEST(spreads_by_a_quarter_and_no_more)
{
	static const uint32_t randoms[] = {
	    0, 1, 255, 256, MIDDLE - 1, MIDDLE, UINT32_MAX - 1, UINT32_MAX};
	int64_t middle = attempts[_i].middle, ms;
	size_t i;

	for (i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
		struct backoff b = {1000, 30000, attempts[_i].attempt};

		ms = backoff_next(&b, randoms[i]);
		ck_assert_int_ge(ms, middle * 3 / 4);
		ck_assert_int_le(ms, middle * 5 / 4);
		if (randoms[i] == 0)
			ck_assert_int_eq(ms, middle * 3 / 4);
		if (randoms[i] == UINT32_MAX)
			ck_assert_int_ge(ms, middle * 5 / 4 - 1);
		ck_assert_uint_ge(b.attempt, attempts[_i].attempt);
	}
}
END_TEST

START_TEST(attempts_do_not_wrap)
{
	struct backoff b = {1000, 30000, UINT32_MAX};

	(void)backoff_next(&b, 0);
	ck_assert_uint_eq(b.attempt, UINT32_MAX);
}
END_TEST

START_TEST(bounds_at_their_ends)
{
	struct backoff same = {500, 500, 0}, swapped = {5000, 100, 0};
	struct backoff week = {1, 7 * 86400 * 1000LL, 0x80000000U};
	struct backoff none = {0, 1000, 0x80000000U};
	int i;

	ck_assert_int_eq(backoff_next(&same, MIDDLE), 500);
	ck_assert_int_eq(backoff_next(&same, MIDDLE), 500);
	ck_assert_int_eq(backoff_next(&swapped, MIDDLE), 100);
	ck_assert_int_eq(backoff_next(&week, MIDDLE), 7 * 86400 * 1000LL);
	ck_assert_int_le(
	    backoff_next(&week, UINT32_MAX), 7 * 86400 * 1000LL * 5 / 4);
	/* Nothing doubled stays nothing, and does not take long. */
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(backoff_next(&none, UINT32_MAX), 0);
}
END_TEST

START_TEST(randoms_differ)
{
	uint32_t first = backoff_random();
	int i, same = 0;

	for (i = 0; i < 100; i++)
		same += backoff_random() == first;
	ck_assert_int_lt(same, 3);
}
END_TEST

START_TEST(spread_reaches_both_ends)
{
	bool seen[4] = {false};
	int i;

	for (i = 0; i < 1000; i++) {
		int64_t ms = backoff_spread(3);

		ck_assert_int_ge(ms, 0);
		ck_assert_int_le(ms, 3);
		seen[ms] = true;
	}
	ck_assert(seen[0] && seen[1] && seen[2] && seen[3]);
	ck_assert_int_eq(backoff_spread(0), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("backoff");
	TCase *tc = tcase_create("backoff");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, doubles_up_to_its_bound);
	tcase_add_loop_test(tc, spreads_by_a_quarter_and_no_more, 0,
	    (int)(sizeof(attempts) / sizeof(attempts[0])));
	tcase_add_test(tc, attempts_do_not_wrap);
	tcase_add_test(tc, bounds_at_their_ends);
	tcase_add_test(tc, randoms_differ);
	tcase_add_test(tc, spread_reaches_both_ends);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
