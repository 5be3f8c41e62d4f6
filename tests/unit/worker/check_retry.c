/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/retry.h. */
#include <check.h>
#include <stdlib.h>

#include "retry.h"

static struct retry
policy(unsigned max, const char *on)
{
	struct retry r = {.max = max};

	ck_assert_ptr_null(retry_on_parse(&r.on, on));
	return r;
}

static const struct {
	const char *method;
	bool want;
} methods[] = {
    {"GET", true},
    {"HEAD", true},
    {"OPTIONS", true},
    {"PUT", true},
    {"POST", false},
    {"PATCH", false},
    {"DELETE", false},
    {"PROPFIND", false},
    {"get", false},
};

START_TEST(methods_that_may)
{
	struct retry r = policy(2, "5xx,connect,cut,timeout");
	const char *m = methods[_i].method;

	ck_assert(retry_has(&r, m) == methods[_i].want);
	ck_assert(
	    retry_after_failure(&r, m, 1, RETRY_CONNECT) == methods[_i].want);
	ck_assert(retry_after_status(&r, m, 1, 503) == methods[_i].want);
	r.max = 0;
	ck_assert(!retry_has(&r, m));
	ck_assert(!retry_after_failure(&r, m, 1, RETRY_STALE));
	ck_assert(!retry_after_status(&r, m, 1, 503));
}
END_TEST

START_TEST(so_many_times)
{
	struct retry r = policy(2, "5xx,cut");

	ck_assert(retry_after_status(&r, "GET", 2, 500));
	ck_assert(!retry_after_status(&r, "GET", 3, 500));
	ck_assert(retry_after_failure(&r, "GET", 2, RETRY_CUT));
	ck_assert(!retry_after_failure(&r, "GET", 3, RETRY_CUT));
	ck_assert(!retry_after_status(&r, "GET", 1, 499));
	ck_assert(!retry_after_status(&r, "GET", 1, 200));
	ck_assert(!retry_after_status(&r, "GET", 1, 600));
}
END_TEST

START_TEST(only_after_what_is_named)
{
	struct retry r = policy(2, "502, 503,cut");

	ck_assert(retry_after_status(&r, "GET", 1, 502));
	ck_assert(retry_after_status(&r, "GET", 1, 503));
	ck_assert(!retry_after_status(&r, "GET", 1, 500));
	ck_assert(!retry_after_status(&r, "GET", 1, 504));
	ck_assert(retry_after_failure(&r, "GET", 1, RETRY_CUT));
	ck_assert(retry_after_failure(&r, "GET", 1, RETRY_STALE));
	ck_assert(!retry_after_failure(&r, "GET", 1, RETRY_CONNECT));
	ck_assert(!retry_after_failure(&r, "GET", 1, RETRY_TIMEOUT));
	r = policy(2, "connect,timeout");
	ck_assert(!retry_after_failure(&r, "GET", 1, RETRY_STALE));
	ck_assert(retry_after_failure(&r, "GET", 1, RETRY_CONNECT));
	ck_assert(retry_after_failure(&r, "GET", 1, RETRY_TIMEOUT));
	r = policy(2, "none");
	ck_assert(!retry_after_failure(&r, "GET", 1, RETRY_CONNECT));
	ck_assert(!retry_after_status(&r, "GET", 1, 503));
}
END_TEST

START_TEST(delays)
{
	ck_assert_int_eq(retry_delay_ms(1), 100);
	ck_assert_int_eq(retry_delay_ms(2), 200);
	ck_assert_int_eq(retry_delay_ms(3), 400);
	ck_assert_int_eq(retry_delay_ms(60), 6400);
	ck_assert_int_eq(retry_delay_stale_ms(1), 0);
	ck_assert_int_eq(retry_delay_stale_ms(2), 100);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("retry");
	TCase *tc = tcase_create("retry");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, methods_that_may, 0,
	    (int)(sizeof(methods) / sizeof(methods[0])));
	tcase_add_test(tc, so_many_times);
	tcase_add_test(tc, only_after_what_is_named);
	tcase_add_test(tc, delays);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
