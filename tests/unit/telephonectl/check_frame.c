/* SPDX-License-Identifier: MIT */
/* Unit tests of supervisor/telephonectl_model.h and _frame.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "telephonectl_frame.h"
#include "telephonectl_text.h"
#include "util.h"

static struct model model;
static struct status status;
static struct exchange slow[FRAME_LIST_MAX], failed[FRAME_LIST_MAX];
static struct view view;
static struct frame frame;

static void
setup(void)
{
	ck_assert_int_eq(setenv("LC_ALL", "C.UTF-8", 1), 0);
	ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
	text_init();
	memset(&model, 0, sizeof(model));
	memset(&status, 0, sizeof(status));
	frame_init(&frame);
	view = (struct view){.status = &status,
	    .model = &model,
	    .slowest = slow,
	    .failures = failed,
	    .wall_ms = 1700000000000,
	    .help = "q quits"};
}

static void
teardown(void)
{
	frame_clear(&frame);
}

/* --- model ---------------------------------------------------------------- */

static struct watch_load
a_load(int64_t s, uint64_t ok, uint64_t failures)
{
	struct watch_load l = {.mono_us = s * 1000000};

	l.requests[METRICS_OK] = ok;
	l.requests[METRICS_TIMEOUT] = failures;
	l.value[WATCH_BYTES_FROM] = ok * 1000;
	l.duration.bucket[1] = ok;
	return l;
}

static void
add(uint32_t pid, struct watch_load l)
{
	model_add(&model, pid, &l);
}

START_TEST(rates_are_between_the_last_two)
{
	struct model_rates r;

	ck_assert(!model_rates(&model, &r));
	add(1, a_load(10, 100, 0));
	ck_assert(!model_rates(&model, &r));
	add(1, a_load(12, 120, 1));
	add(1, a_load(14, 125, 2));
	ck_assert(model_rates(&model, &r));
	ck_assert_int_eq(r.requests, 3000);
	ck_assert_int_eq(r.failed, 500);
	ck_assert_int_eq(r.bytes_from, 2500000);
	ck_assert_int_eq(r.bytes_to, 0);
}
END_TEST

START_TEST(another_worker_begins_anew)
{
	struct model_rates r;

	add(1, a_load(10, 100, 0));
	add(1, a_load(11, 200, 0));
	add(2, a_load(12, 300, 0));
	ck_assert(!model_rates(&model, &r));
	ck_assert_uint_eq(model_now(&model)->requests[METRICS_OK], 300);
	add(2, a_load(13, 299, 0)); /* counters that go back */
	ck_assert(!model_rates(&model, &r));
	add(2, a_load(12, 400, 0)); /* a clock that does */
	ck_assert(!model_rates(&model, &r));
	add(2, a_load(12, 500, 0)); /* and one that stands still: not taken */
	ck_assert_uint_eq(model_now(&model)->requests[METRICS_OK], 400);
	model_forget(&model);
	ck_assert_ptr_null(model_now(&model));
}
END_TEST

START_TEST(latencies_are_of_the_last_minute)
{
	struct model_latency l;
	struct watch_load load;
	int s;

	ck_assert(!model_latency(&model, &l));
	add(1, a_load(0, 5, 0));
	ck_assert(!model_latency(&model, &l)); /* nothing since */
	for (s = 1; s <= 300; s++)
		add(1, a_load(s, (uint64_t)s * 10, 0));
	ck_assert(model_latency(&model, &l));
	ck_assert_int_eq(l.window_us, 60000000);
	ck_assert_uint_eq(l.requests, 600);
	ck_assert_int_gt(l.p50_us, metrics_bounds_us[0]);
	ck_assert_int_le(l.p99_us, metrics_bounds_us[1]);
	ck_assert_int_lt(l.p50_us, l.p95_us);
	ck_assert_int_lt(l.p95_us, l.p99_us);
	ck_assert(!l.more);
	load = a_load(301, 3010, 0);
	load.duration.bucket[METRICS_BUCKETS] = 50;
	add(1, load);
	ck_assert(model_latency(&model, &l));
	ck_assert_int_eq(l.p99_us, metrics_bounds_us[METRICS_BUCKETS - 1]);
	ck_assert(l.more);
}
END_TEST

/* --- frame ---------------------------------------------------------------- */

static const char *
line(unsigned i)
{
	static char text[TEXT_SIZE(FRAME_COLUMNS_MAX)];

	ck_assert_uint_lt(i, frame.count);
	memcpy(text, frame.text.data + frame.line[i].at, frame.line[i].len);
	text[frame.line[i].len] = '\0';
	return text;
}

static void
fill(void)
{
	struct proto_worker_status *w = &status.worker;
	unsigned i;

	(void)util_strlcpy(status.supervisor.version, "1.2.3",
	    sizeof(status.supervisor.version));
	status.supervisor.uptime_ms = 65000;
	status.supervisor.worker_pid = 77;
	status.supervisor.worker_restarts = 3;
	status.has_worker = status.has_tokend = true;
	w->ready = true;
	w->tunnels = 2;
	w->tunnel_list[0] = (struct proto_tunnel_status){
	    PROTO_TUNNEL_JOINED, PROTO_REASON_CLOSED, 1012, 60000, 500, -1};
	w->tunnel_list[1] = (struct proto_tunnel_status){
	    PROTO_TUNNEL_WAITING, PROTO_REASON_EOF, 0, -1, -1, 2500};
	status.tokend.state = PROTO_TOKEN_VALID;
	status.tokend.exp_s = 1700000000 + 3600;
	status.tokend.refresh_in_ms = 120000;
	add(77, a_load(10, 100, 0));
	add(77, a_load(11, 223, 1));
	for (i = 0; i < FRAME_LIST_MAX; i++) {
		slow[i] = (struct exchange){.number = i + 1, .took_us = 12345};
		failed[i] = (struct exchange){
		    .seq = i + 1, .failed = true, .status = 502};
		(void)util_strlcpy(slow[i].path, "/s", sizeof(slow[i].path));
		(void)util_strlcpy(
		    failed[i].path, "/f", sizeof(failed[i].path));
	}
}

START_TEST(a_whole_frame)
{
	static const char *const want[] = {
	    "22:13:20  telephone: ready, up 1m 5s; worker 77, 3 restarts; "
	    "1.2.3",
	    "token     valid, expires in 1h 0m, refresh in 2m 0s",
	    "requests  124.0/s, 1.0/s failed; 0 in flight, 0 waiting; 0 "
	    "WebSockets",
	    "bytes     0.0/s to the application, 123k/s from it; retries "
	    "0.0/s; "
	    "spool 0",
	    "latency   p50 1.7ms, p95 2.4ms, p99 2.4ms (123 in the last 1 s)",
	    "tunnel 1  joined since 1m 0s, heartbeat 0.5s ago; last end: "
	    "closed "
	    "1012",
	    "tunnel 2  waiting, next attempt in 2.5s; last end: connection "
	    "lost",
	    "",
	    "slowest in flight",
	    "00:00:00           -   12ms     0 queue            /s",
	};
	size_t i;

	fill();
	view.slowest_count = view.failure_count = FRAME_LIST_MAX;
	frame_render(&frame, &view, 24, 80);
	ck_assert_uint_eq(frame.count, 24);
	for (i = 0; i < UTIL_COUNT(want); i++)
		ck_assert_str_eq(line((unsigned)i), want[i]);
	ck_assert_str_eq(line(16), "recent failures");
	ck_assert_str_eq(
	    line(22), "00:00:00         502  0.0ms     0                  /f");
	ck_assert_str_eq(line(23), "q quits");
	ck_assert(frame.line[0].heading && frame.line[8].heading);
	ck_assert(!frame.line[1].heading && !frame.line[23].heading);
}
END_TEST

/* A short list leaves its room to the other. */
START_TEST(lists_share_the_room)
{
	fill();
	view.failure_count = 1;
	view.slowest_count = FRAME_LIST_MAX;
	frame_render(&frame, &view, 24, 80);
	ck_assert_str_eq(line(21), "recent failures");
	view.failure_count = FRAME_LIST_MAX;
	view.slowest_count = 0;
	frame_render(&frame, &view, 24, 80);
	ck_assert_str_eq(line(8), "no request is in flight");
	ck_assert_str_eq(line(9), "recent failures");
	ck_assert_str_ne(line(22), "");
}
END_TEST

START_TEST(what_is_missing_is_said)
{
	view.status = NULL;
	frame_render(&frame, &view, 24, 80);
	ck_assert_str_eq(line(0), "22:13:20  telephone: not seen yet");
	ck_assert_str_eq(line(1), "");
	view.status = &status;
	view.status_fault = "no telephone is running here";
	view.worker_fault = "the worker has ended";
	status.supervisor.worker_pid = 77;
	frame_render(&frame, &view, 24, 80);
	ck_assert_ptr_nonnull(strstr(line(0), ": the worker does not answer"));
	ck_assert_str_eq(
	    line(1), "! no telephone is running here; what is below is old");
	ck_assert_str_eq(line(2), "! the worker has ended");
	ck_assert_str_eq(line(3), "token     tokend is being started");
	status.supervisor.tokend_pid = 78;
	status.supervisor.worker_pid = 0;
	frame_render(&frame, &view, 24, 80);
	ck_assert_ptr_nonnull(strstr(line(0), ": the worker is being started"));
	ck_assert_str_eq(line(3), "token     tokend does not answer");
	status.has_tokend = true;
	frame_render(&frame, &view, 24, 80);
	ck_assert_str_eq(line(3), "token     awaited: telephonectl token set");
}
END_TEST

/* Whatever comes from outside, at whatever size. */
START_TEST(no_frame_is_larger_than_asked)
{
	static const unsigned columns[] = {
	    1, 2, 5, 19, 20, 40, 79, 80, 81, 200, 500, 501, 60000};
	unsigned rows = (unsigned)_i, i, n;
	size_t c, at;

	fill();
	memset(status.supervisor.version, 0x1b,
	    sizeof(status.supervisor.version) - 1);
	memset(slow[0].path, 0x9b, sizeof(slow[0].path) - 1);
	memset(failed[0].method, '\n', sizeof(failed[0].method) - 1);
	view.worker_fault = "a\x1b[2J\r\n";
	view.slowest_count = view.failure_count = FRAME_LIST_MAX;
	for (c = 0; c < UTIL_COUNT(columns); c++) {
		frame_render(&frame, &view, rows, columns[c]);
		ck_assert_uint_le(frame.count, rows);
		ck_assert_uint_gt(frame.count, 0);
		for (i = 0; i < frame.count; i++) {
			const char *text = line(i);

			for (at = n = 0; text[at] != '\0'; at++) {
				n += ((unsigned char)text[at] & 0xc0) != 0x80;
				ck_assert(text[at] >= 0x20 || text[at] < 0);
				ck_assert_int_ne(text[at], 0x7f);
			}
			ck_assert_uint_le(n, columns[c]);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = tcase_create("frame");
	SRunner *runner = srunner_create(suite);
	int failed_count;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rates_are_between_the_last_two);
	tcase_add_test(tc, another_worker_begins_anew);
	tcase_add_test(tc, latencies_are_of_the_last_minute);
	tcase_add_test(tc, a_whole_frame);
	tcase_add_test(tc, lists_share_the_room);
	tcase_add_test(tc, what_is_missing_is_said);
	tcase_add_loop_test(tc, no_frame_is_larger_than_asked, 1, 40);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed_count = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
