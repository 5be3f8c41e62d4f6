/* SPDX-License-Identifier: MIT */
/* Unit tests of via_head.h and target.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "via_head.h"

static const struct {
	const char *head;
	size_t len; /* 0: not complete */
	int status;
} heads[] = {
    {"HTTP/1.1 200 Connection established\r\n\r\n", 39, 200},
    {"HTTP/1.0 200 OK\r\nx: y\r\n\r\n\x16\x03\x01", 25, 200},
    {"HTTP/1.1 407 Auth\n\nbody", 19, 407},
    {"HTTP/1.1 200\r\n\r\n", 16, 200},
    {"HTTP/1.1 999 \r\n\r\n", 17, 999},
    {"HTTP/1.1 200 OK\r\n", 0, 200},
    {"HTTP/1.1 200 OK\r\nx: y\r\n\r", 0, 200},
    {"HTTP/1.1 099 \r\n\r\n", 17, -1},
    {"HTTP/1.1 2000 \r\n\r\n", 18, -1},
    {"HTTP/1.1 20 OK\r\n\r\n", 18, -1},
    {"HTTP/2 200 OK\r\n\r\n", 17, -1},
    {"HTTP/1.2 200 OK\r\n\r\n", 19, -1},
    {"HTTP/1.1  200 OK\r\n\r\n", 20, -1},
    {"SSH-2.0-OpenSSH_9.2\r\n\r\n", 23, -1},
    {"\r\n\r\n", 4, -1},
    {"", 0, -1},
};

START_TEST(heads_are_found_and_judged)
{
	const char *head = heads[_i].head;
	size_t len = strlen(head);

	ck_assert_uint_eq(via_head_len(head, len), heads[_i].len);
	ck_assert_int_eq(via_head_status(head, len), heads[_i].status);
}
END_TEST

START_TEST(a_head_is_found_at_its_last_byte)
{
	static const char head[] = "HTTP/1.1 200 OK\r\na: b\r\n\r\n";
	size_t i;

	for (i = 0; i < sizeof(head) - 1; i++)
		ck_assert_uint_eq(via_head_len(head, i), 0);
	ck_assert_uint_eq(via_head_len(head, i), i);
}
END_TEST

START_TEST(the_token_is_encoded)
{
	struct url url;
	char *target;

	ck_assert_ptr_null(url_parse(&url, "ws://h/a/b?c=d"));
	target = target_make(&url, "aZ0-._~+/=% \xc3");
	ck_assert_str_eq(
	    target, "/a/b?c=d&token=aZ0-._~%2B%2F%3D%25%20%C3&vsn=2.0.0");
	free(target);
	ck_assert_ptr_null(url_parse(&url, "ws://h"));
	target = target_make(&url, "");
	ck_assert_str_eq(target, "/?token=&vsn=2.0.0");
	free(target);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("via_head");
	TCase *tc = tcase_create("via_head");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, heads_are_found_and_judged, 0,
	    (int)(sizeof(heads) / sizeof(heads[0])));
	tcase_add_test(tc, a_head_is_found_at_its_last_byte);
	tcase_add_test(tc, the_token_is_encoded);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
