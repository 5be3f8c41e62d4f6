/* SPDX-License-Identifier: MIT */
/* Unit tests of common/cidr.h, common/rate_value.h and common/siphash.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "rate_value.h"
#include "siphash.h"
#include "util.h"

static const struct {
	const char *list, *addr;
	bool has;
} rows[] = {
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"10.0.0.0/8", "::10.1.2.3", false},
    {"10.0.0.0/8", "a00::1", false},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"192.0.2.128/25", "192.0.2.128", true},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"0.0.0.0/0", "255.1.2.3", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "192.0.2.1", false},
    {"::/0", "::ffff:192.0.2.1", false},
    {"::ffff:0:0/96", "192.0.2.1", true},
    {"::ffff:192.0.2.0/120", "192.0.2.200", true},
    {"::ffff:192.0.2.0/120", "192.0.3.0", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"2001:db8::1", "2001:db8::1", true},
    {"2001:db8::1", "2001:db8::2", false},
    {"192.0.2.1, 2001:db8::/32 198.51.100.0/24", "198.51.100.9", true},
    {"192.0.2.1,,2001:db8::/32,", "2001:db8:ffff::", true},
};

START_TEST(covers)
{
	struct cidr_list l;
	struct cidr_addr a;

	ck_assert_ptr_null(cidr_list_parse(&l, rows[_i].list));
	ck_assert(cidr_addr_parse(&a, rows[_i].addr));
	ck_assert_msg(cidr_list_has(&l, &a) == rows[_i].has, "%s in %s",
	    rows[_i].addr, rows[_i].list);
}
END_TEST

static const char *const bad[] = {"", ",", "10.0.0.1/8", "10.0.0.0/33",
    "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "10.0.0.0/ 8", "10/8", "host",
    "2001:db8::1/64", "2001:db8::/129", "::ffff:10.0.0.0/90", "[::1]",
    "10.0.0.0/8/8", "1.2.3.4.5", "010.0.0.1", "10.0.0.0/99999999999",
    "fe80::1%eth0"};

START_TEST(refuses)
{
	struct cidr_list l;

	ck_assert_msg(cidr_list_parse(&l, bad[_i]) != NULL, "%s", bad[_i]);
}
END_TEST

START_TEST(how_many)
{
	char text[300 * 9] = "";
	struct cidr_list l;
	int i;

	for (i = 0; i < CIDR_LIST_MAX; i++)
		(void)util_strlcpy(text + strlen(text), "10.0.0.0 ",
		    sizeof(text) - strlen(text));
	ck_assert_ptr_null(cidr_list_parse(&l, text));
	ck_assert_uint_eq(l.count, CIDR_LIST_MAX);
	(void)util_strlcpy(
	    text + strlen(text), "::1", sizeof(text) - strlen(text));
	ck_assert_ptr_nonnull(cidr_list_parse(&l, text));
}
END_TEST

START_TEST(rate_texts)
{
	static const struct {
		const char *text;
		int64_t count, per_ms; /* -1: a fault */
	} rates[] = {{"0", 0, 1000}, {"100", 100, 1000}, {"5/s", 5, 1000},
	    {"60/m", 60, 60000}, {"1000000/h", 1000000, 3600000},
	    {"1000001", -1, 0}, {"99999999999999999999", -1, 0}, {"", -1, 0},
	    {"/s", -1, 0}, {"1/d", -1, 0}, {"1 /s", -1, 0}, {"-1", -1, 0},
	    {"1.5", -1, 0}, {"1/ss", -1, 0}};
	struct rate_value v;
	size_t i;

	for (i = 0; i < UTIL_COUNT(rates); i++) {
		const char *fault = rate_value_parse(&v, rates[i].text);

		ck_assert_msg((fault == NULL) == (rates[i].count >= 0), "%s",
		    rates[i].text);
		if (fault != NULL)
			continue;
		ck_assert_int_eq(v.count, rates[i].count);
		ck_assert_int_eq(v.per_ms, rates[i].per_ms);
	}
}
END_TEST

/* The vectors of the paper's appendix A and of the reference code. */
START_TEST(sip)
{
	uint8_t key[SIPHASH_KEY_LEN], data[15];
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	ck_assert(siphash(key, data, 15) == 0xa129ca6149be45e5);
	ck_assert(siphash(key, data, 0) == 0x726fdb47dd0e0e31);
	ck_assert(siphash(key, data, 8) == 0x93f5f5799a932462);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cidr");
	TCase *t = tcase_create("cidr");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, covers, 0, (int)UTIL_COUNT(rows));
	tcase_add_loop_test(t, refuses, 0, (int)UTIL_COUNT(bad));
	tcase_add_test(t, how_many);
	tcase_add_test(t, rate_texts);
	tcase_add_test(t, sip);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
