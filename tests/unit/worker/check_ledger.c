/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/ledger.h: phases, the ring, what is logged. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ledger.h"
#include "log.h"
#include "util.h"

static struct metrics metrics;
static struct ledger ledger;
static struct ledger_entry entry;
static int listener;
static char line[4096];

static void
setup(void)
{
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(dup2(sv[0], STDERR_FILENO), STDERR_FILENO);
	close(sv[0]);
	listener = sv[1];
	log_init("worker", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	metrics_init(&metrics);
	ledger_init(&ledger, &metrics, 1);
	memset(&entry, 0, sizeof(entry));
	(void)util_strlcpy(entry.method, "GET", sizeof(entry.method));
	(void)util_strlcpy(entry.id, "r1", sizeof(entry.id));
	entry.status = 200;
	entry.outcome = METRICS_OK;
}

static void
teardown(void)
{
	close(listener);
}

static const char *
heard(void)
{
	ssize_t n = recv(listener, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

/* --- phases --------------------------------------------------------------- */

/* Times by which each was reached, and what the phases have to be. */
static const struct {
	int64_t tried, called, heard, got, ended, connect;
	unsigned tries;
	int64_t phase[LEDGER_PHASES];
} lives[] = {
    /* a success */
    {10, 10, 40, 60, 65, 12, 1, {9, -1, 12, 18, 20, 5}},
    /* on a connection that was there */
    {10, 10, 40, 60, 65, 0, 1, {9, -1, 0, 30, 20, 5}},
    /* refused before anything was asked */
    {0, 0, 0, 5, 7, -1, 0, {4, -1, -1, -1, -1, 2}},
    /* no connection */
    {10, 10, 0, 30, 33, -1, 1, {9, -1, 20, -1, -1, 3}},
    /* connected, and no byte */
    {10, 10, 0, 30, 33, 4, 1, {9, -1, 4, 16, -1, 3}},
    /* cut within the body */
    {10, 10, 20, 30, 33, 4, 1, {9, -1, 4, 6, 10, 3}},
    /* the third try */
    {10, 50, 60, 70, 71, 1, 3, {9, 40, 1, 9, 10, 1}},
    /* lost while the application thinks */
    {10, 10, 0, 0, 90, 3, 1, {9, -1, 3, 77, -1, -1}},
    /* lost while it waits */
    {0, 0, 0, 0, 90, -1, 0, {89, -1, -1, -1, -1, -1}},
};

START_TEST(phases_of_a_life)
{
	int64_t sum = 0, us;
	int i;

	entry.began_us = 1;
	entry.tried_us = lives[_i].tried;
	entry.called_us = lives[_i].called;
	entry.heard_us = lives[_i].heard;
	entry.got_us = lives[_i].got;
	entry.ended_us = lives[_i].ended;
	entry.connect_us = lives[_i].connect;
	entry.tries = lives[_i].tries;
	for (i = 0; i < LEDGER_PHASES; i++) {
		us = ledger_phase_us(&entry, (enum ledger_phase)i, 1000);
		ck_assert_msg(us == lives[_i].phase[i], "%s: %d, want %d",
		    ledger_phase_name((enum ledger_phase)i), (int)us,
		    (int)lives[_i].phase[i]);
		sum += us > 0 ? us : 0;
	}
	ck_assert_int_eq(sum, lives[_i].ended - 1);
}
END_TEST

START_TEST(what_runs_is_measured_until_now)
{
	entry.began_us = 100;
	ck_assert_int_eq(ledger_phase_us(&entry, LEDGER_QUEUE, 150), 50);
	ck_assert_int_eq(ledger_phase_us(&entry, LEDGER_SEND, 150), -1);
	entry.tried_us = entry.called_us = 120;
	entry.connect_us = -1;
	ck_assert_int_eq(ledger_phase_us(&entry, LEDGER_QUEUE, 150), 20);
	ck_assert_int_eq(ledger_phase_us(&entry, LEDGER_CONNECT, 150), 30);
}
END_TEST

/* --- paths ---------------------------------------------------------------- */

static const struct {
	const char *path, *want;
} paths[] = {
    {"/a/b", "/a/b"},
    {"/a?token=1", "/a"},
    {"?", ""},
    {"", ""},
    {"/\xc3\xa9", "/\xc3\xa9"},
};

START_TEST(a_path_has_no_query)
{
	const char *p = paths[_i].path;

	ledger_set_path(&entry, (const uint8_t *)p, strlen(p));
	ck_assert_str_eq(entry.path, paths[_i].want);
}
END_TEST

START_TEST(a_long_path_is_cut_between_characters)
{
	char path[600];
	size_t i, shift = (size_t)_i;

	memset(path, 'x', shift);
	for (i = shift; i + 2 < sizeof(path); i += 3)
		memcpy(path + i, "\xe2\x82\xac", 3);
	ledger_set_path(&entry, (const uint8_t *)path, i);
	ck_assert_uint_lt(strlen(entry.path), LEDGER_PATH_MAX);
	ck_assert_uint_gt(strlen(entry.path), LEDGER_PATH_MAX - 5);
	ck_assert_uint_eq((strlen(entry.path) - shift) % 3, 0);
}
END_TEST

/* --- ends ----------------------------------------------------------------- */

static void
live(int status, enum metrics_outcome outcome, const char *cause)
{
	ledger_begin(&ledger, &entry);
	entry.status = status;
	entry.outcome = outcome;
	entry.cause = cause;
	ledger_end(&ledger, &entry);
}

START_TEST(one_end_is_one_record)
{
	live(200, METRICS_OK, NULL);
	ck_assert_ptr_nonnull(strstr(heard(), " info worker: request r1: 200"));
	ck_assert_ptr_nonnull(strstr(line, " outcome=ok "));
	ck_assert_ptr_null(strstr(line, "cause="));
	ck_assert_str_eq(heard(), "");
	ck_assert_uint_eq(metrics_requests(&metrics, METRICS_OK), 1);
	ck_assert_uint_eq(
	    metrics_observed(&metrics.histogram[METRICS_DURATION]), 1);
	ck_assert(TAILQ_EMPTY(&ledger.running));
	ck_assert_str_eq(ledger_recent(&ledger, 1)->id, "r1");
}
END_TEST

START_TEST(an_unlikely_record_is_a_whole_line)
{
	memset(entry.id, '"', sizeof(entry.id) - 1);
	memset(entry.path, '\\', sizeof(entry.path) - 1);
	memset(entry.reason, 1, sizeof(entry.reason) - 1);
	log_set_format(LOG_FORMAT_JSON);
	live(503, METRICS_BACKEND_ERROR, "backend_cut");
	heard();
	ck_assert_uint_gt(strlen(line), 900);
	ck_assert_uint_le(strlen(line), 2048);
	ck_assert_str_eq(line + strlen(line) - 2, "}\n");
	ck_assert_ptr_nonnull(strstr(line, ",\"outcome\":\"backend_error\""));
	ck_assert_ptr_nonnull(strstr(line, ",\"queue_ms\":"));
}
END_TEST

START_TEST(of_successes_a_sample_is_logged)
{
	int i, said = 0;

	ledger.sample = 5;
	for (i = 0; i < 50; i++) {
		live(i % 2 == 0 ? 200 : 404, METRICS_OK, NULL);
		said += heard()[0] != '\0';
	}
	ck_assert_int_eq(said, 10);
	ck_assert_uint_eq(metrics_requests(&metrics, METRICS_OK), 50);
	for (i = 0; i < 20; i++) {
		live(i % 2 == 0 ? 502 : 500,
		    i % 2 == 0 ? METRICS_BACKEND_ERROR : METRICS_OK,
		    i % 2 == 0 ? "backend_cut" : NULL);
		ck_assert_str_ne(heard(), "");
	}
}
END_TEST

START_TEST(the_ring_forgets_the_oldest)
{
	uint64_t i;

	for (i = 1; i <= LEDGER_RECENT_MAX + 10; i++) {
		live(200, METRICS_OK, NULL);
		heard();
	}
	ck_assert_ptr_null(ledger_recent(&ledger, 0));
	ck_assert_ptr_null(ledger_recent(&ledger, 10));
	ck_assert_ptr_nonnull(ledger_recent(&ledger, 11));
	ck_assert_ptr_nonnull(ledger_recent(&ledger, LEDGER_RECENT_MAX + 10));
	ck_assert_ptr_null(ledger_recent(&ledger, LEDGER_RECENT_MAX + 11));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ledger");
	TCase *tc = tcase_create("ledger");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, phases_of_a_life, 0, (int)UTIL_COUNT(lives));
	tcase_add_test(tc, what_runs_is_measured_until_now);
	tcase_add_loop_test(tc, a_path_has_no_query, 0, (int)UTIL_COUNT(paths));
	tcase_add_loop_test(tc, a_long_path_is_cut_between_characters, 0, 3);
	tcase_add_test(tc, one_end_is_one_record);
	tcase_add_test(tc, an_unlikely_record_is_a_whole_line);
	tcase_add_test(tc, of_successes_a_sample_is_logged);
	tcase_add_test(tc, the_ring_forgets_the_oldest);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
