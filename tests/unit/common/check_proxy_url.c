/* SPDX-License-Identifier: MIT */
/* Unit tests of proxy_url.h, pin.h and base64.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "pin.h"
#include "proxy_url.h"

static const struct {
	const char *text;
	const char *host, *user; /* host NULL: refused */
	uint16_t port;
} proxies[] = {
    {"http://p:3128", "p", "", 3128},
    {"http://p", "p", "", 80},
    {"HTTP://p:1/", "p", "", 1},
    {"p:3128", "p", "", 3128},
    {"p", "p", "", 80},
    {"http://[2001:db8::1]:8080", "2001:db8::1", "", 8080},
    {"http://u:w@p:1", "p", "u:w", 1},
    {"u:w@p:1", "p", "u:w", 1},
    {"http://u@p:1", "p", "u:", 1},
    {"http://:w@p:1", "p", ":w", 1},
    {"http://us%65r:p%40s%3As%25@p:1", "p", "user:p@s:s%", 1},
    {"http://u:a:b@p:1", "p", "u:a:b", 1},
    {"http://u:a@b@p:1", "p", "u:a@b", 1},
    {"http://u:%C3%A9@p:1", "p", "u:\xc3\xa9", 1},
    {.text = ""},
    {.text = "http://"},
    {.text = "http://:80"},
    {.text = "http://u:w@"},
    {.text = "https://p:443"},
    {.text = "socks5://p:1080"},
    {.text = "http://p:0"},
    {.text = "http://p:65536"},
    {.text = "http://p:x"},
    {.text = "http://p/path"},
    {.text = "http://p?q"},
    {.text = "http://p#f"},
    {.text = "http://p q:1"},
    {.text = "http://u%3Av:w@p:1"}, /* RFC 7617 §2 */
    {.text = "http://u:w%0d%0aX: y@p:1"},
    {.text = "http://u:w%00@p:1"},
    {.text = "http://u:w%4@p:1"},
    {.text = "http://u:w%zz@p:1"},
};

START_TEST(proxies_are_taken_apart)
{
	struct proxy_url p;
	const char *error = proxy_url_parse(&p, proxies[_i].text);

	if (proxies[_i].host == NULL) {
		ck_assert_msg(error != NULL, "%s", proxies[_i].text);
		return;
	}
	ck_assert_msg(error == NULL, "%s: %s", proxies[_i].text, error);
	ck_assert_str_eq(p.host, proxies[_i].host);
	ck_assert_str_eq(p.user, proxies[_i].user);
	ck_assert_uint_eq(p.port, proxies[_i].port);
}
END_TEST

START_TEST(long_ones_are_refused)
{
	char text[2048];
	struct proxy_url p;
	size_t len;

	for (len = 400; len < 1200; len++) {
		memset(text, 'a', len);
		memcpy(text + len, ":w@p:1", 7);
		ck_assert_int_eq(proxy_url_parse(&p, text) == NULL, len < 510);
		memcpy(text, "u:", 2);
		memcpy(text + len, "@p:1", 5);
		ck_assert_int_eq(proxy_url_parse(&p, text) == NULL, len < 512);
	}
}
END_TEST

static const struct {
	const char *list, *host;
	bool exempt;
} exemptions[] = {
    {"", "example.com", false},
    {"*", "example.com", true},
    {"*,x", "example.com", false}, /* only alone */
    {"*.example.com", "www.example.com", false},
    {"example.com", "example.com", true},
    {"example.com", "EXAMPLE.com", true},
    {"Example.Com", "example.com", true},
    {"example.com", "www.example.com", true},
    {"example.com", "a.b.example.com", true},
    {".example.com", "www.example.com", true},
    {".example.com", "example.com", true},
    {"example.com.", "example.com", true},
    {"example.com", "example.com.", true},
    {"example.com", "notexample.com", false},
    {"www.example.com", "example.com", false},
    {"com", "example.com", true},
    {"a,b, example.com ,c", "example.com", true},
    {"a b\texample.com", "example.com", true},
    {",, ,example.com", "example.com", true},
    {"localhost", "127.0.0.1", false},
    {"127.0.0.1", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.11", false},
    {"0.0.1", "127.0.0.1", false}, /* not a suffix */
    {"10.0.0.0/8", "10.255.1.2", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"192.168.1.128/25", "192.168.1.200", true},
    {"192.168.1.128/25", "192.168.1.100", false},
    {"192.168.1.77/32", "192.168.1.77", true},
    {"0.0.0.0/0", "192.0.2.1", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"0.0.0.0/0", "example.com", false},
    {"10.0.0.0/33", "10.0.0.0", false},
    {"10.0.0.0/", "10.0.0.0", false},
    {"10.0.0.0/x", "10.0.0.0", false},
    {"10.0.0.0/-1", "10.0.0.0", false},
    {"2001:db8::/32", "2001:db8:1::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"::1", "::1", true},
    {"[::1]", "::1", true},
    {"0:0:0:0:0:0:0:1", "::1", true},
    {"[]", "example.com", false},
    {".", "example.com", false},
    {"..", "example.com", false},
};

START_TEST(exemptions_are_curls)
{
	ck_assert_msg(proxy_url_is_exempt(exemptions[_i].list,
			  exemptions[_i].host) == exemptions[_i].exempt,
	    "%s in \"%s\"", exemptions[_i].host, exemptions[_i].list);
}
END_TEST

START_TEST(long_entries_are_passed_over)
{
	char list[1024];

	memset(list, 'a', 900);
	memcpy(list + 900, ",example.com", 13);
	ck_assert(proxy_url_is_exempt(list, "example.com"));
}
END_TEST

/* As in RFC 4648 §10. */
START_TEST(base64_is_that_of_the_rfc)
{
	static const struct {
		const char *plain, *coded;
	} t[] = {
	    {"", ""},
	    {"f", "Zg=="},
	    {"go", "Z28="},
	    {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="},
	    {"foobar", "Zm9vYmFy"},
	    {"\xff\xfe\xfb", "//77"},
	};
	char space[16];
	size_t i, len;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		len = strlen(t[i].coded);
		ck_assert(base64_encode(space, len + 1,
		    (const uint8_t *)t[i].plain, strlen(t[i].plain)));
		ck_assert_str_eq(space, t[i].coded);
		ck_assert(!base64_encode(space, len,
		    (const uint8_t *)t[i].plain, strlen(t[i].plain)));
	}
}
END_TEST

#define PIN_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_F "//////////////////////////////////////////8="

START_TEST(pins_are_taken_apart)
{
	uint8_t pins[PIN_MAX][PIN_LEN], zero[PIN_LEN] = {0}, ones[PIN_LEN];
	char many[PIN_MAX * 45 + 46] = "";
	int i;

	memset(ones, 0xff, sizeof(ones));
	ck_assert_int_eq(pin_parse(pins, ""), 0);
	ck_assert_int_eq(pin_parse(pins, "  "), 0);
	ck_assert_int_eq(pin_parse(pins, PIN_A), 1);
	ck_assert_int_eq(
	    pin_parse(pins, " sha256/" PIN_A " ,\tsha256//" PIN_F " "), 2);
	ck_assert_mem_eq(pins[0], zero, PIN_LEN);
	ck_assert_mem_eq(pins[1], ones, PIN_LEN);
	for (i = 0; i < PIN_MAX; i++)
		(void)strcat(strcat(many, i > 0 ? "," : ""), PIN_A);
	ck_assert_int_eq(pin_parse(pins, many), PIN_MAX);
	ck_assert_int_eq(pin_parse(pins, strcat(many, "," PIN_A)), -1);
}
END_TEST

START_TEST(what_is_no_pin_is_refused)
{
	static const char *const bad[] = {
	    "x",
	    ",",
	    PIN_A ",",
	    "," PIN_A,
	    PIN_A PIN_A,
	    PIN_A " " PIN_A,
	    "sha1/" PIN_A,
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", /* bits left */
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
	    "-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	};
	uint8_t pins[PIN_MAX][PIN_LEN];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(pin_parse(pins, bad[i]) == -1, "%s", bad[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("proxy_url");
	TCase *tc = tcase_create("proxy_url");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, proxies_are_taken_apart, 0,
	    (int)(sizeof(proxies) / sizeof(proxies[0])));
	tcase_add_test(tc, long_ones_are_refused);
	tcase_add_loop_test(tc, exemptions_are_curls, 0,
	    (int)(sizeof(exemptions) / sizeof(exemptions[0])));
	tcase_add_test(tc, long_entries_are_passed_over);
	tcase_add_test(tc, base64_is_that_of_the_rfc);
	tcase_add_test(tc, pins_are_taken_apart);
	tcase_add_test(tc, what_is_no_pin_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
