/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/ceiling. */
#include <check.h>
#include <stdlib.h>

#include "ceiling.h"

#define HOUR 3600000LL
#define MB 1000000ULL

static struct ceiling c;
static struct ceiling_sent s;

static void
setup(void)
{
	ceiling_init(&c, 0, HOUR);
	s = (struct ceiling_sent){0};
}

/* A whole message, in fragments. */
static void
message(struct ceiling_sent *to, uint64_t len)
{
	ceiling_wrote(to, len / 2, false);
	ceiling_wrote(to, len - len / 2, true);
}

START_TEST(nothing_is_known_at_first)
{
	ck_assert_uint_eq(ceiling_max(&c), UINT64_MAX);
	ck_assert(!ceiling_try(&c, 0));
	ceiling_asked(&s);
	ck_assert(!ceiling_proved(&c, &s));
}
END_TEST

START_TEST(a_heartbeat_proves_what_went_before_it)
{
	message(&s, 5 * MB);
	message(&s, MB);
	ck_assert(!ceiling_proved(&c, &s)); /* nobody asked */
	ceiling_asked(&s);
	message(&s, 9 * MB);
	ck_assert(ceiling_proved(&c, &s));
	ck_assert_uint_eq(c.accepted, 5 * MB);
	ck_assert(!ceiling_proved(&c, &s)); /* once */
	ceiling_asked(&s);
	ck_assert(ceiling_proved(&c, &s));
	ck_assert_uint_eq(c.accepted, 9 * MB);
	ck_assert_uint_eq(ceiling_max(&c), UINT64_MAX);
}
END_TEST

/* Of a message that was not sent whole what was is too long. */
START_TEST(a_close_refuses_what_was_not_proved)
{
	message(&s, 20 * MB);
	ceiling_asked(&s);
	ck_assert(ceiling_proved(&c, &s));
	message(&s, MB);
	ceiling_wrote(&s, 8 * MB, false);
	ck_assert(ceiling_refused(&c, &s, 5));
	ck_assert_uint_eq(c.refused, 8 * MB);
	ck_assert_uint_eq(ceiling_max(&c), 8 * MB - 1);
	ck_assert_uint_eq(c.accepted, 8 * MB - 1); /* it took more, once */
	/* The longest of all, wherever it stood. */
	setup();
	message(&s, 9 * MB);
	ceiling_asked(&s);
	message(&s, 7 * MB);
	ceiling_wrote(&s, MB, false);
	ck_assert(ceiling_refused(&c, &s, 5));
	ck_assert_uint_eq(c.refused, 9 * MB);
}
END_TEST

START_TEST(short_messages_say_nothing_of_length)
{
	message(&s, CEILING_LEAST);
	ck_assert(!ceiling_refused(&c, &s, 5));
	ck_assert_uint_eq(ceiling_max(&c), UINT64_MAX);
	message(&s, CEILING_LEAST + 1);
	ck_assert(ceiling_refused(&c, &s, 5));
	ck_assert_uint_eq(ceiling_max(&c), CEILING_LEAST);
}
END_TEST

START_TEST(the_shortest_refused_counts)
{
	message(&s, 9 * MB);
	(void)ceiling_refused(&c, &s, 5);
	s = (struct ceiling_sent){0};
	message(&s, 8 * MB);
	ck_assert(ceiling_refused(&c, &s, 6));
	ck_assert_uint_eq(ceiling_max(&c), 8 * MB - 1);
	ck_assert_int_eq(c.hold_ms, HOUR);
}
END_TEST

START_TEST(one_is_tried_again)
{
	int i;

	message(&s, 9 * MB);
	(void)ceiling_refused(&c, &s, 5);
	ck_assert(!ceiling_try(&c, HOUR + 4));
	ck_assert(ceiling_try(&c, HOUR + 5));
	ck_assert(!ceiling_try(&c, HOUR + 6)); /* no second one */
	/* In vain: twice as long, at most a day. */
	for (i = 0; i < 9; i++)
		ck_assert(ceiling_refused(&c, &s, 2 * HOUR));
	ck_assert_int_eq(c.hold_ms, CEILING_HOLD_MAX_MS);
	ck_assert(!ceiling_try(&c, 2 * HOUR + CEILING_HOLD_MAX_MS - 1));
	ck_assert(ceiling_try(&c, 2 * HOUR + CEILING_HOLD_MAX_MS));
	ck_assert_uint_eq(ceiling_max(&c), 9 * MB - 1);
	/* Taken: nothing is refused any more. */
	s = (struct ceiling_sent){0};
	message(&s, 12 * MB);
	ceiling_asked(&s);
	ck_assert(ceiling_proved(&c, &s));
	ck_assert_uint_eq(ceiling_max(&c), UINT64_MAX);
	ck_assert_uint_eq(c.accepted, 12 * MB);
	ck_assert_int_eq(c.hold_ms, HOUR);
}
END_TEST

/* Another connection, or one that shrank the bound: what is shorter than the
 * refused one proves nothing about it. */
START_TEST(a_shorter_one_forgets_nothing)
{
	message(&s, 9 * MB);
	(void)ceiling_refused(&c, &s, 5);
	s = (struct ceiling_sent){0};
	message(&s, 9 * MB - 1);
	ceiling_asked(&s);
	ck_assert(ceiling_proved(&c, &s));
	ck_assert_uint_eq(ceiling_max(&c), 9 * MB - 1);
}
END_TEST

START_TEST(the_configured_bound_stays)
{
	ceiling_init(&c, 4 * MB, HOUR);
	ck_assert_uint_eq(ceiling_max(&c), 4 * MB);
	ck_assert_uint_eq(ceiling_fixed(&c), 4 * MB);
	message(&s, 3 * MB);
	(void)ceiling_refused(&c, &s, 5);
	ck_assert_uint_eq(ceiling_max(&c), 3 * MB - 1);
	ck_assert_uint_eq(ceiling_fixed(&c), 4 * MB);
	message(&s, 9 * MB);
	ceiling_asked(&s);
	(void)ceiling_proved(&c, &s);
	ck_assert_uint_eq(ceiling_max(&c), 4 * MB);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ceiling");
	TCase *tc = tcase_create("ceiling");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, nothing_is_known_at_first);
	tcase_add_test(tc, a_heartbeat_proves_what_went_before_it);
	tcase_add_test(tc, a_close_refuses_what_was_not_proved);
	tcase_add_test(tc, short_messages_say_nothing_of_length);
	tcase_add_test(tc, the_shortest_refused_counts);
	tcase_add_test(tc, one_is_tried_again);
	tcase_add_test(tc, a_shorter_one_forgets_nothing);
	tcase_add_test(tc, the_configured_bound_stays);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
