/* SPDX-License-Identifier: MIT */
/* Unit tests of supervisor/telephonectl_text.h, _row.h and _filter.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "telephonectl_filter.h"
#include "telephonectl_row.h"
#include "telephonectl_text.h"
#include "util.h"

static char out[ROW_SIZE];

static void
take_locale(const char *locale)
{
	ck_assert_int_eq(setenv("LC_ALL", locale, 1), 0);
	ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
	text_init();
}

static void
setup(void)
{
	take_locale("C.UTF-8");
}

/* --- cells ---------------------------------------------------------------- */

#define E "\xe2\x80\xa6"    /* the ellipsis */
#define WIDE "\xe6\x97\xa5" /* two columns */

static const struct {
	const char *text;
	unsigned width;
	enum text_cut cut;
	const char *want;
	unsigned columns;
} cells[] = {
    {"abc", 3, TEXT_CUT_END, "abc", 3}, {"abcd", 3, TEXT_CUT_END, "ab" E, 3},
    {"abcd", 1, TEXT_CUT_END, E, 1}, {"abcd", 0, TEXT_CUT_END, "", 0},
    {"", 5, TEXT_CUT_END, "", 0},
    {"/api/v1/things/42", 9, TEXT_CUT_MIDDLE, "/api" E "s/42", 9},
    {"/api/v1/things/42", 2, TEXT_CUT_MIDDLE, "/" E, 2},
    {"\xc3\xa9t\xc3\xa9", 3, TEXT_CUT_END, "\xc3\xa9t\xc3\xa9", 3},
    {WIDE WIDE, 4, TEXT_CUT_END, WIDE WIDE, 4},
    {WIDE WIDE, 3, TEXT_CUT_END, WIDE E, 3}, {WIDE WIDE, 2, TEXT_CUT_END, E, 1},
    {"e\xcc\x81x", 2, TEXT_CUT_END, "e\xcc\x81x", 2}, /* combines */
    {"\xcc\x81", 9, TEXT_CUT_END, "\\xcc\\x81", 8},   /* with nothing */
    {"\x1b[2J", 9, TEXT_CUT_END, "\\x1b[2J", 7},
    {"\x1b[2J", 4, TEXT_CUT_END, E, 1}, {"a\x7f", 9, TEXT_CUT_END, "a\\x7f", 5},
    {"\n", 9, TEXT_CUT_END, "\\x0a", 4},
    {"\xc2\x9b"
     "2J",
	10, TEXT_CUT_END, "\\xc2\\x9b2J", 10},		       /* CSI */
    {"\xe2\x80\xae", 12, TEXT_CUT_END, "\\xe2\\x80\\xae", 12}, /* turns */
    {"\xe2\x80\x8b", 12, TEXT_CUT_END, "\\xe2\\x80\\x8b", 12}, /* hides */
    {"\xff", 4, TEXT_CUT_END, "\\xff", 4},
    {"\xed\xa0\x80", 12, TEXT_CUT_END, "\\xed\\xa0\\x80", 12},
    {"\xc3", 4, TEXT_CUT_END, "\\xc3", 4}, /* cut off */
};

START_TEST(cells_fit)
{
	unsigned columns = text_fit(
	    out, sizeof(out), cells[_i].text, cells[_i].width, cells[_i].cut);

	ck_assert_str_eq(out, cells[_i].want);
	ck_assert_uint_eq(columns, cells[_i].columns);
}
END_TEST

START_TEST(another_locale_is_ascii)
{
	take_locale("C");
	ck_assert_uint_eq(
	    text_fit(out, sizeof(out), "\xc3\xa9", 9, TEXT_CUT_END), 8);
	ck_assert_str_eq(out, "\\xc3\\xa9");
	(void)text_fit(out, sizeof(out), "abcd", 3, TEXT_CUT_END);
	ck_assert_str_eq(out, "ab~");
}
END_TEST

/* As many marks as one likes: a cell stays within its bytes. */
START_TEST(marks_are_bounded)
{
	char text[3000];
	size_t i;

	(void)util_strlcpy(text, "e", sizeof(text));
	for (i = 1; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xcc\x81", 3);
	ck_assert_uint_le(
	    text_fit(out, TEXT_SIZE(5), text, 5, TEXT_CUT_END), 5);
	ck_assert_uint_lt(strlen(out), TEXT_SIZE(5));
}
END_TEST

static const struct {
	int64_t us;
	const char *want;
} times[] = {{-1, "-"}, {0, "0.0ms"}, {1290, "1.2ms"}, {9999, "9.9ms"},
    {10000, "10ms"}, {999999, "999ms"}, {1000000, "1.0s"}, {99900000, "99.9s"},
    {100000000, "1m40s"}, {5999000000, "99m59s"}, {6000000000, "1h40m"},
    {359999000000, "99h59m"}, {360000000000, "4d"},
    {INT64_C(86399999999999999), "long"}, {INT64_MAX, "long"}};

START_TEST(times_are_short)
{
	char space[TEXT_NUMBER_MAX];

	ck_assert_str_eq(text_took(space, times[_i].us), times[_i].want);
	ck_assert_uint_le(strlen(space), 6);
}
END_TEST

static const struct {
	uint64_t v;
	const char *want;
} amounts[] = {{0, "0"}, {999, "999"}, {1000, "1.0k"}, {9999, "9.9k"},
    {10000, "10k"}, {999999, "999k"}, {1000000, "1.0M"}, {12345678, "12M"},
    {UINT64_MAX, "18E"}};

START_TEST(amounts_are_short)
{
	char space[TEXT_NUMBER_MAX];

	ck_assert_str_eq(text_amount(space, amounts[_i].v), amounts[_i].want);
	ck_assert_uint_le(strlen(space), 5);
}
END_TEST

/* --- rows ----------------------------------------------------------------- */

static struct exchange
an_exchange(void)
{
	struct exchange e = {.seq = 1,
	    .failed = true,
	    .status = 502,
	    .began_ms = 1700000000123,
	    .took_us = 1234,
	    .bytes_out = 34};

	(void)util_strlcpy(e.method, "GET", sizeof(e.method));
	(void)util_strlcpy(e.cause, "backend_cut", sizeof(e.cause));
	(void)util_strlcpy(
	    e.path, "/api/v1/things/and/then/of/them/42", sizeof(e.path));
	return e;
}

START_TEST(rows_are_aligned)
{
	struct exchange e = an_exchange();

	row_head(out, sizeof(out), 80);
	ck_assert_str_eq(
	    out, "TIME     METHOD STAT   TOOK  SIZE NOTE             PATH");
	row_put(out, sizeof(out), &e, 80);
	ck_assert_str_eq(out,
	    "22:13:20 GET     502  1.2ms    34 backend_cut      "
	    "/api/v1/things" E "hen/of/them/42");
	row_put(out, sizeof(out), &e, 200);
	ck_assert_ptr_nonnull(
	    strstr(out, " /api/v1/things/and/then/of/them/42"));
	e.seq = 0;
	e.status = 0;
	e.cause[0] = '\0';
	e.phase = EXCHANGE_FIRST_BYTE;
	row_put(out, sizeof(out), &e, 80);
	ck_assert_ptr_nonnull(
	    strstr(out, " GET       -  1.2ms    34 first_byte       /api"));
}
END_TEST

/* The columns that a terminal takes for it. */
static unsigned
columns_of(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

START_TEST(no_row_is_wider_than_asked)
{
	struct exchange e = an_exchange();
	unsigned width = (unsigned)_i;

	memset(e.path, 0x1b, sizeof(e.path) - 1);
	memset(e.method, '\n', sizeof(e.method) - 1);
	e.status = UINT32_MAX;
	e.took_us = INT64_MAX;
	row_put(out, sizeof(out), &e, width);
	ck_assert_uint_le(columns_of(out), width);
	ck_assert_ptr_null(strpbrk(out, "\x1b\n"));
	row_head(out, sizeof(out), width);
	ck_assert_uint_le(columns_of(out), width);
}
END_TEST

/* --- filter --------------------------------------------------------------- */

static const struct {
	const char *status, *slow, *path;
	bool failed, want;
} filters[] = {
    {NULL, NULL, NULL, false, true},
    {"502", NULL, NULL, false, true},
    {"404,5XX", NULL, NULL, false, true},
    {"2xx,404,501,503", NULL, NULL, false, false},
    {NULL, "1ms", NULL, false, true},
    {NULL, "2ms", NULL, false, false},
    {NULL, NULL, "/api", false, true},
    {NULL, NULL, "api", false, false},
    {NULL, NULL, "/api/*/42", false, true},
    {NULL, NULL, "/api/*/43", false, false},
    {NULL, NULL, "/api/v[0-9]/*", false, true},
    {NULL, NULL, NULL, true, true},
    {"5xx", "1ms", "/api", true, true},
    {"5xx", "1ms", "/apx", true, false},
};

START_TEST(filters_choose)
{
	struct exchange e = an_exchange();
	struct filter f = {
	    .path = filters[_i].path, .failed = filters[_i].failed};

	if (filters[_i].status != NULL)
		ck_assert_ptr_null(filter_status(&f, filters[_i].status));
	if (filters[_i].slow != NULL)
		ck_assert_ptr_null(filter_slow(&f, filters[_i].slow));
	ck_assert(filter_takes(&f, &e) == filters[_i].want);
	e.failed = false;
	ck_assert(
	    filter_takes(&f, &e) == (filters[_i].want && !filters[_i].failed));
}
END_TEST

static const char *const bad_statuses[] = {"", ",", "20", "20000", "2x", "xx2",
    "0xx", "200,", "200 404", "-1", "1,2,3",
    "200,201,202,203,204,205,206,207,208,209,210,211,212,213,214,215,216"};
static const char *const bad_times[] = {"", "0", "-1s", "2", "1y", "400000h"};

START_TEST(bad_filters_are_refused)
{
	struct filter f = {.path = NULL};
	size_t i;

	for (i = 0; i < UTIL_COUNT(bad_statuses); i++, f.status_count = 0)
		ck_assert_msg(filter_status(&f, bad_statuses[i]) != NULL, "%s",
		    bad_statuses[i]);
	for (i = 0; i < UTIL_COUNT(bad_times); i++)
		ck_assert_msg(
		    filter_slow(&f, bad_times[i]) != NULL, "%s", bad_times[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rows");
	TCase *tc = tcase_create("rows");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, cells_fit, 0, (int)UTIL_COUNT(cells));
	tcase_add_test(tc, another_locale_is_ascii);
	tcase_add_test(tc, marks_are_bounded);
	tcase_add_loop_test(tc, times_are_short, 0, (int)UTIL_COUNT(times));
	tcase_add_loop_test(tc, amounts_are_short, 0, (int)UTIL_COUNT(amounts));
	tcase_add_test(tc, rows_are_aligned);
	tcase_add_loop_test(tc, no_row_is_wider_than_asked, 0, 130);
	tcase_add_loop_test(tc, filters_choose, 0, (int)UTIL_COUNT(filters));
	tcase_add_test(tc, bad_filters_are_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
