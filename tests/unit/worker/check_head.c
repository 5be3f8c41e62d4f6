/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/head: protocol.md §3 and §4, RFC 9110. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "head.h"

static struct json_str
str(const char *s)
{
	struct json_str out = {(uint8_t *)strdup(s), strlen(s)};

	ck_assert_ptr_nonnull(out.data);
	return out;
}

/* --- the target ----------------------------------------------------------- */

static const struct {
	const char *path, *query, *target;
} targets[] = {
    {"/", "", "/"},
    {"", "", "/"},
    {"/users/1", "a=1&b=%20x&a=2", "/users/1?a=1&b=%20x&a=2"},
    {"/a?b#c", "", "/a%3Fb%23c"},
    {"/100%", "", "/100%25"},
    {"/%41", "%41", "/%2541?%41"},
    {"/c d\xc3\xa9+e", "", "/c%20d%C3%A9+e"},
    {"/a\r\nb\x7f", "a\r\nb\x7f", "/a%0D%0Ab%7F?a%0D%0Ab%7F"},
    {"/.././a//b/", "..//", "/.././a//b/?..//"},
    {"//host/x", "", "//host/x"},
    {"/-._~!$&'()*+,;=:@", "", "/-._~!$&'()*+,;=:@"},
    {"/\"<>[]\\^`{|}", "\"<>[]\\^`{|}",
	"/%22%3C%3E%5B%5D%5C%5E%60%7B%7C%7D?\"<>[]\\^`{|}"},
    {"/", " #\xc3\xa9", "/?%20%23%C3%A9"},
    {"/\xf0\x9f\x98\x80", "", "/%F0%9F%98%80"},
    {"/", "?", "/??"},
    {"/", "&", "/?&"},
};

START_TEST(targets_are_encoded_once)
{
	struct json_str path = str(targets[_i].path);
	struct json_str query = str(targets[_i].query);
	struct buf b;

	buf_init(&b, 1000);
	ck_assert_int_eq(head_target(&b, path, query), 0);
	ck_assert_str_eq((char *)b.data, targets[_i].target);
	ck_assert_uint_eq(b.len, strlen(targets[_i].target) + 1);
	buf_clear(&b);
	free(path.data);
	free(query.data);
}
END_TEST

static int
hex_digit(char c)
{
	const char *digits = "0123456789ABCDEF";

	ck_assert(c != '\0' && strchr(digits, c) != NULL);
	return (int)(strchr(digits, c) - digits);
}

/* Decoded once, a path says what it said; and RFC 3986 would take it. */
START_TEST(every_byte_of_a_path_comes_back)
{
	uint8_t all[257] = {'/'};
	struct json_str path = {all, sizeof(all)}, none = {NULL, 0};
	struct buf b;
	const char *p;
	size_t i;

	for (i = 0; i < 256; i++)
		all[i + 1] = (uint8_t)i;
	buf_init(&b, 2000);
	ck_assert_int_eq(head_target(&b, path, none), 0);
	p = (char *)b.data;
	for (i = 0; i < sizeof(all); i++) {
		ck_assert_int_gt(*p, 0x20);
		ck_assert_int_lt(*p, 0x7f);
		ck_assert_ptr_null(strchr("?#[]\\^`{|}\"<>", *p));
		if (*p == '%') {
			ck_assert_int_eq(
			    hex_digit(p[1]) << 4 | hex_digit(p[2]), all[i]);
			p += 3;
		} else {
			ck_assert_int_eq(*p++, all[i]);
		}
	}
	ck_assert_int_eq(*p, '\0');
	buf_clear(&b);
	buf_init(&b, 100);
	ck_assert_int_eq(head_target(&b, path, none), -1);
	buf_clear(&b);
}
END_TEST

/* --- requests ------------------------------------------------------------- */

static const char *
add(struct head *h, const char *name, const char *value)
{
	struct json_str n = str(name), v = str(value);
	const char *error = head_request_add(h, n, v);

	free(n.data);
	free(v.data);
	return error;
}

static const char *
value_of(const struct head *h, const char *name)
{
	const struct head_field *f = head_find(h, name);

	if (f == NULL)
		return NULL;
	ck_assert_uint_eq(f->len, strlen(f->value));
	return f->value;
}

static const struct {
	const char *name, *value;
	bool ok;
} fields[] = {
    {"x-a", "b", true},
    {"X-A", "", true},
    {"x-a", "tab\there", true},
    {"x-a", "\xc3\xa9", true},
    {"x", "a\r\nb: c", false},
    {"x", "a\n", false},
    {"x", "\r", false},
    {"x", "a\x01", false},
    {"x", "a\x7f", false},
    {"", "a", false},
    {"a b", "c", false},
    {"a:", "c", false},
    {"a\r\nb", "c", false},
    {"\xc3\xa9", "c", false},
};

START_TEST(request_fields_are_judged)
{
	struct head h;
	struct json_str name = {(uint8_t[]){'x'}, 1};
	struct json_str nul = {(uint8_t[]){'a', '\0', 'b'}, 3};

	head_init(&h, 10, 100);
	ck_assert_int_eq(
	    add(&h, fields[_i].name, fields[_i].value) == NULL, fields[_i].ok);
	ck_assert_uint_eq(head_count(&h), fields[_i].ok);
	if (fields[_i].ok)
		ck_assert_str_eq(
		    value_of(&h, fields[_i].name), fields[_i].value);
	ck_assert_ptr_nonnull(head_request_add(&h, name, nul));
	ck_assert_ptr_nonnull(head_request_add(&h, nul, name));
	head_clear(&h);
}
END_TEST

START_TEST(a_hop_keeps_what_is_its_own)
{
	static const char *const gone[] = {"Connection", "Keep-Alive",
	    "proxy-connection", "proxy-authorization", "Proxy-Authenticate",
	    "TE", "trailer", "Transfer-Encoding", "upgrade", "Expect",
	    "http2-settings", "content-length", "x-hop", "X-Hop-2"};
	static const char *const kept[] = {"host", "content-type", "cookie",
	    "authorization", "x-forwarded-for", "x-forwarded-proto",
	    "accept-encoding", "x-hop-3"};
	struct head h;
	size_t i;

	head_init(&h, 200, 65536);
	for (i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		ck_assert_ptr_null(add(&h, gone[i],
		    i == 0 ? "close, X-HOP ,\tx-hop-2,host,content-type"
			   : "12"));
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		ck_assert_ptr_null(add(&h, kept[i], "v"));
	ck_assert_int_eq(head_request_finish(&h), 12);
	ck_assert_uint_eq(head_count(&h), sizeof(kept) / sizeof(kept[0]));
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		ck_assert_str_eq(head_field(&h, i)->name, kept[i]);
	for (i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		ck_assert_ptr_null(head_find(&h, gone[i]));
	head_clear(&h);
}
END_TEST

START_TEST(several_connection_fields_count)
{
	struct head h;

	head_init(&h, 200, 65536);
	(void)add(&h, "x-a", "1");
	(void)add(&h, "connection", "x-a");
	(void)add(&h, "x-b", "2");
	(void)add(&h, "Connection", "X-B");
	(void)add(&h, "x-c", " 3\t ");
	(void)head_request_finish(&h);
	ck_assert_uint_eq(head_count(&h), 1);
	ck_assert_str_eq(value_of(&h, "X-C"), "3");
	head_clear(&h);
}
END_TEST

static const struct {
	const char *value;
	int64_t length;
} lengths[] = {
    {"0", 0},
    {"17", 17},
    {" 17 ", 17},
    {"9223372036854775807", INT64_MAX},
    {"9223372036854775808", -1},
    {"99999999999999999999999", -1},
    {"", -1},
    {"-1", -1},
    {"+1", -1},
    {"1 2", -1},
    {"0x10", -1},
    {"1.0", -1},
    {NULL, -1},
};

START_TEST(a_length_is_a_number_or_none)
{
	struct head h;

	head_init(&h, 200, 65536);
	if (lengths[_i].value != NULL)
		(void)add(&h, "Content-Length", lengths[_i].value);
	ck_assert_int_eq(head_request_finish(&h), lengths[_i].length);
	ck_assert_uint_eq(head_count(&h), 0);
	head_clear(&h);
}
END_TEST

START_TEST(heads_are_bounded)
{
	struct head h;
	char name[16];
	int i;

	head_init(&h, 200, 100000);
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "x-%d", i);
		ck_assert_ptr_null(add(&h, name, "v"));
	}
	ck_assert_ptr_nonnull(add(&h, "one-more", "v"));
	ck_assert_uint_eq(head_count(&h), 200);
	head_clear(&h);
	ck_assert_uint_eq(head_count(&h), 0);
	head_init(&h, 200, 10);
	ck_assert_ptr_null(add(&h, "12345", "6789"));
	ck_assert_ptr_nonnull(add(&h, "1", "2"));
	ck_assert_ptr_null(add(&h, "1", ""));
	ck_assert_ptr_nonnull(head_response_add(&h, "1: x", 4));
	head_clear(&h);
	/* What was removed no longer counts. */
	ck_assert_ptr_null(add(&h, "te", "12345678"));
	(void)head_request_finish(&h);
	ck_assert_ptr_null(add(&h, "x", "123456789"));
	head_clear(&h);
}
END_TEST

/* --- answers -------------------------------------------------------------- */

static const char *
line(struct head *h, const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	const char *error;

	memcpy(copy, text, len);
	error = head_response_add(h, copy, len);
	free(copy);
	return error;
}

static const struct {
	const char *text;
	const char *name, *value; /* name NULL: refused */
} lines[] = {
    {"Content-Type: text/html\r\n", "content-type", "text/html"},
    {"X-A:b\n", "x-a", "b"},
    {"X-A:b", "x-a", "b"},
    {"x-a: \t b c \t\r\n", "x-a", "b c"},
    {"x-a:\r\n", "x-a", ""},
    {"X-A: \xe9t\xe9\r\n", "x-a", "\xc3\xa9t\xc3\xa9"},
    {"X-A: \xc3\xa9\r\n", "x-a", "\xc3\xa9"},
    {"X-A: \x80\xff\r\n", "x-a", "\xc2\x80\xc3\xbf"},
    {"X_a.!#$%&'*+-^`|~9: b\r\n", "x_a.!#$%&'*+-^`|~9", "b"},
    {" folded\r\n", NULL, NULL},
    {"\tfolded: x\r\n", NULL, NULL},
    {"no colon\r\n", NULL, NULL},
    {": no name\r\n", NULL, NULL},
    {"name : x\r\n", NULL, NULL},
    {"na me: x\r\n", NULL, NULL},
    {"x: a\rb\r\n", NULL, NULL},
    {"x: a\r\r\n", NULL, NULL},
    {"x: a\nb\r\n", NULL, NULL},
    {"\xe9: x\r\n", NULL, NULL},
    {"", NULL, NULL},
};

START_TEST(answer_lines_are_judged)
{
	struct head h;

	head_init(&h, 200, 65536);
	ck_assert_int_eq(
	    line(&h, lines[_i].text) == NULL, lines[_i].name != NULL);
	ck_assert_uint_eq(head_count(&h), lines[_i].name != NULL);
	if (lines[_i].name != NULL) {
		ck_assert_str_eq(head_field(&h, 0)->name, lines[_i].name);
		ck_assert_str_eq(value_of(&h, lines[_i].name), lines[_i].value);
	}
	ck_assert_ptr_nonnull(head_response_add(&h, "x: a\0b\r\n", 8));
	head_clear(&h);
}
END_TEST

START_TEST(answers_are_joined_and_stripped)
{
	struct head h;

	head_init(&h, 200, 65536);
	ck_assert_ptr_null(line(&h, "Vary: a\r\n"));
	ck_assert_ptr_null(line(&h, "Set-Cookie: one=1\r\n"));
	ck_assert_ptr_null(line(&h, "vary: b\r\n"));
	ck_assert_ptr_null(line(&h, "SET-COOKIE: two=2\r\n"));
	ck_assert_ptr_null(line(&h, "set-cookie: three=3\r\n"));
	ck_assert_ptr_null(line(&h, "Connection: X-Hop\r\n"));
	ck_assert_ptr_null(line(&h, "Connection: close\r\n"));
	ck_assert_ptr_null(line(&h, "X-Hop: x\r\n"));
	ck_assert_ptr_null(line(&h, "Transfer-Encoding: chunked\r\n"));
	ck_assert_ptr_null(line(&h, "Trailer: x\r\n"));
	ck_assert_ptr_null(line(&h, "Content-Length: 5\r\n"));
	ck_assert_ptr_null(line(&h, "VARY: \r\n"));
	ck_assert_uint_eq(head_response_finish(&h), 2);
	ck_assert_uint_eq(head_count(&h), 2);
	ck_assert_str_eq(value_of(&h, "vary"), "a, b, ");
	ck_assert_str_eq(value_of(&h, "set-cookie"), "one=1");
	ck_assert_int_eq(h.length, 5);
	ck_assert(!h.length_bad);
	head_clear(&h);
}
END_TEST

static const struct {
	const char *one, *two;
	int64_t length;
	bool bad;
} declared[] = {
    {"Content-Length: 5", NULL, 5, false},
    {"Content-Length: 5", "content-length: 5", 5, false},
    {"Content-Length: 5", "content-length: 6", 5, true},
    {"Content-Length: 5x", NULL, -1, true},
    {"Content-Length: 5", "content-length: x", 5, true},
    {"X: 5", NULL, -1, false},
};

START_TEST(lengths_of_answers_are_noted)
{
	struct head h;

	head_init(&h, 200, 65536);
	ck_assert_ptr_null(line(&h, declared[_i].one));
	if (declared[_i].two != NULL)
		ck_assert_ptr_null(line(&h, declared[_i].two));
	(void)head_response_finish(&h);
	ck_assert_int_eq(h.length, declared[_i].length);
	ck_assert_int_eq(h.length_bad, declared[_i].bad);
	head_clear(&h);
}
END_TEST

/* The statuses that Plug.Conn.Status names, 1xx apart. */
START_TEST(statuses_are_those_with_a_name)
{
	static const int named[] = {200, 201, 202, 203, 204, 205, 206, 207, 208,
	    226, 300, 301, 302, 303, 304, 305, 306, 307, 308, 400, 401, 402,
	    403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415,
	    416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451,
	    500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511};
	size_t i = 0, count = sizeof(named) / sizeof(named[0]);
	int status;

	for (status = -1; status < 1200; status++) {
		bool known = i < count && status == named[i];

		ck_assert_msg(head_status_known(status) == known, "%d", status);
		ck_assert_int_eq(head_status_is_bodiless(status),
		    status == 204 || status == 304);
		i += known;
	}
	ck_assert_uint_eq(i, count);
}
END_TEST

#define LOOP(tc, test, table) \
	tcase_add_loop_test(  \
	    tc, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("head");
	TCase *tc = tcase_create("head");
	SRunner *runner = srunner_create(suite);
	int failed;

	LOOP(tc, targets_are_encoded_once, targets);
	tcase_add_test(tc, every_byte_of_a_path_comes_back);
	LOOP(tc, request_fields_are_judged, fields);
	tcase_add_test(tc, a_hop_keeps_what_is_its_own);
	tcase_add_test(tc, several_connection_fields_count);
	LOOP(tc, a_length_is_a_number_or_none, lengths);
	tcase_add_test(tc, heads_are_bounded);
	LOOP(tc, answer_lines_are_judged, lines);
	tcase_add_test(tc, answers_are_joined_and_stripped);
	LOOP(tc, lengths_of_answers_are_noted, declared);
	tcase_add_test(tc, statuses_are_those_with_a_name);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
