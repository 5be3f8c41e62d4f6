/* SPDX-License-Identifier: MIT */
/* Unit tests of common/watch.h: what is written is read, and nothing else. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "watch.h"

static uint8_t space[IPC_PAYLOAD_MAX];

static struct ipc_frame
frame_of(int len)
{
	struct ipc_frame f = {.payload = space, .fd = -1};

	ck_assert_int_ge(len, 0);
	f.len = (uint32_t)len;
	return f;
}

static struct exchange
an_exchange(uint64_t number)
{
	struct exchange e;
	int i;

	memset(&e, 0, sizeof(e));
	e.number = number;
	e.seq = number * 3;
	e.ws = number % 2 == 0;
	e.failed = number % 3 == 0;
	e.tunnel = 2;
	e.status = 1006;
	e.tries = 7;
	e.began_ms = 1700000000123;
	e.took_us = 5;
	e.bytes_in = 6;
	e.bytes_out = INT64_C(1) << 40;
	e.messages_in = 8;
	e.messages_out = UINT64_MAX;
	for (i = 0; i < EXCHANGE_PHASES; i++)
		e.phase_us[i] = i - 1;
	e.phase = EXCHANGE_SEND;
	memset(e.path, '/', sizeof(e.path) - 1);
	(void)util_strlcpy(e.id, "id", sizeof(e.id));
	(void)util_strlcpy(e.cause, "backend_cut", sizeof(e.cause));
	(void)util_strlcpy(e.reason, "a\x1b\xff", sizeof(e.reason));
	return e;
}

START_TEST(a_page_is_read_as_it_was_written)
{
	struct watch_page page = {9, 4, true, false}, back;
	struct exchange e;
	struct ipc_frame f;
	struct unpack u;
	struct pack p;
	uint64_t i;

	watch_page_begin(&p, space);
	for (i = 1; i <= 5; i++) {
		e = an_exchange(i);
		ck_assert(watch_page_add(&p, &e));
	}
	f = frame_of(watch_page_end(&p, &page));
	ck_assert_int_eq(watch_page_open(&f, &back, &u), 0);
	ck_assert_uint_eq(back.ended, 9);
	ck_assert_uint_eq(back.oldest, 4);
	ck_assert(back.more && !back.draining);
	for (i = 1; i <= 5; i++) {
		struct exchange want = an_exchange(i);

		ck_assert_int_eq(watch_page_next(&u, &e), 1);
		ck_assert_int_eq(memcmp(&e, &want, sizeof(e)), 0);
	}
	ck_assert_int_eq(watch_page_next(&u, &e), 0);
}
END_TEST

/* A page is full before a frame is, and holds hundreds of usual ones. */
START_TEST(a_page_is_bounded)
{
	struct watch_page page = {.more = true};
	struct exchange e = an_exchange(1);
	struct pack p;
	int n = 0;

	watch_page_begin(&p, space);
	while (watch_page_add(&p, &e))
		n++;
	ck_assert_int_gt(n, 100);
	ck_assert_int_le(watch_page_end(&p, &page), IPC_PAYLOAD_MAX);
}
END_TEST

/* Whatever is cut off or flipped is refused, or read within its bounds. */
START_TEST(what_is_malformed_is_refused)
{
	struct watch_page page = {9, 4, false, false};
	struct exchange e = an_exchange(3);
	struct ipc_frame f;
	struct unpack u;
	struct pack p;
	uint32_t len;
	int n;

	watch_page_begin(&p, space);
	ck_assert(watch_page_add(&p, &e));
	f = frame_of(watch_page_end(&p, &page));
	for (len = f.len - 1, f.len = 0; f.len < len; f.len++) {
		if (watch_page_open(&f, &page, &u) == -1)
			continue;
		n = watch_page_next(&u, &e);
		ck_assert_int_eq(n, f.len == 18 ? 0 : -1);
	}
}
END_TEST

/* Offsets into the page of one entry, and what may not stand there. */
static const struct {
	const char *what;
	size_t at;
	uint8_t byte;
} wrong[] = {
    {"more is no bool", 16, 2},
    {"the oldest is newer than the newest", 15, 1},
    {"ws is no bool", 18 + 16, 2},
    {"failed is no bool", 18 + 17, 9},
    {"began before 1970", 18 + 18 + 12 + 7, 0x80},
    {"began after 9999", 18 + 18 + 12 + 7, 0x7f},
    {"took less than nothing", 18 + 18 + 20 + 7, 0xff},
    {"took for ever", 18 + 18 + 20 + 7, 0x7f},
    {"bytes below zero", 18 + 18 + 28 + 7, 0xff},
    {"a phase below -1", 18 + 18 + 60, 0xfe},
    {"no phase", 18 + 18 + 60 + 48, EXCHANGE_PHASES},
    {"a text that is too long", 18 + 18 + 60 + 48 + 1, 200},
    {"a text with a NUL", 18 + 18 + 60 + 48 + 1 + 4, 0},
};

START_TEST(wrong_numbers_are_refused)
{
	struct watch_page page = {9, 4, false, false};
	struct exchange e = an_exchange(3);
	struct ipc_frame f;
	struct unpack u;
	struct pack p;

	watch_page_begin(&p, space);
	ck_assert(watch_page_add(&p, &e));
	f = frame_of(watch_page_end(&p, &page));
	ck_assert_int_eq(watch_page_open(&f, &page, &u), 0);
	ck_assert_int_eq(watch_page_next(&u, &e), 1);
	space[wrong[_i].at] = wrong[_i].byte;
	ck_assert_msg(watch_page_open(&f, &page, &u) == -1 ||
		watch_page_next(&u, &e) == -1,
	    "%s", wrong[_i].what);
}
END_TEST

START_TEST(greeting_question_and_load)
{
	struct watch_greeting g = {77, 1700000000}, g2;
	struct watch_question q = {UINT64_MAX, WATCH_WAIT | WATCH_FAILED}, q2;
	struct watch_load l, l2;
	struct ipc_frame f;
	size_t i;

	f = frame_of(watch_put_greeting(space, &g));
	ck_assert_int_eq(watch_get_greeting(&f, &g2), 0);
	ck_assert(g2.pid == g.pid && g2.started_s == g.started_s);
	f = frame_of(watch_put_question(space, &q));
	ck_assert_int_eq(watch_get_question(&f, &q2), 0);
	ck_assert(q2.after == q.after && q2.flags == q.flags);
	space[8] = WATCH_FLAGS;
	ck_assert_int_eq(watch_get_question(&f, &q2), -1);
	q.flags = WATCH_FLAGS;
	ck_assert_int_eq(watch_put_question(space, &q), -1);
	memset(&l, 0, sizeof(l));
	l.mono_us = 5;
	l.requests[METRICS_LOST] = 6;
	for (i = 0; i < WATCH_VALUES; i++)
		l.value[i] = 100 + i;
	l.duration.bucket[METRICS_BUCKETS] = 8;
	l.duration.sum_us = 9;
	f = frame_of(watch_put_load(space, &l));
	ck_assert_int_eq(watch_get_load(&f, &l2), 0);
	ck_assert_int_eq(memcmp(&l, &l2, sizeof(l)), 0);
	f.len--;
	ck_assert_int_eq(watch_get_load(&f, &l2), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tc = tcase_create("watch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, a_page_is_read_as_it_was_written);
	tcase_add_test(tc, a_page_is_bounded);
	tcase_add_test(tc, what_is_malformed_is_refused);
	tcase_add_loop_test(
	    tc, wrong_numbers_are_refused, 0, (int)UTIL_COUNT(wrong));
	tcase_add_test(tc, greeting_question_and_load);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
