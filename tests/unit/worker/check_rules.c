/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/rules, and of the parts of head.h that it stands on:
 * paths, and who the client is. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "util.h"

static struct conf conf;

static void
setup(void)
{
	conf_init(&conf);
}

static void
teardown(void)
{
	conf_clear(&conf);
}

static void
set(enum conf_id id, const char *text)
{
	char copy[2048];

	(void)util_strlcpy(copy, text, sizeof(copy));
	ck_assert_int_eq(conf_set(&conf, id, copy, CONF_FILE, "here"), 0);
}

static struct rules *
compile(void)
{
	struct rules *r = rules_create(&conf);

	ck_assert_ptr_nonnull(r);
	return r;
}

static struct json_str
str(const char *s)
{
	return (struct json_str){(uint8_t *)(uintptr_t)s, strlen(s)};
}

static void
add(struct head *h, const char *name, const char *value)
{
	ck_assert_ptr_null(head_request_add(h, str(name), str(value)));
}

/* "name=value; …" in order. */
static const char *
describe(const struct head *h)
{
	static char out[4096];
	size_t i, n;

	out[0] = '\0';
	for (i = 0; i < head_count(h); i++) {
		n = strlen(out);
		ck_assert(util_fmt(out + n, sizeof(out) - n, "%s%s=%s",
		    i > 0 ? "; " : "", head_field(h, i)->name,
		    head_field(h, i)->value));
		ck_assert_uint_eq(
		    head_field(h, i)->len, strlen(head_field(h, i)->value));
	}
	return out;
}

/* --- heads ---------------------------------------------------------------- */

static const struct {
	const char *host, *trust, *via;
	const char *want;
} requests[] = {
    {"backend", "relay", "off",
	"x-forwarded-for=1; Forwarded=for=2; via=1.0 a; x-a=b"},
    {"pass", "on", "off",
	"Host=h; x-forwarded-for=1; Forwarded=for=2; via=1.0 a; x-a=b"},
    {"name:1", "off", "t", "via=1.0 a, 1.1 t; x-a=b; host=name:1"},
    {"backend", "3", "t",
	"x-forwarded-for=1; Forwarded=for=2; via=1.0 a, 1.1 t; x-a=b"},
};

START_TEST(requests_follow_the_rules)
{
	struct rules *r;
	struct head h;

	set(CONF_HOST_HEADER, requests[_i].host);
	set(CONF_TRUST_FORWARDED, requests[_i].trust);
	set(CONF_VIA, requests[_i].via);
	r = compile();
	head_init(&h, 20, 1000);
	add(&h, "Host", "h");
	add(&h, "x-forwarded-for", "1");
	add(&h, "Forwarded", "for=2");
	add(&h, "via", "1.0 a");
	add(&h, "x-a", "b");
	ck_assert_ptr_null(rules_request(r, &h));
	ck_assert_str_eq(describe(&h), requests[_i].want);
	head_clear(&h);
	rules_free(r);
}
END_TEST

START_TEST(forged_names_go_in_every_spelling)
{
	static const char *const gone[] = {"X-Forwarded-For", "x_forwarded_for",
	    "X-FORWARDED-PROTO", "x-forwarded-anything", "X-Forwarded",
	    "forwarded", "X-Real-IP", "x_real_ip", "true-client-ip",
	    "cf-connecting-ip", "x-client-ip"};
	struct rules *r;
	struct head h;
	size_t i;

	set(CONF_TRUST_FORWARDED, "off");
	r = compile();
	head_init(&h, 40, 4000);
	for (i = 0; i < UTIL_COUNT(gone); i++)
		add(&h, gone[i], "192.0.2.1");
	add(&h, "x-forward", "kept");
	add(&h, "x-real-ips", "kept");
	ck_assert_ptr_null(rules_request(r, &h));
	ck_assert_str_eq(describe(&h), "x-forward=kept; x-real-ips=kept");
	head_clear(&h);
	rules_free(r);
}
END_TEST

START_TEST(lists_remove_and_then_add)
{
	struct rules *r;
	struct head h;

	set(CONF_ADD_REQUEST_HEADERS, "X-Key: k | X-Gone: back");
	set(CONF_REMOVE_REQUEST_HEADERS, "x-gone, X-P-*");
	set(CONF_ADD_RESPONSE_HEADERS, "X-Frame-Options: DENY");
	set(CONF_REMOVE_RESPONSE_HEADERS, "server");
	r = compile();
	head_init(&h, 20, 1000);
	add(&h, "x_key", "forged");
	add(&h, "X-GONE", "1");
	add(&h, "x-p-1", "1");
	add(&h, "x-p", "kept");
	ck_assert_ptr_null(rules_request(r, &h));
	ck_assert_str_eq(describe(&h), "x-p=kept; X-Key=k; X-Gone=back");
	head_clear(&h);
	head_init(&h, 20, 1000);
	ck_assert_ptr_null(head_response_add(&h, "Server: s", 9));
	ck_assert_ptr_null(head_response_add(&h, "X-Key: s", 8));
	ck_assert_ptr_null(head_response_add(&h, "X-Frame-Options: ALLOW", 22));
	ck_assert_ptr_null(rules_response(r, &h));
	ck_assert_str_eq(describe(&h), "x-key=s; x-frame-options=DENY");
	head_clear(&h);
	/* What does not fit is said, not cut. */
	head_init(&h, 1, 1000);
	ck_assert_ptr_nonnull(rules_request(r, &h));
	head_clear(&h);
	rules_free(r);
}
END_TEST

START_TEST(a_host_that_passes_is_one)
{
	static const char *const bad[] = {
	    "a b", "a/b", "u@h", "", "a\\b", "\xc3\xa9"};
	struct rules *r;
	struct head h;
	size_t i;

	set(CONF_HOST_HEADER, "pass");
	r = compile();
	for (i = 0; i < UTIL_COUNT(bad); i++) {
		head_init(&h, 20, 1000);
		add(&h, "host", bad[i]);
		ck_assert_ptr_nonnull(rules_request(r, &h));
		head_clear(&h);
	}
	head_init(&h, 20, 1000);
	add(&h, "host", "a");
	add(&h, "HOST", "a");
	ck_assert_ptr_nonnull(rules_request(r, &h));
	head_clear(&h);
	rules_free(r);
}
END_TEST

static const struct {
	const char *trust;
	unsigned hops;
} trusts[] = {{"off", 0}, {"relay", 0}, {"on", 1}, {"2", 2}, {"8", 8}};

START_TEST(trusted_hops_are_counted)
{
	struct rules *r;

	set(CONF_TRUST_FORWARDED, trusts[_i].trust);
	r = compile();
	ck_assert_uint_eq(rules_trusted_hops(r), trusts[_i].hops);
	rules_free(r);
}
END_TEST

START_TEST(cookies_are_refused_on_request)
{
	struct rules *r = compile();

	ck_assert(!rules_refuses_cookies(r));
	rules_free(r);
	set(CONF_SET_COOKIE_OVERFLOW, "refuse");
	r = compile();
	ck_assert(rules_refuses_cookies(r));
	rules_free(r);
	rules_free(NULL);
}
END_TEST

/* --- methods and paths ---------------------------------------------------- */

static const struct {
	const char *allow, *deny, *path;
	bool admitted;
} paths[] = {
    {"", "", "/anything", true},
    {"/", "", "/anything", true},
    {"/", "", "", true},
    {"/a", "", "", false},
    {"/a", "", "/a", true},
    {"/a", "", "/a/", true},
    {"/a", "", "/a/b", true},
    {"/a", "", "/ab", false},
    {"/a", "", "/A", false},
    {"/a, /b", "", "/b/c", true},
    {"/a", "", "/b/../a", false},
    {"/a", "", "/a/../b", false},
    {"/a", "", "/a/../a/b", true},
    {"", "/", "/x", false},
    {"", "/", "", false},
    {"", "/a", "/b", true},
    {"", "/a", "/ab", true},
    {"", "/a", "/a", false},
    {"", "/a", "/a/../b", false},
    {"", "/a", "/b/../a/c", false},
    {"", "/a/b", "/a//b", false},
    {"", "/a/b", "/a/./b", false},
    {"", "/a/b", "/a;x/b;y=/c", false},
    {"", "/a/b", "/a\\b", false},
    {"", "/a/b", "/a/c", true},
    {"/a", "/a/b", "/a/b/c", false},
    {"/a", "/a/b", "/a/bc", true},
};

START_TEST(paths_are_judged_in_both_readings)
{
	struct rules_refusal why;
	struct rules *r;

	set(CONF_ALLOW_PATHS, paths[_i].allow);
	set(CONF_DENY_PATHS, paths[_i].deny);
	r = compile();
	ck_assert_int_eq(rules_admit(r, "GET", str(paths[_i].path), &why),
	    paths[_i].admitted);
	if (!paths[_i].admitted) {
		ck_assert_int_eq(why.status, 403);
		ck_assert_str_eq(why.code, "path_not_allowed");
		ck_assert_ptr_null(why.field);
	}
	rules_free(r);
}
END_TEST

START_TEST(methods_are_judged)
{
	struct rules_refusal why;
	struct rules *r = compile();

	ck_assert(rules_admit(r, "ANY", str("/"), &why));
	rules_free(r);
	set(CONF_ALLOW_METHODS, "GET,POST");
	r = compile();
	ck_assert(rules_admit(r, "POST", str("/"), &why));
	ck_assert(!rules_admit(r, "post", str("/"), &why));
	ck_assert_int_eq(why.status, 405);
	ck_assert_str_eq(why.code, "method_not_allowed");
	ck_assert_str_eq(why.field, "allow: GET, POST");
	rules_free(r);
}
END_TEST

static const struct {
	const char *path, *clean;
	bool ok;
} cleaned[] = {
    {"", "", true},
    {"/", "", true},
    {"/a/b/", "/a/b", true},
    {"/a//b/./c/../d", "/a/b/d", true},
    {"/a;x=1/b;y", "/a/b", true},
    {"/a\\b", "/a/b", true},
    {"/a/..", "", true},
    {"/a/b/../..", "", true},
    {"/...", "/...", true},
    {"/a;/..;/b", "/b", true},
    {"/..", "", false},
    {"/.", "", true},
    {"/./..", "", false},
    {"/a/../..", "", false},
    {"/a//../..", "", false},
    {"/..;", "", false},
    {"/\\..", "", false},
    {"//a", "/a", false},
    {"/\\a", "/a", false},
    {"a", "/a", false},
    {"/a\x1f", "/a\x1f", false},
    {"/\x7f", "/\x7f", false},
    {"/a\xc3\xa9", "/a\xc3\xa9", true},
};

START_TEST(paths_as_a_lenient_application_reads_them)
{
	struct buf b;

	ck_assert_int_eq(
	    head_path_fault(str(cleaned[_i].path)) == NULL, cleaned[_i].ok);
	buf_init(&b, 100);
	ck_assert_int_eq(head_path_clean(&b, str(cleaned[_i].path)), 0);
	ck_assert_uint_eq(b.len, strlen(cleaned[_i].clean));
	ck_assert(b.len == 0 || memcmp(b.data, cleaned[_i].clean, b.len) == 0);
	buf_clear(&b);
}
END_TEST

/* --- who the client is ---------------------------------------------------- */

static const struct {
	const char *name, *value;
	unsigned hops;
	const char *client; /* NULL: unknown */
} clients[] = {
    {"X-Forwarded-For", "192.0.2.1", 0, NULL},
    {"X-Forwarded-For", "192.0.2.1", 1, "192.0.2.1"},
    {"X-Forwarded-For", "192.0.2.1", 2, NULL},
    {"x-forwarded-for", "198.51.100.9, 192.0.2.1", 1, "192.0.2.1"},
    {"x-forwarded-for", "198.51.100.9 ,\t192.0.2.1", 2, "198.51.100.9"},
    {"x-forwarded-for", "a, b, 192.0.2.1, c", 2, "192.0.2.1"},
    {"x-forwarded-for", "192.0.2.1,", 1, NULL},
    {"x-forwarded-for", "192.0.2.1:4711", 1, "192.0.2.1"},
    {"x-forwarded-for", "2001:DB8::0:1", 1, "2001:db8::1"},
    {"x-forwarded-for", "[2001:db8::1]", 1, "2001:db8::1"},
    {"x-forwarded-for", "[2001:db8::1]:80", 1, "2001:db8::1"},
    {"x-forwarded-for", "[2001:db8::1", 1, NULL},
    {"x-forwarded-for", "unknown", 1, NULL},
    {"x-forwarded-for", "192.0.2.256", 1, NULL},
    {"x-forwarded-for", "", 1, NULL},
    {"x-forwarded-for",
	"11111111111111111111111111111111111111111111111111111111111111", 1,
	NULL},
    {"Forwarded", "for=192.0.2.1", 1, "192.0.2.1"},
    {"Forwarded", "proto=https; FOR=192.0.2.1 ;by=x", 1, "192.0.2.1"},
    {"forwarded", "for=192.0.2.1, for=\"[2001:db8::1]:80\"", 1, "2001:db8::1"},
    {"forwarded", "for=192.0.2.1;x=\"a,\\\",b\", for=198.51.100.9", 2,
	"192.0.2.1"},
    {"forwarded", "for=_hidden", 1, NULL},
    {"forwarded", "by=192.0.2.1", 1, NULL},
    {"x-other", "192.0.2.1", 1, NULL},
};

START_TEST(clients_are_counted_from_the_right)
{
	char client[HEAD_CLIENT_MAX] = "";
	struct head h;

	head_init(&h, 20, 1000);
	add(&h, clients[_i].name, clients[_i].value);
	ck_assert_int_eq(head_client(&h, clients[_i].hops, client),
	    clients[_i].client != NULL);
	if (clients[_i].client != NULL)
		ck_assert_str_eq(client, clients[_i].client);
	/* X-Forwarded-For has the word where both are there. */
	add(&h, "x-forwarded-for", "203.0.113.7");
	if (_i > 15) {
		ck_assert(head_client(&h, 1, client));
		ck_assert_str_eq(client, "203.0.113.7");
	}
	head_clear(&h);
}
END_TEST

#define LOOP(tc, test, table) \
	tcase_add_loop_test(tc, test, 0, (int)UTIL_COUNT(table))

int
main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = tcase_create("rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, requests_follow_the_rules, requests);
	tcase_add_test(tc, forged_names_go_in_every_spelling);
	tcase_add_test(tc, lists_remove_and_then_add);
	tcase_add_test(tc, a_host_that_passes_is_one);
	LOOP(tc, trusted_hops_are_counted, trusts);
	tcase_add_test(tc, cookies_are_refused_on_request);
	LOOP(tc, paths_are_judged_in_both_readings, paths);
	tcase_add_test(tc, methods_are_judged);
	LOOP(tc, paths_as_a_lenient_application_reads_them, cleaned);
	LOOP(tc, clients_are_counted_from_the_right, clients);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
