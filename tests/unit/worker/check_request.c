/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/request: the payload of a proxy_req. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phx.h"
#include "request.h"
#include "utf8.h"
#include "util.h"

/* A copy that ends where the text ends, so that a sanitizer sees a read past
 * it. */
static uint8_t *
copy(const void *s, size_t len)
{
	uint8_t *p = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(p);
	memcpy(p, s, len);
	return p;
}

static const char whole[] =
    "{\"request_id\":\"550e8400-e29b-41d4-a716-446655440000\","
    "\"method\":\"POST\",\"path\":\"/a?b#\\u00e9\",\"query_string\":"
    "\"a=1&b=%20\",\"headers\":{\"host\":\"example.com\",\"x-a\":\"q\\\"\"},"
    "\"body\":\"{\\\"n\\\":1}\\u0000\",\"unknown\":[{}]}";

START_TEST(takes_a_request_apart)
{
	uint8_t *s = copy(whole, sizeof(whole) - 1);
	struct request r;
	struct request_fields it;
	struct json_str name, value;

	ck_assert_ptr_null(request_parse(&r, s, sizeof(whole) - 1));
	ck_assert(phx_is(r.request_id, "550e8400-e29b-41d4-a716-446655440000"));
	ck_assert(phx_is(r.method, "POST"));
	ck_assert(phx_is(r.path, "/a?b#\xc3\xa9"));
	ck_assert(phx_is(r.query, "a=1&b=%20"));
	ck_assert_uint_eq(r.body.len, 8);
	ck_assert_mem_eq(r.body.data, "{\"n\":1}\0", 8);
	request_fields_init(&it, &r);
	ck_assert(request_next_field(&it, &name, &value));
	ck_assert(phx_is(name, "host") && phx_is(value, "example.com"));
	ck_assert(request_next_field(&it, &name, &value));
	ck_assert(phx_is(name, "x-a") && phx_is(value, "q\""));
	ck_assert(!request_next_field(&it, &name, &value));
	ck_assert_ptr_null(it.error);
	free(s);
}
END_TEST

#define ID "\"request_id\":\"i\","
#define METHOD "\"method\":\"GET\","
#define REST "\"path\":\"/\",\"query_string\":\"\",\"headers\":{},\"body\":\"\""
#define LONG32 "abcdefghijklmnopqrstuvwxyz012345"
#define LONG128 LONG32 LONG32 LONG32 LONG32

static const struct {
	const char *payload;
	const char *fault; /* NULL: accepted */
	const char *id;	   /* NULL: not known */
} payloads[] = {
    {"{" ID METHOD REST "}", NULL, "i"},
    {"{" REST "," METHOD "\"request_id\":\"i\"}", NULL, "i"},
    {"{\"request_id\":\"" LONG128 "\"," METHOD REST "}", NULL, LONG128},
    {"{\"request_id\":\"" LONG128 "x\"," METHOD REST "}", "request_id", NULL},
    {"{\"request_id\":\"\"," METHOD REST "}", "request_id", NULL},
    {"{\"request_id\":\"a b\"," METHOD REST "}", "request_id", NULL},
    {"{\"request_id\":\"a\\u0000\"," METHOD REST "}", "request_id", NULL},
    {"{\"request_id\":\"\\u00e9\"," METHOD REST "}", "request_id", NULL},
    {"{\"request_id\":7," METHOD REST "}", "request_id", NULL},
    {"{" METHOD REST "}", "request_id", NULL},
    {"{\"request_id\":\"a\",\"request_id\":\"b\"," METHOD REST "}", NULL, "b"},
    {"{\"r\\u0065quest_id\":\"i\"," METHOD REST "}", NULL, "i"},
    {"{" ID REST "}", "method", "i"},
    {"{" ID "\"method\":null," REST "}", "method", "i"},
    {"{" ID "\"method\":\"\"," REST "}", "method", "i"},
    {"{" ID "\"method\":\"GE T\"," REST "}", "method", "i"},
    {"{" ID "\"method\":\"GET\\r\\nX\"," REST "}", "method", "i"},
    {"{" ID "\"method\":\"GET\\u0000\"," REST "}", "method", "i"},
    {"{" ID "\"method\":\"G\\u00e9\"," REST "}", "method", "i"},
    {"{" ID "\"method\":\"CONNECT\"," REST "}", "proxied", "i"},
    {"{" ID "\"method\":\"TRACE\"," REST "}", "proxied", "i"},
    {"{" ID "\"method\":\"M-SEARCH\"," REST "}", NULL, "i"},
    {"{" ID "\"method\":\"" LONG32 "\"," REST "}", NULL, "i"},
    {"{" ID "\"method\":\"" LONG32 "x\"," REST "}", "too long", "i"},
    {"{" ID METHOD "\"path\":[]," REST "}", NULL, "i"}, /* the last wins */
    {"{" ID METHOD REST ",\"path\":[]}", "path", "i"},
    {"{" ID METHOD REST ",\"path\":\"/\\u0000\\r\\n\"}", NULL, "i"},
    {"{" ID METHOD REST ",\"path\":\"/\\ud800\"}", "path", "i"},
    {"{" ID METHOD REST ",\"query_string\":null}", "query_string", "i"},
    {"{" ID METHOD REST ",\"body\":null}", "body", "i"},
    {"{" ID METHOD REST ",\"body\":{}}", "body", "i"},
    {"{" ID METHOD REST ",\"body\":\"\\udc00\"}", "body", "i"},
    {"{" ID METHOD REST ",\"headers\":[]}", "headers", "i"},
    {"{" ID METHOD REST ",\"headers\":\"{}\"}", "headers", "i"},
    {"{" ID METHOD "\"query_string\":\"\",\"headers\":{},\"body\":\"\"}",
	"path", "i"},
    {"{" ID METHOD REST ",}", "not a JSON object", NULL},
    {"{" ID METHOD REST, "not a JSON object", NULL},
    {"[]", "not a JSON object", NULL},
    {"{}", "request_id", NULL},
};

START_TEST(is_strict_and_keeps_the_id)
{
	size_t len = strlen(payloads[_i].payload);
	uint8_t *s = copy(payloads[_i].payload, len);
	struct request r;
	const char *error = request_parse(&r, s, len);

	if (payloads[_i].fault == NULL)
		ck_assert_msg(
		    error == NULL, "%s: %s", payloads[_i].payload, error);
	else
		ck_assert_msg(
		    error != NULL && strstr(error, payloads[_i].fault) != NULL,
		    "%s: %s", payloads[_i].payload, error);
	if (payloads[_i].id == NULL)
		ck_assert_ptr_null(r.request_id.data);
	else
		ck_assert(phx_is(r.request_id, payloads[_i].id));
	free(s);
}
END_TEST

static const struct {
	const char *headers;
	size_t count;
	bool fault;
} heads[] = {
    {"{}", 0, false},
    {"{\"a\":\"1\",\"\":\"\"}", 2, false},
    {"{\"a\":\"1\",\"b\":2}", 1, true},
    {"{\"a\":null}", 0, true},
    {"{\"a\":[\"1\"]}", 0, true},
    {"{\"a\":\"\\ud800\"}", 0, true},
    {"{\"\\udc00\":\"1\"}", 0, true},
};

START_TEST(fields_are_strings)
{
	char text[256];
	struct request r;
	struct request_fields it;
	struct json_str name, value;
	size_t count = 0;

	sprintf(text, "{" ID METHOD REST ",\"headers\":%s}", heads[_i].headers);
	ck_assert_ptr_null(request_parse(&r, (uint8_t *)text, strlen(text)));
	request_fields_init(&it, &r);
	while (request_next_field(&it, &name, &value))
		count++;
	ck_assert_uint_eq(count, heads[_i].count);
	ck_assert_int_eq(it.error != NULL, heads[_i].fault);
}
END_TEST

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

static void
judge(const struct request *r)
{
	struct request_fields it;
	struct json_str name, value;

	ck_assert(utf8_is_valid(r->path.data, r->path.len));
	ck_assert(utf8_is_valid(r->body.data, r->body.len));
	ck_assert(util_is_token((char *)r->method.data, r->method.len));
	request_fields_init(&it, r);
	while (request_next_field(&it, &name, &value)) {
		ck_assert(utf8_is_valid(name.data, name.len));
		ck_assert(utf8_is_valid(value.data, value.len));
	}
}

START_TEST(mutations_break_nothing)
{
	static const char alphabet[] = "{}[]\",:\\u0dn1 .-t\xc3\xff\x01";
	size_t accepted = 0, i, k, len = sizeof(whole) - 1;
	uint32_t state = 4711;
	struct request r;

	for (i = 0; i < 200000; i++) {
		uint8_t *s = copy(whole, len);

		for (k = next_random(&state) % 4; k > 0; k--)
			s[next_random(&state) % len] = (uint8_t)
			    alphabet[next_random(&state) % sizeof(alphabet)];
		if (request_parse(&r, s, len) == NULL) {
			accepted++;
			judge(&r);
		}
		free(s);
	}
	ck_assert_uint_gt(accepted, 1000);
	ck_assert_uint_lt(accepted, 150000);
}
END_TEST

#define LOOP(tc, test, table) \
	tcase_add_loop_test(  \
	    tc, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("request");
	TCase *tc = tcase_create("request");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, takes_a_request_apart);
	LOOP(tc, is_strict_and_keeps_the_id, payloads);
	LOOP(tc, fields_are_strings, heads);
	tcase_add_test(tc, mutations_break_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
