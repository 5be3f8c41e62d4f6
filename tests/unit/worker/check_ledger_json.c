/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/ledger_json.h and of the JSON in common/exchange.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "ledger.h"
#include "ledger_json.h"
#include "util.h"

static struct ledger_entry entry;
static struct buf out;

static void
setup(void)
{
	memset(&entry, 0, sizeof(entry));
	buf_init(&out, 8192);
	entry.number = 7;
	entry.tunnel = 2;
	entry.wall_ms = 1700000000123;
	entry.began_us = 1000;
	entry.connect_us = -1;
	(void)util_strlcpy(entry.id, "r1", sizeof(entry.id));
	(void)util_strlcpy(entry.method, "GET", sizeof(entry.method));
	(void)util_strlcpy(entry.path, "/a", sizeof(entry.path));
}

static void
teardown(void)
{
	buf_clear(&out);
}

static const char *
json(int64_t now_us)
{
	ck_assert_int_eq(ledger_json(&out, &entry, now_us), 0);
	ck_assert_int_eq(buf_putc(&out, '\0'), 0);
	return (const char *)out.data;
}

static void
end_with(int status, enum metrics_outcome outcome, const char *cause)
{
	entry.seq = 5;
	entry.status = status;
	entry.outcome = outcome;
	entry.cause = cause;
	entry.tries = 1;
	entry.tried_us = entry.called_us = 1010;
	entry.connect_us = 0;
	entry.heard_us = 4000;
	entry.got_us = 6000;
	entry.ended_us = 7500;
}

START_TEST(one_that_has_ended)
{
	end_with(200, METRICS_OK, NULL);
	entry.bytes_out = 42;
	ck_assert_str_eq(json(999999999),
	    "{\"number\":7,\"seq\":5,\"kind\":\"request\",\"state\":\"ended\","
	    "\"id\":\"r1\",\"trace_id\":null,"
	    "\"began\":\"2023-11-14T22:13:20.123Z\",\"tunnel\":2,"
	    "\"method\":\"GET\",\"path\":\"/a\",\"status\":200,"
	    "\"outcome\":\"ok\",\"failed\":false,\"cause\":null,"
	    "\"reason\":null,\"tries\":1,\"bytes_in\":0,\"bytes_out\":42,"
	    "\"messages_in\":null,\"messages_out\":null,"
	    "\"duration_ms\":6.500,\"phase\":null,\"phases_ms\":{"
	    "\"queue\":0.010,\"retry\":null,\"connect\":0.000,"
	    "\"first_byte\":2.990,\"body\":2.000,\"send\":1.500}}");
}
END_TEST

/* Its outcome, cause and reason say only what is to be said if nobody says
 * better. */
START_TEST(one_that_runs)
{
	entry.outcome = METRICS_LOST;
	entry.cause = "ended";
	(void)util_strlcpy(entry.reason, "ended before", sizeof(entry.reason));
	ck_assert_str_eq(json(3500),
	    "{\"number\":7,\"seq\":null,\"kind\":\"request\","
	    "\"state\":\"running\",\"id\":\"r1\",\"trace_id\":null,"
	    "\"began\":\"2023-11-14T22:13:20.123Z\",\"tunnel\":2,"
	    "\"method\":\"GET\",\"path\":\"/a\",\"status\":null,"
	    "\"outcome\":null,\"failed\":false,\"cause\":null,"
	    "\"reason\":null,\"tries\":0,\"bytes_in\":0,\"bytes_out\":0,"
	    "\"messages_in\":null,\"messages_out\":null,"
	    "\"duration_ms\":2.500,\"phase\":\"queue\",\"phases_ms\":{"
	    "\"queue\":2.500,\"retry\":null,\"connect\":null,"
	    "\"first_byte\":null,\"body\":null,\"send\":null}}");
}
END_TEST

START_TEST(a_failure)
{
	const char *text;

	end_with(502, METRICS_BACKEND_ERROR, "backend_cut");
	(void)util_strlcpy(entry.reason, "cut \"off\"", sizeof(entry.reason));
	entry.traced = true;
	memset(entry.trace_id, 0xab, sizeof(entry.trace_id));
	text = json(0);
	ck_assert_ptr_nonnull(strstr(text,
	    "\"outcome\":\"backend_error\",\"failed\":true,"
	    "\"cause\":\"backend_cut\",\"reason\":\"cut \\\"off\\\"\""));
	ck_assert_ptr_nonnull(
	    strstr(text, "\"trace_id\":\"abababababababababababababababab\""));
}
END_TEST

START_TEST(a_websocket)
{
	const char *text;

	entry.ws = true;
	entry.called_us = entry.tried_us = 900;
	entry.heard_us = 1200;
	entry.connect_us = 300;
	entry.messages_in = 3;
	entry.messages_out = 4;
	text = json(2000);
	ck_assert_ptr_nonnull(strstr(text, "\"kind\":\"websocket\""));
	ck_assert_ptr_nonnull(
	    strstr(text, "\"messages_in\":3,\"messages_out\":4,"));
	ck_assert_ptr_nonnull(strstr(text,
	    "\"phase\":\"body\",\"phases_ms\":{\"queue\":null,"
	    "\"retry\":null,\"connect\":0.300,\"first_byte\":null,"
	    "\"body\":null,\"send\":null}}"));
	buf_reset(&out);
	entry.seq = 1;
	entry.ended_us = 5000;
	entry.status = 1000;
	entry.ws_outcome = "client";
	(void)util_strlcpy(
	    entry.reason, "closed by the client", sizeof(entry.reason));
	ck_assert_ptr_nonnull(strstr(json(0),
	    "\"status\":1000,\"outcome\":\"client\",\"failed\":false,"
	    "\"cause\":null,\"reason\":\"closed by the client\""));
}
END_TEST

/* How far one has come, and the phase that it is said to be in. */
static const struct {
	int64_t called, connect, heard, got;
	const char *phase;
} stages[] = {
    {0, -1, 0, 0, "queue"}, {1100, -1, 0, 0, "connect"},
    {1100, 50, 0, 0, "first_byte"}, {1100, 50, 1300, 0, "body"},
    {1100, 50, 1300, 1400, "send"},
    {0, -1, 0, 1400, "send"}, /* refused: our own answer is on its way */
};

START_TEST(where_one_that_runs_is)
{
	char want[64];

	entry.tried_us = entry.called_us = stages[_i].called;
	entry.connect_us = stages[_i].connect;
	entry.heard_us = stages[_i].heard;
	entry.got_us = stages[_i].got;
	(void)util_fmt(
	    want, sizeof(want), "\"phase\":\"%s\"", stages[_i].phase);
	ck_assert_ptr_nonnull(strstr(json(2000), want));
}
END_TEST

static const struct {
	const char *path, *want;
} texts[] = {
    {"/\"\\", "\"/\\\"\\\\\""},
    {"/\x1b[2J\x7f\n", "\"/\\u001b[2J\\u007f\\u000a\""},
    {"/\xc2\x9b\x32J", "\"/\\u009b2J\""}, /* CSI in one character */
    {"/\xff\xc3", "\"/\\ufffd\\ufffd\""},
    {"/\xc3\xa9\xe2\x82\xac", "\"/\xc3\xa9\xe2\x82\xac\""},
};

START_TEST(texts_are_escaped)
{
	char want[64];

	(void)util_strlcpy(entry.path, texts[_i].path, sizeof(entry.path));
	(void)util_fmt(
	    want, sizeof(want), "\"path\":%s,\"status\"", texts[_i].want);
	ck_assert_ptr_nonnull(strstr(json(2000), want));
}
END_TEST

/* Whatever it holds, it fits into this, and fails whole when there is less. */
START_TEST(it_is_bounded)
{
	end_with(502, METRICS_BACKEND_ERROR, "backend_cut");
	memset(entry.id, 1, sizeof(entry.id) - 1);
	memset(entry.path, 1, sizeof(entry.path) - 1);
	memset(entry.method, 1, sizeof(entry.method) - 1);
	memset(entry.reason, 1, sizeof(entry.reason) - 1);
	entry.number = entry.seq = entry.messages_in = UINT64_MAX;
	entry.bytes_in = entry.bytes_out = INT64_MAX;
	ck_assert_uint_lt(strlen(json(0)), 4096);
	buf_clear(&out);
	buf_init(&out, 100);
	ck_assert_int_eq(ledger_json(&out, &entry, 0), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ledger_json");
	TCase *tc = tcase_create("ledger_json");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_has_ended);
	tcase_add_test(tc, one_that_runs);
	tcase_add_test(tc, a_failure);
	tcase_add_test(tc, a_websocket);
	tcase_add_loop_test(
	    tc, where_one_that_runs_is, 0, (int)UTIL_COUNT(stages));
	tcase_add_loop_test(tc, texts_are_escaped, 0, (int)UTIL_COUNT(texts));
	tcase_add_test(tc, it_is_bounded);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
