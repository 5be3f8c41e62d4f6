/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/retry_after.h. */
#include <check.h>
#include <stdlib.h>

#include "retry_after.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7. */
#define NOW 784111777

static const struct {
	const char *text;
	int32_t want;
} cases[] = {
    {"0", 0},
    {"3", 3},
    {"3600", 3600},
    {"3601", RETRY_AFTER_MAX_S},
    {"86400000", RETRY_AFTER_MAX_S},
    {"99999999999999999999999999", RETRY_AFTER_MAX_S},
    {"18446744073709551617", RETRY_AFTER_MAX_S},
    {"", -1},
    {"-1", -1},
    {"3 seconds", -1},
    {"3.5", -1},
    {"soon", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
    {"Sun, 06 Nov 1994 08:50:07 GMT", 30},
    {"Sun, 06 Nov 1994 08:49:07 GMT", 0},
    {"Sunday, 06-Nov-94 08:50:07 GMT", 30},
    {"Sun Nov  6 08:50:07 1994", 30},
    {"Tue, 24 Nov 2026 00:00:00 GMT", RETRY_AFTER_MAX_S},
    {"Sun, 06 Nov 1994 08:50:07 CET", -1},
    {"Sun, 06 Nov 1994 08:50:07 GMT or so", -1},
    {"Sun, 66 Nov 1994 08:50:07 GMT", -1},
};

START_TEST(both_forms)
{
	ck_assert_int_eq(
	    retry_after_parse(cases[_i].text, NOW), cases[_i].want);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("retry_after");
	TCase *tc = tcase_create("retry_after");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tc, both_forms, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
