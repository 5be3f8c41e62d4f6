/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/resolve.h: what a helper in an attacker's hands may
 * answer. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "resolve.h"

static struct event_base *base;
static struct resolve *resolve;
static struct resolve_result result;
static int helper, results, losses;

static void
on_lost(const char *why, void *arg)
{
	(void)arg;
	ck_assert_ptr_nonnull(why);
	losses++;
}

static void
on_result(const struct resolve_result *r, void *arg)
{
	(void)arg;
	result = *r;
	results++;
	(void)event_base_loopbreak(base);
}

static void
setup(void)
{
	int sv[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	resolve = resolve_create(base, sv[0], on_lost, NULL);
	ck_assert_ptr_nonnull(resolve);
	helper = sv[1];
	results = losses = 0;
}

static void
teardown(void)
{
	resolve_free(resolve);
	event_base_free(base);
	(void)close(helper);
}

/* Asks for a name and gives the answer with the question's id in it. */
static void
answer(struct lookup_answer *a)
{
	struct lookup_question q;

	ck_assert_ptr_nonnull(
	    resolve_start(resolve, "app.example", 60 * 1000, on_result, NULL));
	ck_assert_int_eq(recv(helper, &q, sizeof(q), 0), (int)sizeof(q));
	ck_assert_str_eq(q.host, "app.example");
	a->id = q.id;
	ck_assert_int_eq(send(helper, a, sizeof(*a), 0), (int)sizeof(*a));
	(void)event_base_dispatch(base);
}

START_TEST(an_answer_is_taken_as_it_is)
{
	struct lookup_answer a = {.count = 2};

	memcpy(a.addr[0], "192.0.2.1", 10);
	memcpy(a.addr[1], "2001:db8::1", 12);
	answer(&a);
	ck_assert_int_eq(results, 1);
	ck_assert_ptr_null(result.error);
	ck_assert_uint_eq(result.count, 2);
	ck_assert_str_eq(result.addr[0], "192.0.2.1");
	ck_assert_str_eq(result.addr[1], "2001:db8::1");
}
END_TEST

START_TEST(addresses_without_an_end_are_given_one)
{
	struct lookup_answer a = {.count = LOOKUP_ADDRS_MAX};
	size_t i;

	memset(a.addr, 'x', sizeof(a.addr));
	answer(&a);
	ck_assert_int_eq(results, 1);
	for (i = 0; i < LOOKUP_ADDRS_MAX; i++)
		ck_assert_uint_eq(strnlen(result.addr[i], LOOKUP_ADDR_MAX),
		    LOOKUP_ADDR_MAX - 1);
}
END_TEST

START_TEST(nothing_found_is_an_error)
{
	struct lookup_answer a = {.count = 0};

	answer(&a);
	ck_assert_int_eq(results, 1);
	ck_assert_ptr_nonnull(result.error);
	ck_assert_uint_eq(result.count, 0);
}
END_TEST

START_TEST(an_error_brings_no_address)
{
	struct lookup_answer a = {.count = 3, .error = -2};

	answer(&a);
	ck_assert_ptr_nonnull(result.error);
	ck_assert_uint_eq(result.count, 0);
}
END_TEST

START_TEST(no_answer_but_records)
{
	ck_assert_ptr_nonnull(
	    resolve_start(resolve, "app.example", 60 * 1000, on_result, NULL));
	ck_assert_int_eq(send(helper, "x", 1, 0), 1);
	(void)event_base_dispatch(base);
	ck_assert_int_eq(losses, 1);
	ck_assert_int_eq(results, 1);
	ck_assert_ptr_nonnull(result.error);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tc = tcase_create("resolve");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_answer_is_taken_as_it_is);
	tcase_add_test(tc, addresses_without_an_end_are_given_one);
	tcase_add_test(tc, nothing_found_is_an_error);
	tcase_add_test(tc, an_error_brings_no_address);
	tcase_add_test(tc, no_answer_but_records);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
