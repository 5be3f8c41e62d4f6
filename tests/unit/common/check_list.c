/* SPDX-License-Identifier: MIT */
/* Unit tests of list.h: items, faults, and names as applications see them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "util.h"

/* Items are written "name=value", "name" or "name*" and joined with "; ". */
static void
describe(enum list_kind kind, const char *text, char *out, size_t size)
{
	struct list_item item;
	char fault[LIST_FAULT_MAX];
	int result;

	out[0] = '\0';
	while ((result = list_next(kind, &text, &item, fault)) == 1) {
		size_t n = strlen(out);

		ck_assert(util_fmt(out + n, size - n, "%s%s%s%s%s",
		    n > 0 ? "; " : "", item.name, item.prefix ? "*" : "",
		    item.value[0] != '\0' ? "=" : "", item.value));
	}
	if (result == -1)
		(void)util_strlcpy(out, fault, size);
}

static const struct {
	enum list_kind kind;
	const char *text;
	const char *items;
} good[] = {
    {LIST_METHODS, "GET", "GET"},
    {LIST_METHODS, " GET ,post,\tM-SEARCH", "GET; post; M-SEARCH"},
    {LIST_METHODS, "GET,", "GET"},
    {LIST_METHODS, "", ""},
    {LIST_REMOVE_REQUEST, "Proxy, X-Internal-*", "Proxy; X-Internal-*"},
    {LIST_REMOVE_REQUEST, "content-type,x*y", "content-type; x*y"},
    {LIST_REMOVE_RESPONSE, "set-cookie", "set-cookie"},
    {LIST_ADD_REQUEST, "X-A: b", "X-A=b"},
    {LIST_ADD_REQUEST, "X-A:b:c, d;e | X-B : f", "X-A=b:c, d;e; X-B=f"},
    {LIST_ADD_REQUEST, "X-A: a||b||||c|X-B:|| |", "X-A=a|b||c; X-B=|"},
    {LIST_ADD_REQUEST, "Set-Cookie: a", "Set-Cookie=a"},
    {LIST_ADD_RESPONSE, "X: \xc3\xa9", "X=\xc3\xa9"},
    {LIST_PATHS, "/", ""},
    {LIST_PATHS, "/a/, /b c/d", "/a; /b c/d"},
    {LIST_PATHS, "/%2C%25%c3%A9%2a", "/,%\xc3\xa9*"},
    {LIST_PATHS, "/...,/.a,/a..", "/...; /.a; /a.."},
};

START_TEST(items_are_cut_out)
{
	char got[4096], fault[LIST_FAULT_MAX];

	describe(good[_i].kind, good[_i].text, got, sizeof(got));
	ck_assert_str_eq(got, good[_i].items);
	ck_assert_int_eq(list_judge(good[_i].kind, good[_i].text, fault), 0);
}
END_TEST

static const struct {
	enum list_kind kind;
	const char *text;
	const char *words;
} bad[] = {
    {LIST_METHODS, "GET,,POST", "\"\": not a method"},
    {LIST_METHODS, "G T", "\"G T\": not a method"},
    {LIST_REMOVE_REQUEST, "a b", "not a header name"},
    {LIST_REMOVE_REQUEST, "*", "every header"},
    {LIST_REMOVE_REQUEST, "x, Connection", "\"Connection\": it is for one"},
    {LIST_REMOVE_REQUEST, "Keep-Alive", "one hop"},
    {LIST_REMOVE_REQUEST, "tE", "one hop"},
    {LIST_REMOVE_REQUEST, "t*", "longer prefix"},
    {LIST_REMOVE_REQUEST, "content-*", "longer prefix"},
    {LIST_REMOVE_REQUEST, "Host", "HOST_HEADER"},
    {LIST_REMOVE_RESPONSE, "Content_Length", "frames the message"},
    {LIST_ADD_REQUEST, "Transfer-Encoding: x", "frames the message"},
    {LIST_ADD_REQUEST, "upgrade: x", "one hop"},
    {LIST_ADD_REQUEST, "expect: x", "one hop"},
    {LIST_ADD_REQUEST, "host: x", "HOST_HEADER"},
    {LIST_ADD_REQUEST, "X-A", "has no name"},
    {LIST_ADD_REQUEST, ": x", "has no name"},
    {LIST_ADD_REQUEST, "X-A: b | | X-C: d", "has no name"},
    {LIST_ADD_REQUEST, "X-A:", "\"X-A\": it has no value"},
    {LIST_ADD_REQUEST, "X A: b", "not a header name"},
    {LIST_ADD_REQUEST, "X-A: \xff", "not UTF-8"},
    {LIST_ADD_REQUEST, "X-A: b | x_a: c", "added twice"},
    {LIST_ADD_RESPONSE, "X: 1 | Y: 2 | X: 1", "\"X\": it is added twice"},
    {LIST_ADD_RESPONSE, "Set_Cookie: a", "carries one only"},
    {LIST_PATHS, "a", "begins with /"},
    {LIST_PATHS, "/a,,/b", "begins with /"},
    {LIST_PATHS, "/a/*", "no pattern"},
    {LIST_PATHS, "/a?b", "no query"},
    {LIST_PATHS, "/%", "two hex digits"},
    {LIST_PATHS, "/%4", "two hex digits"},
    {LIST_PATHS, "/%4g", "two hex digits"},
    {LIST_PATHS, "/%00", "not by 00"},
    {LIST_PATHS, "/a/../b", "without ."},
    {LIST_PATHS, "/./b", "without ."},
    {LIST_PATHS, "/b/%2e", "without ."},
    {LIST_PATHS, "//b", "without ."},
};

START_TEST(faults_name_the_item)
{
	char fault[LIST_FAULT_MAX] = "";

	ck_assert_int_eq(list_judge(bad[_i].kind, bad[_i].text, fault), -1);
	ck_assert_msg(strstr(fault, bad[_i].words) != NULL, "%s: %s",
	    bad[_i].text, fault);
}
END_TEST

START_TEST(values_are_never_shown)
{
	static const char *const texts[] = {"X-A: secret | Host: secret",
	    "X-A: secret | secret", "secret", "te: secret", "X-A: secret\xff"};
	char fault[LIST_FAULT_MAX] = "";
	size_t i;

	for (i = 0; i < UTIL_COUNT(texts); i++) {
		ck_assert_int_eq(
		    list_judge(LIST_ADD_REQUEST, texts[i], fault), -1);
		ck_assert_ptr_null(strstr(fault, "secret"));
	}
}
END_TEST

START_TEST(a_list_is_bounded)
{
	char text[LIST_TEXT_MAX + 3], fault[LIST_FAULT_MAX];

	memset(text, 'x', sizeof(text));
	text[LIST_TEXT_MAX] = '\0';
	ck_assert_int_eq(list_judge(LIST_METHODS, text, fault), 0);
	text[LIST_TEXT_MAX] = 'x';
	text[LIST_TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(list_judge(LIST_METHODS, text, fault), -1);
}
END_TEST

static const struct {
	const char *text;
	bool host, via;
} names[] = {
    {"backend", true, true},
    {"pass", true, true},
    {"app.example", true, true},
    {"app.example:8080", true, true},
    {"127.0.0.1:1", true, true},
    {"[::1]", true, true},
    {"[::1]:443", true, true},
    {"tele!phone", false, true},
    {"::1", false, false},
    {"a:0", false, false},
    {"a:65536", false, false},
    {"a:", false, false},
    {"a b", false, false},
    {"a/b", false, false},
    {"u@h", false, false},
    {"a,b", false, false},
    {"http://a", false, false},
    {"", false, false},
};

START_TEST(hosts_and_names_for_via)
{
	ck_assert_int_eq(
	    list_host_header_fault(names[_i].text) == NULL, names[_i].host);
	ck_assert_int_eq(list_via_fault(names[_i].text) == NULL, names[_i].via);
}
END_TEST

START_TEST(names_as_applications_see_them)
{
	ck_assert(list_same_name("X-Forwarded-For", "x_forwarded_FOR"));
	ck_assert(list_same_name("", ""));
	ck_assert(!list_same_name("x-a", "x-ab"));
	ck_assert(!list_same_name("x-ab", "x-a"));
	ck_assert(!list_same_name("x-a", "x+a"));
	ck_assert(list_same_prefix("X_Internal_A", "x-internal-"));
	ck_assert(list_same_prefix("x-internal-", "x-internal-"));
	ck_assert(!list_same_prefix("x-internal", "x-internal-"));
}
END_TEST

#define LOOP(tc, test, table) \
	tcase_add_loop_test(tc, test, 0, (int)UTIL_COUNT(table))

int
main(void)
{
	Suite *suite = suite_create("list");
	TCase *tc = tcase_create("list");
	SRunner *runner = srunner_create(suite);
	int failed;

	LOOP(tc, items_are_cut_out, good);
	LOOP(tc, faults_name_the_item, bad);
	tcase_add_test(tc, values_are_never_shown);
	tcase_add_test(tc, a_list_is_bounded);
	LOOP(tc, hosts_and_names_for_via, names);
	tcase_add_test(tc, names_as_applications_see_them);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
