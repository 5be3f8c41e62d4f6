/* SPDX-License-Identifier: MIT */
/* Unit tests of the texts with a form of their own: common/backend_url.h,
 * common/retry_on.h and common/path_limits.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend_url.h"
#include "path_limits.h"
#include "retry_on.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* --- BACKEND_URL ---------------------------------------------------------- */

static const struct {
	const char *text, *scheme, *host, *path;
	int port;
} urls[] = {
    {"http://app", "http", "app", "", 80},
    {"http://app:8080", "http", "app", "", 8080},
    {"HTTPS://app.example/", "https", "app.example", "", 443},
    {"https://[2001:db8::1]:8443", "https", "2001:db8::1", "", 8443},
    {"unix:/run/app.sock", "http", "localhost", "/run/app.sock", 80},
    {"unix:///run/app.sock", "http", "localhost", "/run/app.sock", 80},
};

START_TEST(good_urls)
{
	struct backend_url u;

	ck_assert_ptr_null(backend_url_parse(&u, urls[_i].text));
	ck_assert_str_eq(u.scheme, urls[_i].scheme);
	ck_assert_str_eq(u.host, urls[_i].host);
	ck_assert_str_eq(u.path, urls[_i].path);
	ck_assert_int_eq(u.port, urls[_i].port);
}
END_TEST

static const char *const bad_urls[] = {"", "app:8080", "ftp://app", "ws://app",
    "http://", "http://app:0", "http://app:99999", "http://user@app",
    "http://app/base", "http://app?x", "http://app/?x", "http://app/#f",
    "http://a b", "unix:", "unix:run/app.sock", "unix://", "unix:/",
    "unix://run/app.sock",
    "unix:/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

START_TEST(bad_urls_are_refused)
{
	struct backend_url u;

	ck_assert_msg(
	    backend_url_parse(&u, bad_urls[_i]) != NULL, "%s", bad_urls[_i]);
}
END_TEST

/* --- BACKEND_RETRY_ON ----------------------------------------------------- */

START_TEST(retry_words)
{
	struct retry_on r;

	ck_assert_ptr_null(retry_on_parse(&r, "connect , 503,5Xx"));
	ck_assert(r.connect && !r.cut && !r.timeout);
	ck_assert(retry_on_status(&r, 500) && retry_on_status(&r, 599));
	ck_assert_ptr_null(retry_on_parse(&r, "504"));
	ck_assert(!r.connect && !retry_on_status(&r, 503));
	ck_assert(retry_on_status(&r, 504) && !retry_on_status(&r, 404));
	ck_assert_ptr_null(retry_on_parse(&r, "cut,timeout"));
	ck_assert(r.cut && r.timeout);
}
END_TEST

static const char *const bad_retries[] = {"", ",", "5xx,", "404", "5x", "5555",
    "connect cut", "connection", "cut,,timeout"};

START_TEST(bad_retries_are_refused)
{
	struct retry_on r;

	ck_assert_msg(
	    retry_on_parse(&r, bad_retries[_i]) != NULL, "%s", bad_retries[_i]);
}
END_TEST

/* --- PATH_LIMITS ---------------------------------------------------------- */

static const struct path_limit *
find(const struct path_limits *p, const char *path)
{
	return path_limits_find(p, (const uint8_t *)path, strlen(path));
}

START_TEST(longest_prefix)
{
	static struct path_limits p;

	ck_assert_ptr_null(path_limits_parse(&p,
	    " /export timeout=2m response=500MiB;/export/small  response=1KiB;"
	    "/files/ timeout=5s; /a%20%3b%25 timeout=1s;"));
	ck_assert_uint_eq(p.count, 4);
	ck_assert_int_eq(find(&p, "/export")->timeout_ms, 120000);
	ck_assert_int_eq(find(&p, "/export/x")->response_max, 500 << 20);
	ck_assert_int_eq(find(&p, "/export/small")->response_max, 1024);
	ck_assert_int_eq(find(&p, "/export/small")->timeout_ms, 0);
	ck_assert_int_eq(find(&p, "/export/smaller")->timeout_ms, 120000);
	ck_assert_ptr_null(find(&p, "/exports"));
	ck_assert_ptr_null(find(&p, "/files"));
	ck_assert_int_eq(find(&p, "/files/")->timeout_ms, 5000);
	ck_assert_int_eq(find(&p, "/files/x")->timeout_ms, 5000);
	ck_assert_int_eq(find(&p, "/a ;%/x")->timeout_ms, 1000);
	ck_assert_ptr_null(find(&p, "/"));
	ck_assert_int_eq(path_limits_timeout_max(&p), 120000);
	ck_assert_ptr_null(path_limits_parse(&p, "/ timeout=1s"));
	ck_assert_int_eq(find(&p, "/any/thing")->timeout_ms, 1000);
}
END_TEST

static const char *const bad_limits[] = {"", ";", "export timeout=1s",
    "/export", "/export timeout", "/export timeout=", "/export timeout=1",
    "/export timeout=2h", "/export timeout=1s timeout=2s",
    "/export response=2GiB", "/export response=1", "/export size=1KiB",
    "/a timeout=1s;;/b timeout=1s", "/a timeout=1s; /a response=1KiB",
    "/a%2 timeout=1s", "/a%zz timeout=1s", "/a% timeout=1s"};

START_TEST(bad_limits_are_refused)
{
	static struct path_limits p;

	ck_assert_msg(path_limits_parse(&p, bad_limits[_i]) != NULL, "%s",
	    bad_limits[_i]);
}
END_TEST

START_TEST(limits_are_bounded)
{
	static struct path_limits p;
	static char text[8000], prefix[300];
	int i, n = 0;

	for (i = 0; i < PATH_LIMITS_MAX; i++)
		n += sprintf(text + n, "/p%d timeout=1s;", i);
	ck_assert_ptr_null(path_limits_parse(&p, text));
	(void)sprintf(text + n, "/more timeout=1s");
	ck_assert_ptr_nonnull(path_limits_parse(&p, text));
	memset(prefix, 'a', sizeof(prefix) - 1);
	prefix[0] = '/';
	prefix[PATH_LIMITS_PREFIX_MAX] = '\0';
	(void)sprintf(text, "%s timeout=1s", prefix);
	ck_assert_ptr_null(path_limits_parse(&p, text));
	prefix[PATH_LIMITS_PREFIX_MAX] = 'a';
	prefix[PATH_LIMITS_PREFIX_MAX + 1] = '\0';
	(void)sprintf(text, "%s timeout=1s", prefix);
	ck_assert_ptr_nonnull(path_limits_parse(&p, text));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("texts");
	TCase *tc = tcase_create("texts");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, good_urls, 0, COUNT(urls));
	tcase_add_loop_test(tc, bad_urls_are_refused, 0, COUNT(bad_urls));
	tcase_add_test(tc, retry_words);
	tcase_add_loop_test(tc, bad_retries_are_refused, 0, COUNT(bad_retries));
	tcase_add_test(tc, longest_prefix);
	tcase_add_loop_test(tc, bad_limits_are_refused, 0, COUNT(bad_limits));
	tcase_add_test(tc, limits_are_bounded);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
