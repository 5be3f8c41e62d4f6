/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/body. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "spool.h"

#define LEN (3 * 1024 * 1024 + 17)

static uint8_t data[LEN], back[LEN];
static struct spool *spool; /* NULL: all stands in memory */

static struct body *
make(size_t max)
{
	struct body_params params = {
	    .max = max,
	    .memory_max = spool == NULL ? max : 5000,
	    .spool = spool,
	};

	return body_create(&params);
}

static size_t
read_body(struct body *b, uint64_t offset, uint8_t *out, size_t cap)
{
	ssize_t n = body_read(b, offset, out, cap);

	ck_assert_int_ge(n, 0);
	return (size_t)n;
}

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

static struct body *
filled(uint32_t *state)
{
	struct body *b = make(LEN);
	size_t at, n;

	ck_assert_ptr_nonnull(b);
	for (at = 0; at < LEN; at++)
		data[at] = (uint8_t)next_random(state);
	for (at = 0; at < LEN; at += n) {
		n = next_random(state) % 40000;
		if (n > LEN - at)
			n = LEN - at;
		ck_assert_int_eq(body_append(b, data + at, n), 0);
		ck_assert_uint_eq(body_len(b), at + n);
	}
	return b;
}

START_TEST(comes_back_in_any_pieces)
{
	uint32_t state = 3;
	struct body *b = filled(&state);
	size_t at, n, cap;

	ck_assert_uint_eq(read_body(b, 0, back, LEN), LEN);
	ck_assert_mem_eq(back, data, LEN);
	memset(back, 0, LEN);
	for (at = 0; at < LEN; at += n) {
		cap = 1 + next_random(&state) % 20000;
		n = read_body(
		    b, at, back + at, cap < LEN - at ? cap : LEN - at);
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(n, cap);
	}
	ck_assert_mem_eq(back, data, LEN);
	body_free(b);
}
END_TEST

/* Backwards and forwards, as a reader may. */
START_TEST(comes_back_from_any_place)
{
	uint32_t state = 4;
	struct body *b = filled(&state);
	size_t i, at, n, want;

	for (i = 0; i < 2000; i++) {
		at = next_random(&state) % (LEN + 10);
		want = next_random(&state) % 9000;
		n = read_body(b, at, back, want);
		if (at >= LEN) {
			ck_assert_uint_eq(n, 0);
			continue;
		}
		ck_assert_uint_eq(n, want < LEN - at ? want : LEN - at);
		ck_assert_mem_eq(back, data + at, n);
	}
	ck_assert_uint_eq(read_body(b, 5, back, 0), 0);
	ck_assert_uint_eq(read_body(b, LEN, back, 1), 0);
	ck_assert_uint_eq(read_body(b, SIZE_MAX, back, 1), 0);
	body_free(b);
}
END_TEST

START_TEST(holds_its_bound)
{
	struct body *b = make(10);

	ck_assert_uint_eq(read_body(b, 0, back, 10), 0);
	ck_assert_int_eq(body_append(b, "12345678", 8), 0);
	errno = 0;
	ck_assert_int_eq(body_append(b, "\xff\xff\xff", 3), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_uint_eq(body_len(b), 8);
	ck_assert(body_is_text(b)); /* nothing of it was taken */
	ck_assert_int_eq(body_append(b, "90", 2), 0);
	ck_assert_int_eq(body_append(b, "", 0), 0);
	ck_assert_int_eq(body_append(b, "x", 1), -1);
	ck_assert_uint_eq(read_body(b, 0, back, 20), 10);
	ck_assert_mem_eq(back, "1234567890", 10);
	body_free(b);
	b = make(0);
	ck_assert_int_eq(body_append(b, "", 0), 0);
	ck_assert_int_eq(body_append(b, "x", 1), -1);
	body_free(b);
	body_free(NULL);
}
END_TEST

/* Reading may begin before the last byte has come. */
START_TEST(grows_behind_a_reader)
{
	struct body *b = make(LEN);
	size_t at = 0;

	memset(data, 'a', LEN);
	while (body_len(b) < 600000) {
		ck_assert_int_eq(body_append(b, data, 1000), 0);
		at += read_body(b, at, back + at, 900);
	}
	at += read_body(b, at, back + at, LEN - at);
	ck_assert_uint_eq(at, body_len(b));
	ck_assert_mem_eq(back, data, at);
	body_free(b);
}
END_TEST

static const struct {
	const char *pieces[4];
	bool text;
} texts[] = {
    {{""}, true},
    {{"plain"}, true},
    {{"a\xe2", "\x82", "\xac"}, true},
    {{"a\xe2", "\x82"}, false},
    {{"a\xe2", "b"}, false},
    {{"\xf0\x9f", "", "\x98\x80!"}, true},
    {{"\xff", "then text"}, false},
    {{"\xed\xa0", "\x80"}, false},
};

START_TEST(is_text_or_not)
{
	struct body *b = make(100);
	size_t i;

	for (i = 0; i < 4 && texts[_i].pieces[i] != NULL; i++)
		ck_assert_int_eq(body_append(b, texts[_i].pieces[i],
				     strlen(texts[_i].pieces[i])),
		    0);
	ck_assert_int_eq(body_is_text(b), texts[_i].text);
	body_free(b);
}
END_TEST

static void
setup_spool(void)
{
	spool = spool_create("/tmp", 16 * 1024 * 1024);
	ck_assert_ptr_nonnull(spool);
}

static void
clear_spool(void)
{
	ck_assert_uint_eq(spool_used(spool), 0);
	spool_free(spool);
	spool = NULL;
}

START_TEST(only_what_is_too_much_is_spooled)
{
	struct body *b = make(LEN);

	memset(data, 'a', LEN);
	ck_assert_int_eq(body_append(b, data, 5000), 0);
	ck_assert(!body_is_spooled(b));
	ck_assert_uint_eq(spool_used(spool), 0);
	ck_assert_int_eq(body_append(b, data, 1), 0);
	ck_assert(body_is_spooled(b));
	ck_assert_uint_eq(spool_used(spool), SPOOL_BLOCK);
	body_free(b);
}
END_TEST

START_TEST(a_full_spool_is_said)
{
	struct body *b, *none;
	struct body_params params = {.max = LEN, .memory_max = 10};

	spool_free(spool);
	spool = spool_create("/tmp", 2 * SPOOL_BLOCK);
	b = make(LEN);
	ck_assert_int_eq(body_append(b, data, 5000 + 2 * SPOOL_BLOCK), 0);
	ck_assert_int_eq(body_append(b, data, 1), -1);
	ck_assert_int_eq(errno, EDQUOT);
	body_free(b);
	none = body_create(&params);
	ck_assert_int_eq(body_append(none, data, 10), 0);
	ck_assert_int_eq(body_append(none, data, 1), -1);
	ck_assert_int_eq(errno, EDQUOT);
	body_free(none);
}
END_TEST

static TCase *
make_case(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, comes_back_in_any_pieces);
	tcase_add_test(tc, comes_back_from_any_place);
	tcase_add_test(tc, holds_its_bound);
	tcase_add_test(tc, grows_behind_a_reader);
	tcase_add_loop_test(
	    tc, is_text_or_not, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("body");
	TCase *spooled = make_case("spooled");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(spooled, setup_spool, clear_spool);
	tcase_add_test(spooled, only_what_is_too_much_is_spooled);
	tcase_add_test(spooled, a_full_spool_is_said);
	suite_add_tcase(suite, make_case("body"));
	suite_add_tcase(suite, spooled);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
