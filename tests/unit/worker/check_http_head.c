/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/http_head.h: which requests are taken. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "http_head.h"
#include "util.h"

static const struct {
	const char *data;
	int status;
} heads[] = {
    {"GET / HTTP/1.1\r\n\r\n", 200},
    {"GET / HTTP/1.0\r\n\r\n", 200},
    {"GET /a?b HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n", 200},
    {"HEAD / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 200},
    {"", 0},
    {"GET / HTTP/1.1\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r", 0},
    {"POST / HTTP/1.1\r\n\r\n", 405},
    {"get / HTTP/1.1\r\n\r\n", 405},
    {"GETS / HTTP/1.1\r\n\r\n", 405},
    {"GE\tT / HTTP/1.1\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n\r\n", 400},
    {"GET / a HTTP/1.1\r\n\r\n", 400},
    {"GET * HTTP/1.1\r\n\r\n", 400},
    {"GET http://x/ HTTP/1.1\r\n\r\n", 400},
    {"GET /\x80 HTTP/1.1\r\n\r\n", 400},
    {"GET /\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\n\r\n", 400},
    {"GET / http/1.1\r\n\r\n", 400},
    {"GET / HTTP/2.0\r\n\r\n", 505},
    {" / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n: x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nA : x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n folded\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\ncontent-LENGTH: 1\r\n\r\n", 413},
    {"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 413},
    {"GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 413},
    {"GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400},
    {"\r\n\r\n", 400},
};

START_TEST(each_head_has_its_status)
{
	const char *data = heads[_i].data;
	struct http_head head;
	int status;

	status = http_head_parse((const uint8_t *)data, strlen(data), &head);
	ck_assert_msg(status == heads[_i].status, "%s: %d, want %d", data,
	    status, heads[_i].status);
}
END_TEST

START_TEST(path_and_query_come_apart)
{
	static const char data[] = "HEAD /a/b?c=d?e HTTP/1.1\r\n\r\nGET";
	struct http_head head;

	ck_assert_int_eq(
	    http_head_parse((const uint8_t *)data, sizeof(data) - 1, &head),
	    200);
	ck_assert(head.is_head);
	ck_assert_str_eq(head.path, "/a/b");
	ck_assert_str_eq(head.query, "c=d?e");
}
END_TEST

/* --- who is meant --------------------------------------------------------- */

static const struct {
	const char *host;
	bool local;
} hosts[] = {
    {"localhost", true},
    {"LocalHost:9090", true},
    {"127.0.0.1", true},
    {"127.0.0.1:9090", true},
    {"127.8.9.1:1", true},
    {"[::1]", true},
    {"[::1]:9090", true},
    {"", false},
    {":9090", false},
    {"localhost.", false},
    {"localhost.example", false},
    {"example.localhost", false},
    {"127.0.0.1.example", false},
    {"127.0.0.1:80.example", false},
    {"127.0.0.1:9090:1", false},
    {"localhost:9090@example", false},
    {"example@localhost", false},
    {"128.0.0.1", false},
    {"0.0.0.0", false},
    {"2130706433", false},
    {"::1", false},
    {"[::1", false},
    {"[::1]x", false},
    {"[::1].example", false},
    {"[::1]:x", false},
    {"[127.0.0.1]", false},
    {"[localhost]", false},
    {"[::2]", false},
    {"[]", false},
};

START_TEST(only_loopback_is_local)
{
	char data[256];
	struct http_head head;

	(void)util_fmt(data, sizeof(data),
	    "GET / HTTP/1.1\r\nHOST:\t %s \r\nA: b\r\n\r\n", hosts[_i].host);
	ck_assert_int_eq(
	    http_head_parse((const uint8_t *)data, strlen(data), &head), 200);
	ck_assert(head.has_host);
	ck_assert_str_eq(head.host, hosts[_i].host);
	ck_assert_msg(
	    http_head_is_local(&head) == hosts[_i].local, "%s", hosts[_i].host);
}
END_TEST

START_TEST(no_host_is_not_local)
{
	static const char data[] = "GET / HTTP/1.0\r\n\r\n";
	static const char nul[] =
	    "GET / HTTP/1.1\r\nHost: localhost\0x\r\n\r\n";
	struct http_head head;

	memset(&head, 'x', sizeof(head));
	ck_assert_int_eq(
	    http_head_parse((const uint8_t *)data, sizeof(data) - 1, &head),
	    200);
	ck_assert(!head.has_host);
	ck_assert(!http_head_is_local(&head));
	ck_assert_int_eq(
	    http_head_parse((const uint8_t *)nul, sizeof(nul) - 1, &head), 400);
}
END_TEST

START_TEST(what_is_long_is_refused)
{
	static const char before[] = "GET /", after[] = " HTTP/1.1\r\n\r\n";
	uint8_t data[HTTP_HEAD_MAX];
	struct http_head head;
	size_t n = HTTP_PATH_MAX - 1;
	int i;

	for (i = 0; i < 2; i++, n++) {
		size_t at = sizeof(before) - 1;

		memset(data, 'x', sizeof(data));
		memcpy(data, before, at);
		memcpy(data + at + n - 1, after, sizeof(after) - 1);
		ck_assert_int_eq(http_head_parse(data,
				     at + n - 1 + sizeof(after) - 1, &head),
		    i == 0 ? 200 : 414);
	}
	memset(data, 'x', sizeof(data));
	ck_assert_int_eq(http_head_parse(data, sizeof(data) - 1, &head), 0);
	ck_assert_int_eq(http_head_parse(data, sizeof(data), &head), 431);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("http_head");
	TCase *tc = tcase_create("http_head");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tc, each_head_has_its_status, 0, (int)UTIL_COUNT(heads));
	tcase_add_test(tc, path_and_query_come_apart);
	tcase_add_loop_test(
	    tc, only_loopback_is_local, 0, (int)UTIL_COUNT(hosts));
	tcase_add_test(tc, no_host_is_not_local);
	tcase_add_test(tc, what_is_long_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
