/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/quiet.h: time is ours. */
#include <check.h>
#include <stdlib.h>

#include "quiet.h"

static struct quiet quiet;
static uint64_t kept;

static void
setup(void)
{
	quiet = (struct quiet){0, 0};
	kept = 99;
}

START_TEST(the_first_is_written)
{
	ck_assert(quiet_allows(&quiet, 5, &kept));
	ck_assert_uint_eq(kept, 0);
}
END_TEST

START_TEST(one_a_second_and_how_many_were_not)
{
	int i;

	ck_assert(quiet_allows(&quiet, 1000, &kept));
	for (i = 0; i < 40; i++)
		ck_assert(!quiet_allows(&quiet, 1000 + QUIET_MS - 1, &kept));
	ck_assert(quiet_allows(&quiet, 1000 + QUIET_MS, &kept));
	ck_assert_uint_eq(kept, 40);
	ck_assert(!quiet_allows(&quiet, 1000 + QUIET_MS, &kept));
	ck_assert(quiet_allows(&quiet, 9000, &kept));
	ck_assert_uint_eq(kept, 1);
	ck_assert(quiet_allows(&quiet, 19000, &kept));
	ck_assert_uint_eq(kept, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("quiet");
	TCase *tc = tcase_create("quiet");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, the_first_is_written);
	tcase_add_test(tc, one_a_second_and_how_many_were_not);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
