/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/envelope: each message in one piece and cut at every
 * byte, and compared with what the parser of whole messages makes of it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "phx.h"
#include "request.h"

#define HEAD "[\"1\",null,\"telephone:x\",\"proxy_req\","
#define ID "\"request_id\":\"r-1\""
#define LEFT HEAD "{" ID "}]"
#define TEN(x) x x x x x x x x x x
#define DEEP(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x)

static const struct {
	const char *message, *left;
} messages[] = {
    {HEAD "{" ID "}]", LEFT},
    {HEAD "{" ID ",\"body\":\"xyz\"}]", LEFT},
    {HEAD "{\"body\":\"xyz\"," ID "}]", LEFT},
    {HEAD "{\"a\":[1,{\"request_id\":\"no\"},[]]," ID ",\"b\":{}}]", LEFT},
    {HEAD "{\"body\":\"\\\"request_id\\\":\\\"no\\\"\"," ID "}]", LEFT},
    {HEAD "{\"body\":\"\\\\\"," ID "}]", LEFT},
    {HEAD "{\"body\":\"\\\\\\\"\"," ID "}]", LEFT},
    {HEAD "{\"body\":\"{[,:]}\"," ID "}]", LEFT},
    {HEAD "{\"a\":-1.5e+3,\"b\":true,\"c\":null,\"d\":0," ID "}]", LEFT},
    {" [ \"1\" ,\n5 , \"telephone:x\" ,\t\"proxy_req\" , { \"x\" : [ ] , "
     "\"request_id\" : \"r-1\" } ] \r\n",
	LEFT},
    /* However a name is spelt, the reader is shown it as it stood. */
    {HEAD "{\"re\\u0071uest_id\":\"r-1\"}]",
	HEAD "{\"re\\u0071uest_id\":\"r-1\"}]"},
    {HEAD "{\"request_id\":\"\\u0072\\\\-\\\"\"}]",
	HEAD "{\"request_id\":\"\\u0072\\\\-\\\"\"}]"},
    /* All of them: the last one counts, as everywhere. */
    {HEAD "{\"request_id\":\"a\",\"x\":1,\"request_id\":\"b\"}]",
	HEAD "{\"request_id\":\"a\",\"request_id\":\"b\"}]"},
    {HEAD "{" ID ",\"request_id\":7}]", HEAD "{" ID ",\"request_id\":null}]"},
    {HEAD "{\"request_id\":[\"a\",{\"request_id\":\"b\"}],\"x\":1}]",
	HEAD "{\"request_id\":null}]"},
    {HEAD "{\"connection_id\":\"c\",\"opcode\":\"text\",\"data\":\"\"}]",
	HEAD "{\"connection_id\":\"c\"}]"},
    {HEAD "{\"headers\":{\"request_id\":\"no\"},\"check_id\":\"k\"}]",
	HEAD "{\"check_id\":\"k\"}]"},
    {HEAD "{\"request_idx\":\"no\",\"request_i\":\"no\",\"Request_id\":1}]",
	HEAD "{}]"},
    {HEAD "{}]", HEAD "{}]"},
    {"[null,\"9\",\"t\",\"phx_error\",{\"reason\":\"x\"}]",
	"[null,null,\"t\",\"phx_error\",{}]"},
    {HEAD "{\"a\":" DEEP("[") "1" DEEP("]") "," ID "}]", LEFT},
    {HEAD "{\"" DEEP("name") "\":\"no\"," ID "}]", LEFT},
};

static const struct {
	const char *message, *fault;
} faults[] = {
    {"", "not JSON"},
    {"{}", "array"},
    {"hello", "array"},
    {"[]", "fewer"},
    {"[\"1\",null,\"t\",\"e\"]", "fewer"},
    {"[\"1\",null,\"t\",\"e\",[]]", "payload"},
    {"[\"1\",null,\"t\",\"e\",\"{}\"]", "payload"},
    {"[\"1\",null,\"t\",\"e\",{},1]", "more than five"},
    {"[\"1\",null,{},\"e\",{}]", "string"},
    {"[\"1\",[],\"t\",\"e\",{}]", "string"},
    {HEAD "{" ID "}", "not JSON"},
    {HEAD "{" ID "]", "not JSON"},
    {HEAD "{" ID "]]", "not JSON"},
    {HEAD "{" ID "}]x", "not JSON"},
    {HEAD "{" ID "}]]", "not JSON"},
    {HEAD "{" ID ",}]", "not JSON"},
    {HEAD "{" ID " \"a\":1}]", "not JSON"},
    {HEAD "{\"a\",1}]", "not JSON"},
    {HEAD "{\"a\":}]", "not JSON"},
    {HEAD "{\"a\":[1,]}]", "not JSON"},
    {HEAD "{\"a\":[}}]", "not JSON"},
    {HEAD "{\"a\":[1}]}]", "not JSON"},
    {HEAD "{a:1}]", "not JSON"},
    {HEAD "{\"a\":\"\n\"}]", "not JSON"},
    {HEAD "{\"a\":\"", "not JSON"},
    {HEAD "{\"a\":\"\\\"}]", "not JSON"},
    {HEAD "{\"a\":x}]", "not JSON"},
    {HEAD "{\"a\":" DEEP("[") "[[[1", "deep"},
};

/* Fed in pieces that end at `cut` and then every `step` bytes, each a copy of
 * its own, so that a sanitizer sees a byte too much. */
static const char *
feed(struct envelope *e, const char *s, size_t len, size_t cut, size_t step)
{
	size_t at = 0, n = cut;

	envelope_init(e);
	while (at < len) {
		uint8_t *piece;

		if (n > len - at)
			n = len - at;
		piece = malloc(n + 1);
		memcpy(piece, s + at, n);
		envelope_feed(e, piece, n);
		free(piece);
		at += n;
		n = step;
	}
	return envelope_end(e);
}

static void
leaves(const char *message, const char *left, size_t cut, size_t step)
{
	struct envelope e;
	const char *fault = feed(&e, message, strlen(message), cut, step);

	ck_assert_msg(fault == NULL, "cut at %zu: %s: %s", cut, message, fault);
	ck_assert_msg(e.len == strlen(left) && memcmp(e.text, left, e.len) == 0,
	    "cut at %zu: %s: %.*s", cut, message, (int)e.len,
	    (const char *)e.text);
}

START_TEST(keeps_who_has_to_be_told)
{
	const char *m = messages[_i].message;
	size_t i, len = strlen(m);

	leaves(m, messages[_i].left, len, 1);
	leaves(m, messages[_i].left, 1, 1);
	for (i = 0; i <= len; i++)
		leaves(m, messages[_i].left, i, len + 1);
}
END_TEST

START_TEST(says_what_is_wrong)
{
	const char *m = faults[_i].message;
	size_t i, len = strlen(m);
	struct envelope e;
	const char *fault;

	for (i = 0; i <= len; i++) {
		fault = feed(&e, m, len, i, len + 1);
		ck_assert_msg(fault != NULL, "accepted: %s", m);
		ck_assert_msg(strstr(fault, faults[_i].fault) != NULL, "%s: %s",
		    m, fault);
	}
}
END_TEST

/* A topic, an event or an id of any length costs no more than the struct. */
START_TEST(is_bounded)
{
	static const char *const heads[] = {
	    "[\"",
	    "[\"1\",null,\"",
	    "[\"1\",null,\"t\",\"",
	    HEAD "{\"request_id\":\"",
	    HEAD "{" ID ",\"check_id\":\"",
	};
	static uint8_t much[1 << 20];
	struct envelope e;

	memset(much, 'x', sizeof(much));
	envelope_init(&e);
	envelope_feed(&e, (const uint8_t *)heads[_i], strlen(heads[_i]));
	envelope_feed(&e, much, sizeof(much));
	ck_assert_uint_le(e.len, sizeof(e.text));
	ck_assert_str_eq(
	    envelope_end(&e), "a topic, an event or an id is too long");
}
END_TEST

START_TEST(repeated_ids_are_bounded)
{
	static const char one[] = "\"request_id\":\"x\",";
	struct envelope e;
	int i;

	envelope_init(&e);
	envelope_feed(&e, (const uint8_t *)HEAD "{", strlen(HEAD) + 1);
	for (i = 0; i < 1000; i++)
		envelope_feed(&e, (const uint8_t *)one, sizeof(one) - 1);
	ck_assert_str_eq(
	    envelope_end(&e), "a topic, an event or an id is too long");
}
END_TEST

/* The longest that are allowed, every character escaped. */
START_TEST(what_is_allowed_fits)
{
	struct buf b;
	struct envelope e;
	struct request r;
	struct phx_msg m;
	int i;

	buf_init(&b, 1 << 16);
	(void)buf_puts(&b, "[\"18446744073709551615\",null,\"telephone:");
	for (i = 0; i < 255; i++)
		(void)buf_puts(&b, "\\u0061");
	(void)buf_puts(&b, "\",\"proxy_req\",{\"request_id\":\"");
	for (i = 0; i < REQUEST_ID_MAX; i++)
		(void)buf_puts(&b, "\\u0062");
	(void)buf_puts(&b, "\"}]");
	ck_assert_ptr_null(feed(&e, (const char *)b.data, b.len, 1000, 1000));
	ck_assert_ptr_null(phx_parse(&m, e.text, e.len));
	ck_assert_uint_eq(m.topic.len, 10 + 255);
	(void)request_parse(&r, m.payload.data, m.payload.len);
	ck_assert_uint_eq(r.request_id.len, REQUEST_ID_MAX);
	buf_clear(&b);
}
END_TEST

/* --- against the parser of whole messages --------------------------------- */

static bool
same(struct json_str a, struct json_str b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* What is JSON for that one is here, too, and leaves the same names. */
static void
agrees(const char *text, size_t len)
{
	struct envelope e;
	struct phx_msg whole, left;
	struct request a, b;
	uint8_t *copy = malloc(len + 1);
	const char *fault = feed(&e, text, len, len / 2, 3);

	memcpy(copy, text, len);
	if (phx_parse(&whole, copy, len) == NULL) {
		ck_assert_msg(fault == NULL, "%s: %.*s", fault, (int)len, text);
		ck_assert_ptr_null(phx_parse(&left, e.text, e.len));
		ck_assert(same(whole.join_ref, left.join_ref));
		ck_assert(same(whole.topic, left.topic));
		ck_assert(same(whole.event, left.event));
		(void)request_parse(&a, whole.payload.data, whole.payload.len);
		(void)request_parse(&b, left.payload.data, left.payload.len);
		ck_assert_msg(
		    same(a.request_id, b.request_id), "%.*s", (int)len, text);
	}
	free(copy);
}

START_TEST(mutations_agree)
{
	static const char bytes[] = "\"\\{}[],:u0 n1-\n\x80r";
	char text[256];
	unsigned seed = 4;
	size_t i, n, len;
	int round;

	for (round = 0; round < 60000; round++) {
		const char *m = messages[round % 16].message;

		len = strlen(m);
		if (len > sizeof(text))
			continue;
		memcpy(text, m, len);
		n = (size_t)rand_r(&seed) % 3;
		for (i = 0; i < n; i++)
			text[(size_t)rand_r(&seed) % len] =
			    bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
		agrees(text, len);
	}
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *suite = suite_create("envelope");
	TCase *tc = tcase_create("envelope");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, keeps_who_has_to_be_told, 0, COUNT(messages));
	tcase_add_loop_test(tc, says_what_is_wrong, 0, COUNT(faults));
	tcase_add_loop_test(tc, is_bounded, 0, 5);
	tcase_add_test(tc, repeated_ids_are_bounded);
	tcase_add_test(tc, what_is_allowed_fits);
	tcase_add_test(tc, mutations_agree);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
