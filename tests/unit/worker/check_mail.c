/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/inbox.h, outbox.h and target.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "inbox.h"
#include "outbox.h"
#include "target.h"

/* --- inbox ---------------------------------------------------------------- */

static struct inbox in;

START_TEST(fragments_become_a_message)
{
	struct buf message;

	inbox_init(&in, 10);
	inbox_begin(&in, 5);
	inbox_append(&in, "hello", 5);
	inbox_append(&in, "", 0);
	inbox_append(&in, "world", 5);
	ck_assert(!in.skip);
	ck_assert_uint_eq(inbox_size(&in), 10);
	message = inbox_take(&in);
	ck_assert_uint_eq(message.len, 10);
	ck_assert_int_eq(memcmp(message.data, "helloworld", 10), 0);
	/* Whoever reads it may clear what it came from. */
	inbox_clear(&in);
	ck_assert_int_eq(message.data[0], 'h');
	inbox_give(&in, &message);
	inbox_begin(&in, 5);
	ck_assert_uint_eq(inbox_size(&in), 0);
	inbox_clear(&in);
}
END_TEST

START_TEST(too_long_is_only_measured)
{
	inbox_init(&in, 10);
	inbox_begin(&in, 5);
	inbox_append(&in, "hello", 5);
	inbox_append(&in, "worlds", 6);
	inbox_append(&in, "more", 4);
	ck_assert(in.skip);
	ck_assert_uint_eq(inbox_size(&in), 15);
	ck_assert_ptr_null(in.buf.data);
	/* The next one is none the worse for it. */
	inbox_begin(&in, 5);
	inbox_append(&in, "0123456789", 10);
	ck_assert(!in.skip);
	ck_assert_uint_eq(inbox_size(&in), 10);
	inbox_clear(&in);
}
END_TEST

/* Its envelope is that of all of it, held before or not. */
START_TEST(too_long_leaves_its_envelope)
{
	static const char text[] =
	    "[\"1\",null,\"t\",\"e\",{\"x\":0,\"request_id\":\"r\"}]";
	static const char left[] =
	    "[\"1\",null,\"t\",\"e\",{\"request_id\":\"r\"}]";
	size_t frame_len[] = {5, 11}, i, at;

	for (i = 0; i < 2; i++) {
		inbox_init(&in, 10);
		inbox_begin(&in, frame_len[i]);
		for (at = 0; at < sizeof(text) - 1; at++) {
			inbox_append(&in, text + at, 1);
			ck_assert(in.skip == (i == 1 || at >= 10));
		}
		ck_assert_ptr_null(in.buf.data);
		ck_assert_ptr_null(envelope_end(&in.envelope));
		ck_assert_uint_eq(in.envelope.len, sizeof(left) - 1);
		ck_assert_mem_eq(in.envelope.text, left, sizeof(left) - 1);
		inbox_clear(&in);
	}
}
END_TEST

/* --- outbox --------------------------------------------------------------- */

static struct outbox box;
static char said[64];
static unsigned sent_calls;

static void
on_sent(void *arg)
{
	(void)arg;
	sent_calls++;
}

static void
push(const char *text, bool urgent)
{
	struct outbox_message m;

	ck_assert_int_eq(
	    outbox_text(&m, (const uint8_t *)text, strlen(text)), 0);
	ck_assert_uint_eq(m.len, strlen(text));
	m.sent = on_sent;
	ck_assert_int_eq(outbox_push(&box, &m, urgent), 0);
}

/* Reads up to n bytes of the first message. */
static void
read_some(size_t n, struct outbox_fragment *f)
{
	uint8_t out[16];

	outbox_read(&box, out, n, f);
	ck_assert_uint_le(f->len, n);
	(void)strncat(said, (char *)out, f->len);
	if (f->last)
		outbox_pop(&box);
}

static void
setup(void)
{
	outbox_init(&box);
	said[0] = '\0';
	sent_calls = 0;
}

START_TEST(urgent_goes_before_what_has_not_begun)
{
	struct outbox_fragment f;

	push("abcdef", false);
	push("gh", false);
	ck_assert_ptr_nonnull(outbox_fresh(&box));
	read_some(3, &f);
	ck_assert(f.first && !f.last);
	ck_assert_ptr_null(outbox_fresh(&box));
	push("!", true);
	read_some(16, &f);
	ck_assert(!f.first && f.last);
	ck_assert_uint_eq(sent_calls, 1);
	while (!outbox_is_empty(&box))
		read_some(16, &f);
	ck_assert_str_eq(said, "abcdef!gh");
	ck_assert_uint_eq(sent_calls, 3);
}
END_TEST

/* A heartbeat of an earlier join before that of this one, say. */
START_TEST(urgent_ones_keep_their_order)
{
	struct outbox_fragment f;

	push("abcdef", false);
	push("gh", false);
	read_some(3, &f);
	push("1", true);
	push("2", true);
	push("3", true);
	while (!outbox_is_empty(&box))
		read_some(16, &f);
	ck_assert_str_eq(said, "abcdef123gh");
}
END_TEST

START_TEST(fresh_is_the_first)
{
	struct outbox_fragment f;

	ck_assert_ptr_null(outbox_fresh(&box));
	push("long", false);
	ck_assert_uint_eq(outbox_fresh(&box)->len, 4);
	push("x", true);
	ck_assert_uint_eq(outbox_fresh(&box)->len, 1);
	read_some(16, &f);
	ck_assert_uint_eq(outbox_fresh(&box)->len, 4);
	outbox_clear(&box);
	ck_assert_uint_eq(sent_calls, 1); /* the other one was not sent */
	ck_assert_uint_eq(box.count, 0);
}
END_TEST

/* A message of one letter that says it is a long answer. */
static void
push_long(const char *text)
{
	struct outbox_message m;

	ck_assert_int_eq(
	    outbox_text(&m, (const uint8_t *)text, strlen(text)), 0);
	m.len = OUTBOX_LONG;
	m.yields = true;
	ck_assert_int_eq(outbox_push(&box, &m, false), 0);
}

START_TEST(one_long_answer_at_most_stands_before_a_short_one)
{
	struct outbox_fragment f;

	push_long("AA");
	push_long("B");
	push_long("C");
	read_some(1, &f);
	ck_assert(!f.last);
	push("1", false);
	push("2", false); /* in their order */
	read_some(16, &f);
	read_some(16, &f);
	push("3", false);
	push("!", true);
	while (!outbox_is_empty(&box))
		read_some(16, &f);
	ck_assert_str_eq(said, "AA1!23BC");
	ck_assert_uint_eq(box.count, 0);
	push_long("D");
	outbox_clear(&box);
	ck_assert(outbox_is_empty(&box));
}
END_TEST

/* Of a long message that must keep its place nothing is changed. */
START_TEST(others_keep_their_order)
{
	struct outbox_fragment f;
	struct outbox_message m;

	push("1", false);
	ck_assert_int_eq(outbox_text(&m, (const uint8_t *)"2", 1), 0);
	m.len = OUTBOX_LONG;
	ck_assert_int_eq(outbox_push(&box, &m, false), 0);
	push("3", false);
	while (!outbox_is_empty(&box))
		read_some(16, &f);
	ck_assert_str_eq(said, "123");
}
END_TEST

START_TEST(short_ones_do_not_starve_a_long_one)
{
	static char much[64 * 1024 + 1];
	static uint8_t out[64 * 1024];
	struct outbox_fragment f;
	unsigned i, n;

	memset(much, 'x', sizeof(much) - 1);
	push_long("A");
	push_long("B");
	for (i = 0; i < 2; i++) {
		for (n = 0; n < 1000; n++) {
			push(much, false);
			outbox_read(&box, out, sizeof(out), &f);
			outbox_pop(&box);
			if (f.len == 1)
				break;
		}
		ck_assert_uint_eq(n, OUTBOX_PASS_MAX / (64 * 1024));
		ck_assert_int_eq(out[0], i == 0 ? 'A' : 'B');
	}
	outbox_clear(&box);
}
END_TEST

/* --- target --------------------------------------------------------------- */

START_TEST(token_and_version_follow_the_query)
{
	struct url url;
	char *text;

	memset(&url, 0, sizeof(url));
	(void)strcpy(url.path, "/telephone/websocket");
	text = target_make(&url, "a.b-c_d~e");
	ck_assert_str_eq(
	    text, "/telephone/websocket?token=a.b-c_d~e&vsn=2.0.0");
	free(text);
	(void)strcpy(url.query, "x=1&y");
	text = target_make(&url, "a+b/c=&\xc3\xa9");
	ck_assert_str_eq(text,
	    "/telephone/websocket?x=1&y&token=a%2Bb%2Fc%3D%26%C3%A9"
	    "&vsn=2.0.0");
	free(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("mail");
	TCase *tc = tcase_create("mail");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, fragments_become_a_message);
	tcase_add_test(tc, too_long_is_only_measured);
	tcase_add_test(tc, too_long_leaves_its_envelope);
	tcase_add_test(tc, urgent_goes_before_what_has_not_begun);
	tcase_add_test(tc, urgent_ones_keep_their_order);
	tcase_add_test(tc, fresh_is_the_first);
	tcase_add_test(tc, one_long_answer_at_most_stands_before_a_short_one);
	tcase_add_test(tc, others_keep_their_order);
	tcase_add_test(tc, short_ones_do_not_starve_a_long_one);
	tcase_add_test(tc, token_and_version_follow_the_query);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
