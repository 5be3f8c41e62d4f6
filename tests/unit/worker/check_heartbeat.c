/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/heartbeat.h, with a connection whose bytes move when
 * the test says so. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "heartbeat.h"
#include "metrics.h"
#include "pace.h"
#include "util.h"

#define INTERVAL_MS 100
#define TIMEOUT_MS 150

static struct event_base *base;
static struct metrics metrics;
static struct pace pace;
static struct heartbeat *h;
static int sends, acks, stables, deaths;
static int64_t last_ts;

static int
on_send(int64_t ts, void *arg)
{
	(void)arg;
	last_ts = ts;
	sends++;
	return 0;
}

static const struct pace *
on_pace(void *arg)
{
	(void)arg;
	return &pace;
}

static void
on_ack(void *arg)
{
	(void)arg;
	acks++;
}

static void
on_stable(void *arg)
{
	(void)arg;
	ck_assert_int_gt(acks, 0);
	stables++;
}

static void
on_dead(void *arg)
{
	(void)arg;
	deaths++;
}

static const struct heartbeat_ops ops = {
    on_send, on_pace, on_ack, on_stable, on_dead};

static void
setup(void)
{
	struct heartbeat_params params = {
	    .metrics = &metrics,
	    .interval_ms = INTERVAL_MS,
	    .timeout_ms = TIMEOUT_MS,
	    .ops = &ops,
	};

	base = event_base_new();
	params.base = base;
	metrics_init(&metrics);
	pace_init(&pace, util_mono_ms());
	sends = acks = stables = deaths = 0;
	h = heartbeat_create(&params);
	ck_assert_ptr_nonnull(h);
}

static void
teardown(void)
{
	heartbeat_free(h);
	event_base_free(base);
}

static void
run_ms(int64_t ms)
{
	struct timeval tv = {
	    .tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000) * 1000,
	};

	(void)event_base_loopexit(base, &tv);
	(void)event_base_dispatch(base);
}

/* Its bytes are written, and with the peer. */
static void
leave(void)
{
	pace.written += 50;
	pace.left = pace.written;
	heartbeat_sent(h);
}

START_TEST(the_schedule_goes_on_and_the_first_ack_is_stability)
{
	int i;

	heartbeat_start(h);
	for (i = 0; i < 5; i++) {
		run_ms(INTERVAL_MS);
		if (sends == 0)
			continue;
		leave();
		heartbeat_ack(h, last_ts);
	}
	ck_assert_int_ge(sends, 2);
	ck_assert_int_eq(stables, 1);
	ck_assert_int_eq(deaths, 0);
	ck_assert_int_ge(metrics_get(&metrics, METRICS_HEARTBEATS), 2);
}
END_TEST

START_TEST(unanswered_is_dead_once)
{
	heartbeat_start(h);
	run_ms(6 * (INTERVAL_MS + TIMEOUT_MS));
	ck_assert_int_eq(sends, 1);
	ck_assert_int_eq(deaths, 1);
}
END_TEST

START_TEST(the_round_trip_is_measured)
{
	heartbeat_start(h);
	heartbeat_now(h);
	leave();
	run_ms(30);
	heartbeat_ack(h, last_ts);
	ck_assert_int_ge(metrics_get(&metrics, METRICS_HEARTBEAT_RTT), 29);
}
END_TEST

/* The ack of another one is no answer to this one. */
START_TEST(another_ack_does_not_count)
{
	heartbeat_start(h);
	heartbeat_now(h);
	leave();
	heartbeat_ack(h, last_ts + 1);
	ck_assert_int_eq(stables, 0);
	run_ms(5 * TIMEOUT_MS);
	ck_assert_int_eq(deaths, 1);
}
END_TEST

/* One is still queued when its join ends, and leaves in the next one or
 * between the two: it is nobody's business. */
START_TEST(one_of_an_earlier_join_is_ignored)
{
	heartbeat_start(h);
	heartbeat_now(h);
	ck_assert_int_eq(sends, 1);
	heartbeat_stop(h);
	leave(); /* that of the join which is over */
	heartbeat_ack(h, last_ts);
	run_ms(3 * (INTERVAL_MS + TIMEOUT_MS));
	ck_assert_int_eq(stables + deaths, 0);
	ck_assert_int_eq(sends, 1);
	ck_assert_int_eq(heartbeat_age_ms(h), -1);

	heartbeat_start(h);
	heartbeat_now(h);
	ck_assert_int_eq(sends, 2);
	heartbeat_stop(h); /* again with one in the queue … */
	heartbeat_start(h);
	heartbeat_now(h); /* … behind which the next one goes */
	ck_assert_int_eq(sends, 3);
	leave();
	ck_assert_int_eq(deaths, 0);
	leave();
	heartbeat_ack(h, last_ts);
	ck_assert_int_eq(acks, 1);
}
END_TEST

/* One out of turn proves nothing yet; the next of the schedule does. */
START_TEST(the_first_moment_is_no_stability)
{
	int64_t began_ms = util_mono_ms();
	int i;

	heartbeat_start(h);
	heartbeat_now(h);
	leave();
	heartbeat_ack(h, last_ts);
	ck_assert_int_eq(acks, 1);
	if (util_mono_ms() - began_ms < INTERVAL_MS / 2)
		ck_assert_int_eq(stables, 0);
	for (i = 0; i < 50 && stables == 0; i++) {
		run_ms(INTERVAL_MS);
		if (sends == 1)
			continue;
		leave();
		heartbeat_ack(h, last_ts);
	}
	ck_assert_int_eq(stables, 1);
}
END_TEST

/* Behind bytes that move it waits; its deadline begins when it has left. */
START_TEST(behind_moving_bytes_it_is_not_dead)
{
	int64_t end = util_mono_ms() + 4 * TIMEOUT_MS;

	heartbeat_start(h);
	heartbeat_now(h);
	while (util_mono_ms() < end) {
		pace.written += 1000;
		pace.left = pace.written;
		pace.progress_ms = util_mono_ms();
		run_ms(20);
	}
	ck_assert_int_eq(deaths, 0);
	leave();
	run_ms(6 * TIMEOUT_MS);
	ck_assert_int_eq(deaths, 1);
}
END_TEST

/* Of the last connection nothing is left. */
START_TEST(a_reset_forgets)
{
	heartbeat_start(h);
	heartbeat_now(h);
	heartbeat_reset(h);
	pace_init(&pace, util_mono_ms());
	heartbeat_start(h);
	heartbeat_now(h);
	ck_assert_int_eq(sends, 2);
	leave();
	heartbeat_ack(h, last_ts);
	ck_assert_int_eq(acks, 1);
	ck_assert_int_eq(deaths, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("heartbeat");
	TCase *tc = tcase_create("heartbeat");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_schedule_goes_on_and_the_first_ack_is_stability);
	tcase_add_test(tc, unanswered_is_dead_once);
	tcase_add_test(tc, the_round_trip_is_measured);
	tcase_add_test(tc, another_ack_does_not_count);
	tcase_add_test(tc, one_of_an_earlier_join_is_ignored);
	tcase_add_test(tc, the_first_moment_is_no_stability);
	tcase_add_test(tc, behind_moving_bytes_it_is_not_dead);
	tcase_add_test(tc, a_reset_forgets);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
