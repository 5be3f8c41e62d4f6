/* SPDX-License-Identifier: MIT */
/* Unit tests of common/utf8: RFC 3629 and nothing but it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* A copy that ends where the text ends, so that a sanitizer sees a read past
 * it. */
static uint8_t *
copy(const void *s, size_t len)
{
	uint8_t *p = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(p);
	memcpy(p, s, len);
	return p;
}

static const struct {
	const char *text;
	size_t len, valid;
} texts[] = {
    {"", 0, 0},
    {"plain", 5, 5},
    {"a\0b", 3, 3},
    {"\x7f", 1, 1},
    {"\x80", 1, 0}, /* a continuation alone */
    {"ab\xbf", 3, 2},
    {"\xc0\x80", 2, 0}, /* overlong NUL */
    {"\xc1\xbf", 2, 0},
    {"\xc2\x80", 2, 2}, /* U+0080 */
    {"\xdf\xbf", 2, 2}, /* U+07FF */
    {"\xc2", 1, 0},	/* cut */
    {"\xc2\x41", 2, 0},
    {"\xe0\x9f\xbf", 3, 0}, /* overlong */
    {"\xe0\xa0\x80", 3, 3}, /* U+0800 */
    {"\xed\x9f\xbf", 3, 3}, /* U+D7FF */
    {"\xed\xa0\x80", 3, 0}, /* U+D800, a surrogate */
    {"\xed\xbf\xbf", 3, 0}, /* U+DFFF */
    {"\xee\x80\x80", 3, 3}, /* U+E000 */
    {"\xef\xbf\xbf", 3, 3}, /* U+FFFF */
    {"x\xe2\x82", 3, 1},    /* cut */
    {"\xe2\x82\x41", 3, 0},
    {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
    {"\xf0\x90\x80\x80", 4, 4}, /* U+10000 */
    {"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF */
    {"\xf4\x90\x80\x80", 4, 0}, /* U+110000 */
    {"\xf5\x80\x80\x80", 4, 0},
    {"\xf0\x9f\x98\x80z\xf0\x9f\x98", 8, 5},
    {"\xf8\x88\x80\x80\x80", 5, 0},
    {"\xfe", 1, 0},
    {"\xff", 1, 0},
};

START_TEST(judges_each_form)
{
	uint8_t *s = copy(texts[_i].text, texts[_i].len);

	ck_assert_uint_eq(utf8_valid_len(s, texts[_i].len), texts[_i].valid);
	ck_assert_int_eq(
	    utf8_is_valid(s, texts[_i].len), texts[_i].valid == texts[_i].len);
	free(s);
}
END_TEST

/* Of all texts of three bytes, as many are valid as RFC 3629 has ways to fill
 * them: 1+1+1, 1+2 and 2+1, 3. */
START_TEST(counts_all_texts_of_three_bytes)
{
	unsigned i, count = 0;
	uint8_t s[3];

	for (i = 0; i < 1U << 24; i++) {
		s[0] = (uint8_t)(i >> 16);
		s[1] = (uint8_t)(i >> 8);
		s[2] = (uint8_t)i;
		count += utf8_is_valid(s, 3);
	}
	ck_assert_uint_eq(
	    count, 128 * 128 * 128 + 2 * 128 * 1920 + (0x10000 - 0x800 - 2048));
}
END_TEST

static size_t
encode(unsigned c, uint8_t s[4])
{
	if (c < 0x10000) {
		s[0] = (uint8_t)(0xe0 | c >> 12);
		s[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		s[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	s[0] = (uint8_t)(0xf0 | c >> 18);
	s[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	s[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	s[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* Also what four bytes could say beyond Unicode. */
START_TEST(knows_every_long_character)
{
	unsigned c;
	uint8_t s[4];

	for (c = 0x800; c < 0x200000; c++) {
		size_t len = encode(c, s);
		bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		if (utf8_is_valid(s, len) != valid)
			ck_abort_msg("U+%X", c);
		if (utf8_is_valid(s, len - 1))
			ck_abort_msg("U+%X without its last byte", c);
	}
}
END_TEST

/* The word-wise way must see a bad byte wherever it stands. */
START_TEST(finds_a_bad_byte_at_each_place)
{
	size_t len, at;

	for (len = 1; len < 40; len++) {
		for (at = 0; at < len; at++) {
			uint8_t *s = malloc(len);

			memset(s, 'a', len);
			s[at] = 0xff;
			ck_assert_uint_eq(utf8_valid_len(s, len), at);
			free(s);
		}
	}
}
END_TEST

START_TEST(cuts_at_character_edges)
{
	/* 1, 2, 3 and 4 bytes */
	static const char s[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_uint_eq(utf8_cut((const uint8_t *)s, 10, i), want[i]);
	ck_assert_uint_eq(utf8_cut((const uint8_t *)s + 6, 4, 3), 0);
	ck_assert_uint_eq(utf8_cut((const uint8_t *)s, 0, 5), 0);
}
END_TEST

static bool
in_pieces(const uint8_t *s, size_t len, size_t a, size_t b)
{
	struct utf8_state u;

	utf8_init(&u);
	utf8_feed(&u, s, a);
	utf8_feed(&u, s + a, b - a);
	utf8_feed(&u, s + b, len - b);
	return utf8_is_complete(&u);
}

/* However a text is cut into three, the verdict is that on the whole. */
START_TEST(pieces_are_judged_as_the_whole)
{
	size_t len = texts[_i].len, a, b;
	uint8_t *s = copy(texts[_i].text, len);
	bool valid = texts[_i].valid == len;

	for (a = 0; a <= len; a++)
		for (b = a; b <= len; b++)
			ck_assert_int_eq(in_pieces(s, len, a, b), valid);
	free(s);
}
END_TEST

START_TEST(an_unfinished_character_may_still_come)
{
	struct utf8_state u;

	utf8_init(&u);
	ck_assert(utf8_is_complete(&u));
	utf8_feed(&u, (const uint8_t *)"ok\xe2", 3);
	ck_assert(!utf8_is_complete(&u));
	ck_assert(!u.invalid);
	utf8_feed(&u, (const uint8_t *)"\x82", 1);
	ck_assert(!utf8_is_complete(&u));
	utf8_feed(&u, (const uint8_t *)"\xac!", 2);
	ck_assert(utf8_is_complete(&u));
	utf8_feed(&u, (const uint8_t *)"\xff", 1);
	utf8_feed(&u, (const uint8_t *)"text", 4);
	ck_assert(u.invalid);
	ck_assert(!utf8_is_complete(&u));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tc = tcase_create("utf8");
	SRunner *runner = srunner_create(suite);
	int failed, count = (int)(sizeof(texts) / sizeof(texts[0]));

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, judges_each_form, 0, count);
	tcase_add_test(tc, counts_all_texts_of_three_bytes);
	tcase_add_test(tc, knows_every_long_character);
	tcase_add_test(tc, finds_a_bad_byte_at_each_place);
	tcase_add_test(tc, cuts_at_character_edges);
	tcase_add_loop_test(tc, pieces_are_judged_as_the_whole, 0, count);
	tcase_add_test(tc, an_unfinished_character_may_still_come);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
