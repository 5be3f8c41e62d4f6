/* SPDX-License-Identifier: MIT */
/* Unit tests of seal.h, against values made with other tools. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"

#define SECRET \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
/* "a.b.c" sealed with SECRET's key and the nonce 1, 2, … 12: the key by
 * Python's hashlib.pbkdf2_hmac, the rest by OpenSSL's EVP. */
#define KNOWN "AQIDBAUGBwgJCgsMD2/1SX+A+zWd0dgmSxlGaiaU9YLm"

START_TEST(what_others_sealed_is_opened)
{
	struct seal *s = seal_create(SECRET);
	char out[16];

	ck_assert_int_eq(seal_open(s, KNOWN, out, sizeof(out)), 0);
	ck_assert_str_eq(out, "a.b.c");
	ck_assert_int_eq(seal_open(s, KNOWN, out, 6), 0);
	ck_assert_int_eq(seal_open(s, KNOWN, out, 5), -1); /* no room */
	seal_free(s);
}
END_TEST

START_TEST(what_is_sealed_comes_back)
{
	struct seal *s = seal_create(SECRET);
	char text[300], sealed[SEAL_TEXT_MAX(300)], again[sizeof(sealed)];
	char out[300];
	size_t len;

	for (len = 1; len < sizeof(text); len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		ck_assert_int_eq(
		    seal_close(s, text, sealed, sizeof(sealed)), 0);
		ck_assert_int_eq(seal_open(s, sealed, out, sizeof(out)), 0);
		ck_assert_str_eq(out, text);
	}
	ck_assert_int_eq(seal_close(s, text, again, sizeof(again)), 0);
	ck_assert_str_ne(sealed, again); /* a nonce of its own each time */
	ck_assert_int_eq(seal_close(s, text, sealed, 10), -1);
	seal_free(s);
}
END_TEST

START_TEST(what_was_changed_is_refused)
{
	struct seal *s = seal_create(SECRET);
	char changed[sizeof(KNOWN)], out[16];
	size_t i;

	for (i = 0; i < sizeof(KNOWN) - 1; i++) {
		(void)strcpy(changed, KNOWN);
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		ck_assert_int_eq(seal_open(s, changed, out, sizeof(out)), -1);
		(void)strcpy(changed, KNOWN);
		changed[i] = '\0'; /* cut */
		ck_assert_int_eq(seal_open(s, changed, out, sizeof(out)), -1);
	}
	ck_assert_int_eq(seal_open(s, "", out, sizeof(out)), -1);
	ck_assert_int_eq(seal_open(s, "!!!!", out, sizeof(out)), -1);
	ck_assert_int_eq(seal_open(s, KNOWN "====", out, sizeof(out)), -1);
	seal_free(s);
}
END_TEST

START_TEST(another_key_opens_nothing)
{
	struct seal *s = seal_create("ff112233445566778899aabbccddeeff"
				     "00112233445566778899aabbccddeeff");
	char out[16];

	ck_assert_int_eq(seal_open(s, KNOWN, out, sizeof(out)), -1);
	seal_free(s);
}
END_TEST

START_TEST(secrets_are_judged)
{
	ck_assert_ptr_null(seal_judge_secret(SECRET));
	ck_assert_ptr_nonnull(seal_judge_secret(""));
	ck_assert_ptr_nonnull(seal_judge_secret("0011"));
	ck_assert_ptr_nonnull(seal_judge_secret(SECRET "0"));
	ck_assert_ptr_nonnull(
	    seal_judge_secret("g0112233445566778899aabbccddeeff"
			      "00112233445566778899aabbccddeeff"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("seal");
	TCase *tc = tcase_create("seal");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_others_sealed_is_opened);
	tcase_add_test(tc, what_is_sealed_comes_back);
	tcase_add_test(tc, what_was_changed_is_refused);
	tcase_add_test(tc, another_key_opens_nothing);
	tcase_add_test(tc, secrets_are_judged);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
