/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of worker/response: what Plugboard would write out is read back
 * from the message by a decoder of its own, and must be the body, octet for
 * octet.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "phx.h"
#include "response.h"
#include "spool.h"
#include "utf8.h"

#define CHUNK_MAX 64

static struct body *
body_of(const void *data, size_t len)
{
	struct body_params params = {
	    .max = 16 * 1024 * 1024,
	    .memory_max = 16 * 1024 * 1024,
	};
	struct body *body = body_create(&params);

	ck_assert_ptr_nonnull(body);
	ck_assert_int_eq(body_append(body, data, len), 0);
	return body;
}

/* Of an answer that says what it is. */
static const struct head *
typed(void)
{
	static struct head head;

	if (head_count(&head) == 0) {
		head_init(&head, 10, 1000);
		ck_assert_ptr_null(
		    head_response_add(&head, "Content-Type: a/b\r\n", 19));
	}
	return &head;
}

static struct response_params
params_of(const void *data, size_t len, size_t chunk_max)
{
	struct response_params p = {.join_ref = "1",
	    .ref = "2",
	    .topic = "telephone:p",
	    .request_id = "id",
	    .status = 200,
	    .chunk_max = chunk_max};

	p.head = typed();
	p.body = data == NULL ? NULL : body_of(data, len);
	return p;
}

/* The whole message, read cap bytes at a time (checked without check(3), which
 * is slow); fresh memory for each read, so
 * that a sanitizer sees a byte too many. */
static void
read_all(struct buf *b, struct response *r, size_t cap)
{
	bool done = false;

	ck_assert_ptr_nonnull(r);
	while (!done) {
		uint8_t *space = malloc(cap);
		size_t n = response_read(r, space, cap, &done);

		if (n > cap || (!done && n < cap) ||
		    buf_append(b, space, n) == -1)
			ck_abort_msg("%zu of %zu bytes", n, cap);
		free(space);
	}
	ck_assert_uint_eq(response_read(r, b->data, 0, &done), 0);
	ck_assert(done);
	response_free(r);
}

/* --- what arrives --------------------------------------------------------- */

struct answer {
	int64_t status;
	struct json_value body, chunked, headers, chunks;
	char length[32]; /* Content-Length, "" for none */
	size_t chunk_count, chunk_longest;
	struct buf out; /* what Plugboard would write */
};

/* Iodata: bytes, strings, and arrays of them. */
static void
write_iodata(struct buf *out, const struct json_value *v)
{
	struct json_cursor c;
	struct json_value inner;
	struct buf text;
	int64_t n;

	if (v->type == JSON_NUMBER) {
		if (!json_int(v, &n) || n < 0 || n > 255)
			ck_abort_msg(
			    "%.*s", (int)v->raw.len, (char *)v->raw.data);
		(void)buf_putc(out, (uint8_t)n);
	} else if (v->type == JSON_STRING) {
		struct json_str s;

		buf_init(&text, 1 << 26);
		(void)buf_append(&text, v->raw.data, v->raw.len);
		s.data = text.data;
		s.len = text.len;
		ck_assert(s.len == 0 || json_unescape(&s));
		(void)buf_append(out, s.data, s.len);
		buf_clear(&text);
	} else {
		ck_assert_int_eq(v->type, JSON_ARRAY);
		json_enter(&c, v);
		while (json_next_element(&c, &inner))
			write_iodata(out, &inner);
		ck_assert(!c.failed);
	}
}

static void
write_chunks(struct answer *a)
{
	struct json_cursor c;
	struct json_value v;
	size_t before;

	json_enter(&c, &a->chunks);
	while (json_next_element(&c, &v)) {
		/* A bare number would be a byte on its own: not ours. */
		ck_assert(v.type == JSON_STRING || v.type == JSON_ARRAY);
		before = a->out.len;
		write_iodata(&a->out, &v);
		ck_assert_uint_gt(a->out.len, before);
		if (a->out.len - before > a->chunk_longest)
			a->chunk_longest = a->out.len - before;
		a->chunk_count++;
	}
}

static void
note(struct answer *a, struct json_str name, const struct json_value *v)
{
	if (phx_is(name, "request_id"))
		ck_assert(phx_is(v->raw, "id"));
	else if (phx_is(name, "status"))
		ck_assert(json_int(v, &a->status));
	else if (phx_is(name, "headers"))
		a->headers = *v;
	else if (phx_is(name, "body"))
		a->body = *v;
	else if (phx_is(name, "chunked"))
		a->chunked = *v;
	else if (phx_is(name, "chunks"))
		a->chunks = *v;
	else
		ck_abort_msg("member %.*s", (int)name.len, (char *)name.data);
}

/* Takes a message as Plugboard does. */
static void
receive(struct answer *a, struct buf *message)
{
	struct phx_msg m;
	struct json_cursor c;
	struct json_value v;
	struct json_str name;

	memset(a, 0, sizeof(*a));
	buf_init(&a->out, 1 << 26);
	ck_assert_ptr_null(phx_parse(&m, message->data, message->len));
	ck_assert(phx_is(m.join_ref, "1") && phx_is(m.ref, "2"));
	ck_assert(phx_is(m.topic, "telephone:p"));
	ck_assert(phx_is(m.event, "proxy_res"));
	ck_assert(json_open(&c, JSON_OBJECT, m.payload.data, m.payload.len));
	while (json_next_member(&c, &name, &v))
		note(a, name, &v);
	ck_assert(!c.failed);
	ck_assert_int_eq(a->headers.type, JSON_OBJECT);
	(void)phx_get_str(
	    a->headers.raw, "content-length", a->length, sizeof(a->length));
	ck_assert_int_eq(a->body.type, JSON_STRING);
	ck_assert_int_eq(a->chunked.type, JSON_BOOL);
	if (a->chunked.raw.data[0] == 't') {
		ck_assert_uint_eq(a->body.raw.len, 0);
		ck_assert_int_eq(a->chunks.type, JSON_ARRAY);
		write_chunks(a);
	} else {
		ck_assert_ptr_null(a->chunks.raw.data);
		write_iodata(&a->out, &a->body);
	}
}

enum form {
	PLAIN,
	STRINGS,
	BYTES
};

static enum form
form_of(const struct answer *a)
{
	if (a->chunks.raw.data == NULL)
		return PLAIN;
	return a->chunks.raw.data[1] == '[' ? BYTES : STRINGS;
}

/* One body there and back. */
static void
check_body(const void *data, size_t len, size_t chunk_max, size_t cap)
{
	struct response_params p = params_of(data, len, chunk_max);
	struct buf message;
	struct answer a;
	char length[32];
	bool text = utf8_is_valid(data, len);

	buf_init(&message, 1 << 26);
	read_all(&message, response_create(&p), cap);
	ck_assert(utf8_is_valid(message.data, message.len));
	receive(&a, &message);
	ck_assert_uint_eq(a.out.len, len);
	if (len > 0)
		ck_assert_mem_eq(a.out.data, data, len);
	ck_assert_int_eq(form_of(&a),
	    !text		  ? BYTES
		: len > chunk_max ? STRINGS
				  : PLAIN);
	(void)snprintf(length, sizeof(length), "%zu", len);
	ck_assert_str_eq(a.length, form_of(&a) == PLAIN ? "" : length);
	if (form_of(&a) != PLAIN) {
		ck_assert_uint_le(a.chunk_longest, chunk_max);
		/* No more chunks than characters cut off can explain. */
		ck_assert_uint_le(a.chunk_count, len / (chunk_max - 3) + 1);
	}
	buf_clear(&a.out);
	buf_clear(&message);
}

/* --- tests ---------------------------------------------------------------- */

START_TEST(a_small_text_goes_as_it_is)
{
	static const char want[] =
	    "[\"1\",\"2\",\"telephone:p\",\"proxy_res\",{\"request_id\":\"id\","
	    "\"status\":200,\"headers\":{\"content-type\":\"a/b\"},"
	    "\"chunked\":false,"
	    "\"body\":\"a\\\"b\\n\xc3\xa9\"}]";
	struct response_params p = params_of("a\"b\n\xc3\xa9", 6, CHUNK_MAX);
	struct buf b;

	buf_init(&b, 4096);
	read_all(&b, response_create(&p), 4096);
	ck_assert_uint_eq(b.len, sizeof(want) - 1);
	ck_assert_mem_eq(b.data, want, b.len);
	buf_clear(&b);
}
END_TEST

/* Plugboard adds a Content-Type to a plain body that has none. */
START_TEST(a_text_without_a_type_goes_in_chunks)
{
	struct response_params p = params_of("a\"b\n\xc3\xa9", 6, CHUNK_MAX);
	struct buf b;
	struct answer a;

	p.head = NULL;
	buf_init(&b, 4096);
	read_all(&b, response_create(&p), 100);
	receive(&a, &b);
	ck_assert_int_eq(form_of(&a), STRINGS);
	ck_assert_str_eq(a.length, "6");
	ck_assert_uint_eq(a.out.len, 6);
	ck_assert_mem_eq(a.out.data, "a\"b\n\xc3\xa9", 6);
	buf_clear(&a.out);
	buf_clear(&b);
}
END_TEST

START_TEST(nothing_is_an_empty_body)
{
	struct response_params p = params_of(NULL, 0, CHUNK_MAX);
	struct buf b;
	struct answer a;

	buf_init(&b, 4096);
	read_all(&b, response_create(&p), 100);
	receive(&a, &b);
	ck_assert_int_eq(form_of(&a), PLAIN);
	ck_assert_uint_eq(a.out.len, 0);
	buf_clear(&a.out);
	buf_clear(&b);
	check_body("", 0, CHUNK_MAX, 100);
}
END_TEST

START_TEST(some_statuses_have_no_body)
{
	static const int statuses[] = {204, 304};
	struct response_params p = params_of("\xff\xfe", 2, CHUNK_MAX);
	struct buf b;
	struct answer a;

	p.status = statuses[_i];
	buf_init(&b, 4096);
	read_all(&b, response_create(&p), 100);
	receive(&a, &b);
	ck_assert_int_eq(a.status, statuses[_i]);
	ck_assert_int_eq(form_of(&a), PLAIN);
	ck_assert_uint_eq(a.out.len, 0);
	ck_assert_str_eq(a.length, "");
	buf_clear(&a.out);
	buf_clear(&b);
}
END_TEST

START_TEST(fields_are_carried_and_the_length_is_ours)
{
	struct response_params p = params_of("\xff", 1, CHUNK_MAX);
	struct head head;
	struct buf b;
	struct answer a;
	char value[64];

	head_init(&head, 10, 1000);
	ck_assert_ptr_null(head_response_add(&head, "X-A: q\"\\\r\n", 10));
	ck_assert_ptr_null(head_response_add(&head, "X-B: \xe9\r\n", 8));
	ck_assert_ptr_null(
	    head_response_add(&head, "Content-Length: 7\r\n", 19));
	(void)head_response_finish(&head);
	p.head = &head;
	buf_init(&b, 4096);
	read_all(&b, response_create(&p), 7);
	head_clear(&head);
	receive(&a, &b);
	ck_assert(phx_get_str(a.headers.raw, "x-a", value, sizeof(value)));
	ck_assert_str_eq(value, "q\"\\");
	ck_assert(phx_get_str(a.headers.raw, "x-b", value, sizeof(value)));
	ck_assert_str_eq(value, "\xc3\xa9");
	ck_assert_str_eq(a.length, "1");
	buf_clear(&a.out);
	buf_clear(&b);
}
END_TEST

START_TEST(all_byte_values_come_back)
{
	uint8_t all[256], one;
	size_t i;

	for (i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	check_body(all, sizeof(all), 1024, 4096);
	check_body(all, sizeof(all), 16, 4096);
	check_body(all, 128, 1024, 4096);
	check_body(all, 128, 16, 4096);
	for (i = 0; i < 256; i++) {
		one = (uint8_t)i;
		check_body(&one, 1, CHUNK_MAX, 100);
	}
}
END_TEST

/* Characters of each length, so that each chunk's edge falls into each place
 * of each of them. */
START_TEST(chunks_end_between_characters)
{
	static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac",
	    "\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80"};
	char text[600];
	size_t i, lead, len;

	for (i = 0; i < 4; i++) {
		for (lead = 0; lead < 5; lead++) {
			memset(text, 'x', lead);
			text[lead] = '\0';
			while (strlen(text) < 500)
				strcat(text, characters[i]);
			len = strlen(text);
			check_body(text, len, 16, 1000);
			check_body(text, len, 17, 1000);
			check_body(text, len, 64, 1000);
			check_body(text, len, len - 1, 1000);
			check_body(text, len, len, 1000);
		}
	}
}
END_TEST

/* The encoder sees 16 KiB at once: characters that lie across the end of that
 * meet chunks that end thereabouts. */
START_TEST(chunks_end_where_the_window_does)
{
	static uint8_t text[36000];
	size_t lead, len, chunk_max;

	for (lead = 0; lead < 4; lead++) {
		memset(text, 'x', lead);
		for (len = lead; len + 4 <= sizeof(text); len += 4)
			memcpy(text + len, "\xf0\x9f\x98\x80", 4);
		for (chunk_max = 16378; chunk_max < 16390; chunk_max++)
			check_body(text, len, chunk_max, 5000);
	}
}
END_TEST

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* Runs of text, of escapes, of characters and of anything. */
static size_t
mixture(uint8_t *out, size_t len, uint32_t *state, bool text)
{
	static const char more[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	size_t at = 0, n, i, kind;

	while (at + 64 < len) {
		kind = next_random(state) % (text ? 3 : 4);
		n = 1 + next_random(state) % 40;
		if (kind == 2) {
			memcpy(out + at, more, 9);
			at += 9;
			continue;
		}
		for (i = 0; i < n; i++) {
			uint32_t r = next_random(state);

			out[at++] = (uint8_t)(kind == 0 ? 'a' + r % 26
				: kind == 1		? r % 0x30
							: r);
		}
	}
	return at;
}

/* However little room the reader has, the bytes are the same as those that
 * come one by one. */
START_TEST(room_does_not_matter)
{
	static const size_t caps[] = {
	    2, 3, 5, 31, 32, 33, 40, 63, 64, 100, 1000, 16384, 262144};
	static uint8_t data[40000];
	uint32_t state = 7;
	size_t len = mixture(data, sizeof(data), &state, _i < 2), i;
	size_t chunk_max = _i % 2 == 0 ? 1 << 20 : 1000;
	struct response_params p = params_of(data, len, chunk_max);
	struct buf one, b;

	buf_init(&one, 1 << 24);
	buf_init(&b, 1 << 24);
	read_all(&one, response_create(&p), 1);
	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		p = params_of(data, len, chunk_max);
		buf_reset(&b);
		read_all(&b, response_create(&p), caps[i]);
		ck_assert_uint_eq(b.len, one.len);
		ck_assert_mem_eq(b.data, one.data, one.len);
	}
	buf_clear(&one);
	buf_clear(&b);
}
END_TEST

START_TEST(mixtures_come_back)
{
	static uint8_t data[70000];
	uint32_t state = 2024 + (uint32_t)_i;
	size_t i, len, chunk_max, cap;

	for (i = 0; i < 60; i++) {
		len = mixture(
		    data, 65 + next_random(&state) % 60000, &state, i % 2 == 0);
		chunk_max = 16 + next_random(&state) % 30000;
		cap = 1 + next_random(&state) % 5000;
		check_body(data, len, chunk_max, cap);
	}
}
END_TEST

/* What is not UTF-8 costs about 3.6 bytes a byte, but the words in it cost
 * what they are; and looking for them costs a little time only (0.1 s; two
 * seconds allow for sanitizers and a busy machine). */
START_TEST(words_in_binary_are_strings)
{
	size_t i, len = 12 * 1024 * 1024;
	clock_t began;
	uint8_t *data = malloc(len);
	struct response_params p;
	struct buf b;

	for (i = 0; i < len; i++)
		data[i] = (uint8_t)(i % 20 == 19 ? 0xe9 : 'a' + i % 20);
	p = params_of(data, len, 1 << 20);
	buf_init(&b, 1 << 26);
	began = clock();
	read_all(&b, response_create(&p), 128 * 1024);
	ck_assert_int_lt(clock() - began, 2 * CLOCKS_PER_SEC);
	ck_assert_uint_lt(b.len, len * 17 / 10);
	buf_clear(&b);
	free(data);
}
END_TEST

/* Exact, and without a trace in what is sent afterwards. */
START_TEST(its_length_is_known_before)
{
	static uint8_t data[40000];
	uint32_t state = 99 + (uint32_t)_i;
	size_t len = mixture(data, sizeof(data), &state, _i % 2 == 0);
	size_t chunk_max = _i < 2 ? 1 << 20 : 100;
	struct response_params p = params_of(data, len, chunk_max);
	struct response *r;
	struct buf one, b;

	buf_init(&one, 1 << 24);
	buf_init(&b, 1 << 24);
	read_all(&one, response_create(&p), 1000);
	p = params_of(data, len, chunk_max);
	r = response_create(&p);
	ck_assert(response_fits(r, one.len));
	ck_assert(!response_fits(r, one.len - 1));
	ck_assert(response_fits(r, one.len + 1));
	ck_assert(response_fits(r, UINT64_MAX));
	ck_assert(!response_fits(r, 10));
	read_all(&b, r, 999);
	ck_assert_uint_eq(b.len, one.len);
	ck_assert_mem_eq(b.data, one.data, one.len);
	buf_clear(&one);
	buf_clear(&b);
}
END_TEST

/* The newest open file that has no name: check(3) has one, too. */
static int
find_spool(void)
{
	char path[64], to[256];
	int fd;

	for (fd = 100; fd > 2; fd--) {
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, to, sizeof(to) - 1);
		if (n > 0) {
			to[n] = '\0';
			if (strstr(to, "(deleted)") != NULL)
				return fd;
		}
	}
	ck_abort_msg("no such file");
	return -1;
}

/* What cannot be read to its end is nothing that Plugboard would take. */
START_TEST(a_failing_disk_leaves_no_whole_message)
{
	static uint8_t data[200000];
	struct spool *spool = spool_create("/tmp", 1 << 20);
	struct body_params params = {
	    .max = sizeof(data), .memory_max = 4096, .spool = spool};
	struct response_params p = params_of(NULL, 0, _i < 2 ? 1 << 20 : 1000);
	struct response *r;
	struct phx_msg m;
	bool done = false;
	struct buf b;

	memset(data, _i % 2 == 0 ? 'a' : 0xe9, sizeof(data));
	p.body = body_create(&params);
	ck_assert_int_eq(body_append(p.body, data, sizeof(data)), 0);
	ck_assert_int_eq(ftruncate(find_spool(), 100000), 0);
	r = response_create(&p);
	buf_init(&b, 1 << 22);
	while (!done) {
		uint8_t space[5000];
		size_t n = response_read(r, space, sizeof(space), &done);

		ck_assert_int_eq(buf_append(&b, space, n), 0);
	}
	ck_assert_int_ne(response_failure(r), 0);
	ck_assert_ptr_nonnull(phx_parse(&m, b.data, b.len));
	response_free(r);
	spool_free(spool);
	buf_clear(&b);
}
END_TEST

START_TEST(an_unread_response_is_freed_whole)
{
	struct response_params p = params_of("\xff text", 6, CHUNK_MAX);
	struct response *r = response_create(&p);
	uint8_t space[40];
	bool done;

	ck_assert_uint_eq(response_read(r, space, sizeof(space), &done), 40);
	ck_assert(!done);
	response_free(r);
	response_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("response");
	TCase *tc = tcase_create("response");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_small_text_goes_as_it_is);
	tcase_add_test(tc, a_text_without_a_type_goes_in_chunks);
	tcase_add_test(tc, nothing_is_an_empty_body);
	tcase_add_loop_test(tc, some_statuses_have_no_body, 0, 2);
	tcase_add_test(tc, fields_are_carried_and_the_length_is_ours);
	tcase_add_test(tc, all_byte_values_come_back);
	tcase_add_test(tc, chunks_end_between_characters);
	tcase_add_test(tc, chunks_end_where_the_window_does);
	tcase_add_loop_test(tc, room_does_not_matter, 0, 4);
	tcase_add_loop_test(tc, mixtures_come_back, 0, 4);
	tcase_add_test(tc, words_in_binary_are_strings);
	tcase_add_loop_test(tc, its_length_is_known_before, 0, 4);
	tcase_add_loop_test(tc, a_failing_disk_leaves_no_whole_message, 0, 4);
	tcase_add_test(tc, an_unread_response_is_freed_whole);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
