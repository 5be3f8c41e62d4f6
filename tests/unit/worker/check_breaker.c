/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/breaker.h. */
#include <check.h>
#include <stdlib.h>

#include "breaker.h"

#define OPEN_MS 1000

static bool
try_at(struct breaker *b, int64_t now_ms, bool *probe)
{
	return breaker_admit(b, now_ms, probe);
}

static void
fail_times(struct breaker *b, unsigned times, int64_t now_ms)
{
	bool probe;
	unsigned i;

	for (i = 0; i < times; i++) {
		ck_assert(try_at(b, now_ms, &probe));
		breaker_failed(b, probe, now_ms);
	}
}

START_TEST(opens_after_a_run)
{
	struct breaker b;
	bool probe;

	breaker_init(&b, 3, OPEN_MS);
	fail_times(&b, 2, 0);
	ck_assert(try_at(&b, 0, &probe) && !probe);
	breaker_succeeded(&b, probe, 0);
	fail_times(&b, 2, 0);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	fail_times(&b, 1, 5000);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	ck_assert(!try_at(&b, 5999, &probe));
	ck_assert_int_eq(breaker_wait_ms(&b, 5400), 600);
}
END_TEST

START_TEST(one_probe)
{
	struct breaker b;
	bool first, second;

	breaker_init(&b, 1, OPEN_MS);
	fail_times(&b, 1, 0);
	ck_assert(try_at(&b, 1000, &first) && first);
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
	ck_assert(!try_at(&b, 9000, &second));
	ck_assert_int_eq(breaker_wait_ms(&b, 9000), 1);
	breaker_failed(&b, true, 1500);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	ck_assert(!try_at(&b, 2499, &first));
	ck_assert(try_at(&b, 2500, &first) && first);
	breaker_succeeded(&b, true, 2600);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert(try_at(&b, 2600, &first) && !first);
}
END_TEST

START_TEST(a_probe_may_be_cancelled)
{
	struct breaker b;
	bool probe;

	breaker_init(&b, 1, OPEN_MS);
	fail_times(&b, 1, 0);
	ck_assert(try_at(&b, 1000, &probe));
	breaker_forgotten(&b, probe, 1000);
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
	ck_assert(try_at(&b, 1000, &probe) && probe);
}
END_TEST

/* What began before it opened has no say afterwards. */
START_TEST(old_news)
{
	struct breaker b;
	bool old, probe;

	breaker_init(&b, 1, OPEN_MS);
	ck_assert(try_at(&b, 0, &old));
	fail_times(&b, 1, 0);
	breaker_succeeded(&b, old, 10);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	ck_assert(try_at(&b, 1000, &probe) && probe);
	breaker_failed(&b, old, 1000);
	breaker_forgotten(&b, old, 1000);
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
	ck_assert(!try_at(&b, 1000, &old));
}
END_TEST

START_TEST(can_be_turned_off)
{
	struct breaker b;

	breaker_init(&b, 0, OPEN_MS);
	fail_times(&b, 1000, 0);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert(!breaker_is_open(&b, 0));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("breaker");
	TCase *tc = tcase_create("breaker");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, opens_after_a_run);
	tcase_add_test(tc, one_probe);
	tcase_add_test(tc, a_probe_may_be_cancelled);
	tcase_add_test(tc, old_news);
	tcase_add_test(tc, can_be_turned_off);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
