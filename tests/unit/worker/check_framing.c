/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/framing: answers as they are received, in pieces of any
 * length. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

struct decoded {
	enum framing_fault fault;
	uint8_t body[4096];
	size_t len;
	int status;
};

/* Lines one by one, as libcurl hands them over; returns where the body
 * begins. */
static size_t
feed_head(struct framing *f, struct decoded *d, const char *answer, size_t len)
{
	size_t at = 0, n;
	const char *end;

	while (at < len && !framing_is_body(f) && d->fault == FRAMING_OK) {
		end = memchr(answer + at, '\n', len - at);
		if (end == NULL)
			return len;
		n = (size_t)(end - answer) + 1 - at;
		d->fault = framing_line(f, answer + at, n);
		at += n;
	}
	return at;
}

static void
feed_body(struct framing *f, struct decoded *d, const char *in, size_t len,
    size_t piece)
{
	const uint8_t *data;
	size_t n, taken, left;

	while (len > 0 && d->fault == FRAMING_OK) {
		/* A copy of its own, so that a sanitizer sees too much. */
		uint8_t *copy = malloc(piece);

		left = piece < len ? piece : len;
		memcpy(copy, in, left);
		taken = framing_decode(f, copy, left, &data, &n, &d->fault);
		if (d->fault == FRAMING_OK)
			ck_assert_uint_gt(taken, 0);
		ck_assert_uint_le(taken, left);
		ck_assert_uint_le(d->len + n, sizeof(d->body));
		if (n > 0)
			memcpy(d->body + d->len, data, n);
		d->len += n;
		in += taken;
		len -= taken;
		free(copy);
	}
}

static void
decode(struct decoded *d, const char *answer, size_t len, size_t piece)
{
	struct framing f;
	size_t at;

	memset(d, 0, sizeof(*d));
	framing_init(&f, false);
	at = feed_head(&f, d, answer, len);
	feed_body(&f, d, answer + at, len - at, piece);
	d->status = framing_status(&f);
	if (d->fault == FRAMING_OK)
		d->fault = framing_end(&f);
}

static const struct {
	const char *answer;
	enum framing_fault fault;
	const char *body;
} answers[] = {
    {OK "Content-Length: 5\r\n\r\nhello", FRAMING_OK, "hello"},
    {OK "content-length:5\r\n\r\nhell", FRAMING_SHORT, NULL},
    {OK "Content-Length: 5\r\n\r\nhello!", FRAMING_EXCESS, NULL},
    {OK "\r\nhello", FRAMING_OK, "hello"},
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", FRAMING_LENGTH,
	NULL},
    {OK "Content-Length: 5, 5\r\n\r\nhello", FRAMING_LENGTH, NULL},
    {OK "Content-Length: \r\n\r\nhello", FRAMING_LENGTH, NULL},
    {OK "Content-Length: 9223372036854775808\r\n\r\n", FRAMING_LENGTH, NULL},
    {OK "Content-Length: 9223372036854775807\r\n\r\n", FRAMING_SHORT, NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", FRAMING_OK, "hello"},
    {CHUNKED "1;a\r\nh\r\n0004 ;b=\"c\"\r\nello\r\n0\r\nT: t\r\nU:\r\n\r\n",
	FRAMING_OK, "hello"},
    {CHUNKED "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", FRAMING_OK,
	"01234567890123456789"},
    {CHUNKED "0\r\n\r\n", FRAMING_OK, ""},
    {CHUNKED "", FRAMING_NO_LAST, NULL},
    {CHUNKED "5\r\nhello\r\n", FRAMING_NO_LAST, NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n", FRAMING_NO_LAST, NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n\r", FRAMING_NO_LAST, NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\nx", FRAMING_EXCESS, NULL},
    {CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "-5\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED ";x\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "5 x\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "5\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "5\r\nhello\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "5\r\rhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "5;\x01\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "5\r\nhello\r\n0\r\nT: t\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "0000000000000005\r\nhello\r\n0\r\n\r\n", FRAMING_CHUNK, NULL},
    {CHUNKED "000000000000005\r\nhello\r\n0\r\n\r\n", FRAMING_OK, "hello"},
    {OK "Transfer-Encoding: gzip\r\n\r\n", FRAMING_CODING, NULL},
    {OK "Transfer-Encoding: chunked, chunked\r\n\r\n", FRAMING_CODING, NULL},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", FRAMING_BOTH,
	NULL},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", FRAMING_BOTH,
	NULL},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", FRAMING_CODING,
	NULL},
    {"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", FRAMING_OK, ""},
    {"HTTP/1.1 204 No\r\n\r\nx", FRAMING_EXCESS, NULL},
    {"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", FRAMING_OK, ""},
    {"HTTP/1.1 103 E\r\nContent-Length: 9\r\n\r\n" OK
     "Content-Length: 2\r\n\r\nhi",
	FRAMING_OK, "hi"},
    {"HTTP/1.1 100\r\n\r\n", FRAMING_HEAD_CUT, NULL},
    {"HTTP/1.1 101 S\r\n\r\n", FRAMING_SWITCHED, NULL},
    {"HTTP/1.1 200\r\n\r\n", FRAMING_OK, ""},
    {"HTTP/1.1 2000\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"HTTP/1.1 200OK\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"HTTP/1.1 020 OK\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"HTTP/1.1\t200 OK\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"HTTP/2 200 OK\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"http/1.1 200 OK\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"HTTP/1.1 20\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {"\r\n", FRAMING_STATUS_LINE, NULL},
    {"HTTP/1.1 200 a\rb\r\n\r\n", FRAMING_STATUS_LINE, NULL},
    {OK "X: 1\r\n", FRAMING_HEAD_CUT, NULL},
    {"", FRAMING_HEAD_CUT, NULL},
};

/* All heads of an answer together; a body of that length is none. */
START_TEST(heads_have_a_bound)
{
	static char field[1000];
	static const char interim[] = "HTTP/1.1 103 E\r\n";
	enum framing_fault fault = FRAMING_OK;
	struct framing f;
	size_t n;

	memset(field, 'x', sizeof(field));
	memcpy(field + sizeof(field) - 3, "\r\n", 3);
	field[1] = ':';
	framing_init(&f, false);
	ck_assert_int_eq(framing_line(&f, OK, sizeof(OK) - 1), FRAMING_OK);
	for (n = 0; n < FRAMING_LINES_MAX - 1; n++)
		ck_assert_int_eq(framing_line(&f, "X: y\r\n", 6), FRAMING_OK);
	ck_assert_int_eq(framing_line(&f, "X: y\r\n", 6), FRAMING_HEAD_LONG);
	framing_init(&f, false);
	ck_assert_int_eq(framing_line(&f, OK, sizeof(OK) - 1), FRAMING_OK);
	for (n = sizeof(OK) - 1; fault == FRAMING_OK; n += sizeof(field) - 1)
		fault = framing_line(&f, field, sizeof(field) - 1);
	ck_assert_int_eq(fault, FRAMING_HEAD_LONG);
	ck_assert_uint_gt(n, FRAMING_HEAD_MAX);
	ck_assert_uint_le(n, FRAMING_HEAD_MAX + sizeof(field));
	framing_init(&f, false);
	for (fault = FRAMING_OK, n = 0; fault == FRAMING_OK; n++) {
		fault = framing_line(&f, interim, sizeof(interim) - 1);
		if (fault == FRAMING_OK)
			fault = framing_line(&f, "\r\n", 2);
	}
	ck_assert_int_eq(fault, FRAMING_HEAD_LONG);
	ck_assert_uint_le(n, FRAMING_HEAD_MAX / sizeof(interim) + 1);
}
END_TEST

START_TEST(answers_in_any_pieces)
{
	struct decoded d;
	size_t piece, len = strlen(answers[_i].answer);

	for (piece = 1; piece < 40; piece++) {
		decode(&d, answers[_i].answer, len, piece);
		ck_assert_int_eq(d.fault, answers[_i].fault);
		if (d.fault != FRAMING_OK)
			continue;
		ck_assert_uint_eq(d.len, strlen(answers[_i].body));
		if (d.len > 0)
			ck_assert_mem_eq(d.body, answers[_i].body, d.len);
	}
}
END_TEST

/* No prefix of an answer with a known end looks whole. */
START_TEST(no_prefix_is_whole)
{
	static const char *const whole[] = {
	    OK "Content-Length: 5\r\n\r\nhello",
	    CHUNKED "5;x\r\nhello\r\n0\r\nt: u\r\n\r\n",
	};
	struct decoded d;
	size_t i, len;

	for (i = 0; i < 2; i++) {
		for (len = 0; len < strlen(whole[i]); len++) {
			decode(&d, whole[i], len, 1000);
			ck_assert_int_ne(d.fault, FRAMING_OK);
		}
		decode(&d, whole[i], len, 1000);
		ck_assert_int_eq(d.fault, FRAMING_OK);
	}
}
END_TEST

/* Neither an extension nor trailers may be endless. */
START_TEST(what_is_ignored_is_bounded)
{
	static char text[200000];
	size_t len = (size_t)snprintf(text, sizeof(text), CHUNKED "1;");
	struct decoded d;

	memset(text + len, 'x', 5000);
	decode(&d, text, len + 5000, 1000);
	ck_assert_int_eq(d.fault, FRAMING_CHUNK);
	decode(&d, text, len + 4000, 1000);
	ck_assert_int_eq(d.fault, FRAMING_NO_LAST);
	len = (size_t)snprintf(text, sizeof(text), CHUNKED "0\r\n");
	while (len < 100000)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "x: y\r\n");
	decode(&d, text, len, 1000);
	ck_assert_int_eq(d.fault, FRAMING_CHUNK);
	decode(&d, text, 60000, 1000);
	ck_assert_int_eq(d.fault, FRAMING_NO_LAST);
}
END_TEST

START_TEST(a_head_has_no_body)
{
	static const char head[] = "Content-Length: 5\r\n";
	struct framing f;
	struct decoded d = {.fault = FRAMING_OK};

	framing_init(&f, true);
	ck_assert_int_eq(framing_line(&f, OK, sizeof(OK) - 1), FRAMING_OK);
	ck_assert_int_eq(framing_line(&f, head, sizeof(head) - 1), FRAMING_OK);
	ck_assert_int_eq(framing_declared(&f), -1);
	ck_assert_int_eq(framing_end(&f), FRAMING_HEAD_CUT);
	ck_assert_int_eq(framing_line(&f, "\r\n", 2), FRAMING_OK);
	ck_assert_int_eq(framing_end(&f), FRAMING_OK);
	feed_body(&f, &d, "x", 1, 1);
	ck_assert_int_eq(d.fault, FRAMING_EXCESS);
}
END_TEST

START_TEST(a_length_is_known_early)
{
	struct framing f;

	framing_init(&f, false);
	(void)framing_line(&f, OK, sizeof(OK) - 1);
	ck_assert_int_eq(framing_status(&f), 200);
	ck_assert_int_eq(framing_declared(&f), -1);
	(void)framing_line(&f, "Content-Length: 77\r\n", 20);
	ck_assert_int_eq(framing_declared(&f), 77);
	ck_assert(!framing_is_body(&f));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("framing");
	TCase *tc = tcase_create("framing");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, heads_have_a_bound);
	tcase_add_loop_test(tc, answers_in_any_pieces, 0,
	    (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_test(tc, no_prefix_is_whole);
	tcase_add_test(tc, what_is_ignored_is_bounded);
	tcase_add_test(tc, a_head_has_no_body);
	tcase_add_test(tc, a_length_is_known_early);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
