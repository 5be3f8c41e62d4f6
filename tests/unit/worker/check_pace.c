/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/pace.h: time and the kernel's queue are ours. */
#include <check.h>
#include <stdlib.h>

#include "pace.h"

#define MB 1000000

static struct pace pace;

static void
setup(void)
{
	pace_init(&pace, 1000);
}

/* Sends at `rate` bytes a second for `ms`, with more waiting all the time. */
static int64_t
send_at(uint64_t rate, int64_t from_ms, int64_t ms)
{
	uint64_t queued = 100 * MB;
	int64_t at;

	pace_wrote(&pace, queued, from_ms);
	for (at = from_ms; at <= from_ms + ms; at += PACE_SAMPLE_MS)
		pace_sample(&pace,
		    queued - rate * (uint64_t)(at - from_ms) / 1000, true, at);
	return at;
}

START_TEST(knows_nothing_at_first)
{
	ck_assert(pace_is_idle(&pace));
	ck_assert_int_eq(pace.progress_ms, 1000);
	ck_assert_int_eq(pace_project_ms(&pace, 1ull << 40, 1000), 0);
}
END_TEST

START_TEST(progress_is_what_the_peer_confirmed)
{
	pace_wrote(&pace, 100, 2000);
	ck_assert(!pace_is_idle(&pace));
	ck_assert_int_eq(pace.progress_ms, 2000); /* sending began */
	pace_wrote(&pace, 100, 2500);
	pace_sample(&pace, 200, true, 3000);
	ck_assert_int_eq(pace.progress_ms, 2000);
	pace_sample(&pace, 150, true, 3250);
	ck_assert_int_eq(pace.progress_ms, 3250);
	ck_assert_uint_eq(pace.left, 50);
	pace_sample(&pace, 150, true, 9000);
	ck_assert_int_eq(pace.progress_ms, 3250);
	pace_sample(&pace, 0, false, 9250);
	ck_assert(pace_is_idle(&pace));
	ck_assert_int_eq(pace.progress_ms, 9250);
	/* A silence in which there was nothing to send is none. */
	pace_wrote(&pace, 1, 50000);
	ck_assert_int_eq(pace.progress_ms, 50000);
}
END_TEST

START_TEST(a_queue_longer_than_what_was_counted)
{
	pace_wrote(&pace, 100, 2000);
	pace_sample(&pace, 130, true, 2250); /* TLS adds to it */
	ck_assert_uint_eq(pace.left, 0);
	pace_sample(&pace, 60, true, 2500);
	ck_assert_uint_eq(pace.left, 40);
	pace_wrote(&pace, 100, 2600);
	pace_sample(&pace, 190, true, 2750);
	ck_assert_uint_eq(pace.left, 40); /* nothing comes back */
	ck_assert_int_eq(pace.progress_ms, 2500);
}
END_TEST

START_TEST(projects_from_what_was_measured)
{
	int64_t end = send_at(2 * MB, 1000, 2000);

	ck_assert_int_eq(pace_project_ms(&pace, 2 * MB, end), 1000);
	ck_assert_int_eq(pace_project_ms(&pace, 90 * MB, end), 45000);
	ck_assert_int_eq(pace_project_ms(&pace, MB / 2, end), 250);
	/* No overflow at the ends. */
	ck_assert_int_gt(pace_project_ms(&pace, UINT64_MAX / 2048, end), 0);
}
END_TEST

START_TEST(one_bad_moment_does_not_count_for_much)
{
	int64_t end = send_at(8 * MB, 1000, 5000), later;

	later = pace_project_ms(&pace, 8 * MB, end);
	ck_assert_int_eq(later, 1000);
	pace_sample(&pace, 100 * MB - 40 * MB, true, end + 500);
	ck_assert_int_lt(pace_project_ms(&pace, 8 * MB, end + 500), 1500);
}
END_TEST

START_TEST(forgets_after_a_minute)
{
	int64_t end = send_at(MB, 1000, 2000);

	ck_assert_int_gt(pace_project_ms(&pace, MB, end + 50000), 0);
	ck_assert_int_eq(pace_project_ms(&pace, MB, end + 61000), 0);
}
END_TEST

/* What an application is slow to write says nothing about the way. */
START_TEST(idle_time_is_not_measured)
{
	int64_t at;

	pace_wrote(&pace, 1000, 1000);
	for (at = 1000; at < 9000; at += PACE_SAMPLE_MS)
		pace_sample(&pace, 0, false, at);
	ck_assert_int_eq(pace_project_ms(&pace, MB, at), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pace");
	TCase *tc = tcase_create("pace");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, knows_nothing_at_first);
	tcase_add_test(tc, progress_is_what_the_peer_confirmed);
	tcase_add_test(tc, a_queue_longer_than_what_was_counted);
	tcase_add_test(tc, projects_from_what_was_measured);
	tcase_add_test(tc, one_bad_moment_does_not_count_for_much);
	tcase_add_test(tc, forgets_after_a_minute);
	tcase_add_test(tc, idle_time_is_not_measured);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
