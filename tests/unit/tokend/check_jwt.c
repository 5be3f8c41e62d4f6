/* SPDX-License-Identifier: MIT */
/* Unit tests of jwt.h: each malformed case has its own error. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt.h"

static char token[2 * PROTO_TOKEN_MAX];

/* header.claims.signature, with these claims. */
static const char *
make(const char *claims)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				     "opqrstuvwxyz0123456789-_";
	size_t len = strlen(claims), i, n;
	uint32_t bits = 0;
	int have = 0;

	n = (size_t)sprintf(token, "eyJhbGciOiJIUzI1NiJ9.");
	for (i = 0; i < len; i++) {
		bits = bits << 8 | (uint8_t)claims[i];
		for (have += 8; have >= 6; have -= 6)
			token[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		token[n++] = digits[bits << (6 - have) & 63];
	(void)strcpy(token + n, ".c2ln");
	return token;
}

#define GOOD                                                           \
	"{\"sub\":\"s\",\"path_id\":\"p\",\"jti\":\"j\",\"iat\":1000," \
	"\"exp\":2000}"

START_TEST(good_claims_are_taken)
{
	struct jwt jwt;

	ck_assert_ptr_null(jwt_parse(&jwt, make(GOOD)));
	ck_assert_str_eq(jwt.sub, "s");
	ck_assert_str_eq(jwt.path_id, "p");
	ck_assert_str_eq(jwt.jti, "j");
	ck_assert_int_eq(jwt.iat_s, 1000);
	ck_assert_int_eq(jwt.exp_s, 2000);
	ck_assert_ptr_null(jwt_parse(&jwt,
	    make("{\"x\":[1,{}],\"sub\":\"\\u00e9 s\",\"path_id\":\"\xc3\xa9\","
		 "\"jti\":\"j\",\"iat\":1e3,\"exp\":2000.0}")));
	ck_assert_str_eq(jwt.sub, "\xc3\xa9 s");
}
END_TEST

static const struct {
	const char *token, *error;
} shapes[] = {
    {"", "it is empty"},
    {"abc", "three parts"},
    {"a.b", "three parts"},
    {"aa.bb.cc.dd", "three parts"},
    {"..", "is empty"},
    {"aa..cc", "is empty"},
    {".YWE.YWE", "is empty"},
    {"YWE.YWE.", "is empty"},
    {"a!.YWE.YWE", "its header is not base64url"},
    {"YWE=.YWE.YWE", "its header is not base64url"},
    {"A.YWE.YWE", "its header is not base64url"},
    {"YWE.Y+E.YWE", "its claims are not base64url"},
    {"YWE.YWF.YWE", "its claims are not base64url"}, /* bits left over */
    {"YWE.YWE.Y/E", "its signature is not base64url"},
    {"YWE.YWE.YWE", "its claims are not JSON"},
};

START_TEST(shapes_are_judged)
{
	struct jwt jwt;
	const char *error = jwt_parse(&jwt, shapes[_i].token);

	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, shapes[_i].error) != NULL, "%s: %s",
	    shapes[_i].token, error);
}
END_TEST

#define WITH(sub, path, jti, iat, exp)                                       \
	"{\"sub\":" sub ",\"path_id\":" path ",\"jti\":" jti ",\"iat\":" iat \
	",\"exp\":" exp "}"

static const struct {
	const char *claims, *error;
} claims[] = {
    {"[]", "not a JSON object"},
    {"{}", "sub is missing"},
    {GOOD "x", "not JSON"},
    {GOOD GOOD, "not JSON"},
    {"{\"sub\":\"s\"}", "path_id is missing"},
    {"{\"sub\":\"s\",\"path_id\":\"p\"}", "jti is missing"},
    {"{\"sub\":\"s\",\"path_id\":\"p\",\"jti\":\"j\"}", "iat is missing"},
    {"{\"sub\":\"s\",\"path_id\":\"p\",\"jti\":\"j\",\"iat\":1}",
	"exp is missing"},
    {"{\"SUB\":\"s\"}", "sub is missing"},
    {WITH("1", "\"p\"", "\"j\"", "1", "2"), "claim sub"},
    {WITH("\"\"", "\"p\"", "\"j\"", "1", "2"), "claim sub"},
    {WITH("\"s\"", "null", "\"j\"", "1", "2"), "claim path_id"},
    {WITH("\"s\"", "\"a\\nb\"", "\"j\"", "1", "2"), "claim path_id"},
    {WITH("\"s\"", "\"p\"", "\"\\ud800\"", "1", "2"), ""},
    {WITH("\"s\"", "\"p\"", "\"\\u009b2J\"", "1", "2"), "claim jti"},
    {WITH("\"s\"", "\"\xc2\x80\"", "\"j\"", "1", "2"), "claim path_id"},
    {WITH("\"s\"", "\"p\"", "\"\xc2\x9f\"", "1", "2"), "claim jti"},
    {WITH("\"s\"", "\"p\\u0000x\"", "\"j\"", "1", "2"), "NUL"},
    {WITH("\"s\"", "\"\xff\"", "\"j\"", "1", "2"), "not UTF-8"},
    {WITH("\"s\"", "\"p\"", "\"j\"", "\"1\"", "2"), "claim iat"},
    {WITH("\"s\"", "\"p\"", "\"j\"", "1.5", "2"), "claim iat"},
    {WITH("\"s\"", "\"p\"", "\"j\"", "-1", "2"), "claim iat"},
    {WITH("\"s\"", "\"p\"", "\"j\"", "1", "1e99"), "claim exp"},
    {WITH("\"s\"", "\"p\"", "\"j\"", "2", "2"), "expires before"},
    {"{\"sub\":\"a\",\"sub\":\"b\",\"path_id\":\"p\",\"jti\":\"j\",\"iat\":1,"
     "\"exp\":2}",
	"twice"},
};

START_TEST(claims_are_judged)
{
	struct jwt jwt;
	const char *error = jwt_parse(&jwt, make(claims[_i].claims));

	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, claims[_i].error) != NULL, "%s: %s",
	    claims[_i].claims, error);
	ck_assert_str_eq(jwt.path_id, ""); /* nothing half taken */
}
END_TEST

/* U+00A0 stands behind the last one that a terminal obeys. */
START_TEST(other_alphabets_are_fine)
{
	struct jwt jwt;

	ck_assert_ptr_null(jwt_parse(&jwt,
	    make(WITH("\"\xc2\xa0\"", "\"\xc3\xa9\"", "\"j\"", "1", "2"))));
	ck_assert_str_eq(jwt.sub, "\xc2\xa0");
	ck_assert_str_eq(jwt.path_id, "\xc3\xa9");
}
END_TEST

START_TEST(bounds_hold)
{
	char claim[600], name[300];
	struct jwt jwt;
	size_t len;

	for (len = 255; len <= 256; len++) {
		memset(name, 'x', len);
		name[len] = '\0';
		(void)snprintf(claim, sizeof(claim),
		    "{\"sub\":\"s\",\"path_id\":\"%s\",\"jti\":\"j\","
		    "\"iat\":1,\"exp\":2}",
		    name);
		ck_assert(
		    (jwt_parse(&jwt, make(claim)) == NULL) == (len == 255));
	}
	memset(token, 'A', PROTO_TOKEN_MAX);
	token[PROTO_TOKEN_MAX] = '\0';
	ck_assert_ptr_nonnull(
	    strstr(jwt_parse(&jwt, token), "longer than 16383"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("jwt");
	TCase *tc = tcase_create("jwt");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, good_claims_are_taken);
	tcase_add_loop_test(tc, shapes_are_judged, 0,
	    (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_loop_test(tc, claims_are_judged, 0,
	    (int)(sizeof(claims) / sizeof(claims[0])));
	tcase_add_test(tc, other_alphabets_are_fine);
	tcase_add_test(tc, bounds_hold);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
