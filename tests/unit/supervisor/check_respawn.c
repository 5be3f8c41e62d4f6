/* SPDX-License-Identifier: MIT */
/* When a child is started again, and the words for how it ended. */
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "child.h"
#include "respawn.h"

START_TEST(doubles_to_its_bound)
{
	static const int64_t want[] = {
	    200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	unsigned n;

	for (n = 1; n <= 8; n++)
		ck_assert_int_eq(respawn_delay_ms(n), want[n - 1]);
}
END_TEST

START_TEST(never_overflows)
{
	ck_assert_int_eq(respawn_delay_ms(64), 10000);
	ck_assert_int_eq(respawn_delay_ms(UINT_MAX), 10000);
	ck_assert_int_eq(respawn_delay_ms(0), 200);
}
END_TEST

START_TEST(a_minute_is_good)
{
	ck_assert_int_eq(RESPAWN_GOOD_MS, 60000);
}
END_TEST

/* As wait(2) tells an end on Linux; glibc alone has names for it. */
#define STATUS(code, signal) ((code) << 8 | (signal))

START_TEST(ends_in_words)
{
	char text[64], small[8];

	ck_assert_str_eq(child_status_text(STATUS(70, 0), text, sizeof(text)),
	    "exit code 70");
	ck_assert_str_eq(
	    child_status_text(STATUS(0, 0), text, sizeof(text)), "exit code 0");
	ck_assert_str_eq(
	    child_status_text(STATUS(0, SIGKILL), text, sizeof(text)),
	    "signal 9 (Killed)");
	ck_assert_str_eq(
	    child_status_text(STATUS(0, SIGSEGV) | 0x80, text, sizeof(text)),
	    "signal 11 (Segmentation fault)");
	ck_assert_str_eq(
	    child_status_text(STATUS(70, 0), small, sizeof(small)), "exit co");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("respawn");
	TCase *t = tcase_create("respawn");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, doubles_to_its_bound);
	tcase_add_test(t, never_overflows);
	tcase_add_test(t, a_minute_is_good);
	tcase_add_test(t, ends_in_words);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
