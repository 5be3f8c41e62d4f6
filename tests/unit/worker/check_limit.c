/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/limit.h and worker/quiet.h. */
#include <check.h>
#include <stdlib.h>

#include "limit.h"
#include "quiet.h"

START_TEST(run_wait_full)
{
	struct limit l = {.running_max = 2, .waiting_max = 1};

	ck_assert_int_eq(limit_enter(&l), LIMIT_RUN);
	ck_assert_int_eq(limit_enter(&l), LIMIT_RUN);
	ck_assert_int_eq(limit_enter(&l), LIMIT_WAIT);
	ck_assert_int_eq(limit_enter(&l), LIMIT_FULL);
	ck_assert(!limit_advance(&l));
	limit_leave(&l);
	ck_assert(limit_advance(&l));
	ck_assert(!limit_advance(&l));
	ck_assert_uint_eq(l.running, 2);
	ck_assert_uint_eq(l.waiting, 0);
}
END_TEST

START_TEST(nobody_overtakes)
{
	struct limit l = {.running_max = 1, .waiting_max = 2};

	ck_assert_int_eq(limit_enter(&l), LIMIT_RUN);
	ck_assert_int_eq(limit_enter(&l), LIMIT_WAIT);
	limit_leave(&l);
	ck_assert_int_eq(limit_enter(&l), LIMIT_WAIT);
	limit_give_up(&l);
	ck_assert(limit_advance(&l));
	ck_assert_uint_eq(l.waiting, 0);
}
END_TEST

START_TEST(without_a_queue)
{
	struct limit l = {.running_max = 1};

	ck_assert_int_eq(limit_enter(&l), LIMIT_RUN);
	ck_assert_int_eq(limit_enter(&l), LIMIT_FULL);
	limit_leave(&l);
	ck_assert_int_eq(limit_enter(&l), LIMIT_RUN);
}
END_TEST

START_TEST(bytes)
{
	struct limit l = {.bytes_max = 100};

	ck_assert(limit_hold(&l, 500)); /* alone */
	ck_assert(!limit_hold(&l, 1));
	ck_assert(limit_hold(&l, 0));
	limit_release(&l, 500);
	ck_assert(limit_hold(&l, 60));
	ck_assert(!limit_hold(&l, 41));
	ck_assert(limit_hold(&l, 40));
	ck_assert_uint_eq(l.bytes, 100);
}
END_TEST

START_TEST(one_line_a_second)
{
	struct quiet q = {0};
	uint64_t kept = 7;

	ck_assert(quiet_allows(&q, 5000, &kept));
	ck_assert_uint_eq(kept, 0);
	ck_assert(!quiet_allows(&q, 5000, &kept));
	ck_assert(!quiet_allows(&q, 5999, &kept));
	ck_assert(quiet_allows(&q, 6000, &kept));
	ck_assert_uint_eq(kept, 2);
	ck_assert(quiet_allows(&q, 7000, &kept));
	ck_assert_uint_eq(kept, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("limit");
	TCase *tc = tcase_create("limit");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, run_wait_full);
	tcase_add_test(tc, nobody_overtakes);
	tcase_add_test(tc, without_a_queue);
	tcase_add_test(tc, bytes);
	tcase_add_test(tc, one_line_a_second);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
