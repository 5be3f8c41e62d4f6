/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/phx: Phoenix Channels V2, as protocol.md has it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "phx.h"

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

static const struct {
	const char *text;
	const char *join_ref, *ref, *topic, *event, *payload;
} messages[] = {
    {"[\"1\",\"1\",\"telephone:p\",\"phx_reply\",{\"status\":\"ok\"}]", "1",
	"1", "telephone:p", "phx_reply", "{\"status\":\"ok\"}"},
    {" [ null , null , \"phoenix\" , \"x\" , { } ] \n", NULL, NULL, "phoenix",
	"x", "{ }"},
    {"[\"\",\"7\",\"\\u0074\\/\",\"proxy_req\",{\"a\":[\"]\",{}]}]", "", "7",
	"t/", "proxy_req", "{\"a\":[\"]\",{}]}"},
    {"[null,\"1\",\"t\\n\\\"\",\"e\",{}]", NULL, "1", "t\n\"", "e", "{}"},
};

static void
same(struct json_str s, const char *text)
{
	if (text == NULL) {
		ck_assert_ptr_null(s.data);
		return;
	}
	ck_assert_msg(phx_is(s, text), "%.*s is not %s", (int)s.len,
	    (char *)s.data, text);
}

START_TEST(takes_messages_apart)
{
	size_t len = strlen(messages[_i].text);
	uint8_t *s = copy(messages[_i].text, len);
	struct phx_msg m;

	ck_assert_ptr_null(phx_parse(&m, s, len));
	same(m.join_ref, messages[_i].join_ref);
	same(m.ref, messages[_i].ref);
	same(m.topic, messages[_i].topic);
	same(m.event, messages[_i].event);
	same(m.payload, messages[_i].payload);
	free(s);
}
END_TEST

static const struct {
	const char *text, *fault;
} faults[] = {
    {"", "array"},
    {"hello", "array"},
    {"{\"topic\":\"V1\"}", "array"},
    {"\"[]\"", "array"},
    {"[]", "join_ref"},
    {"[1,\"1\",\"t\",\"e\",{}]", "join_ref"},
    {"[\"1\",1,\"t\",\"e\",{}]", "ref"},
    {"[\"1\",\"1\",null,\"e\",{}]", "topic"},
    {"[\"1\",\"1\",\"t\",null,{}]", "event"},
    {"[\"1\",\"1\",\"t\",[],{}]", "event"},
    {"[\"1\",\"1\",\"t\",\"\\ud800\",{}]", "event"},
    {"[\"1\",\"1\",\"t\",\"e\"]", "payload"},
    {"[\"1\",\"1\",\"t\",\"e\",[]]", "payload"},
    {"[\"1\",\"1\",\"t\",\"e\",null]", "payload"},
    {"[\"1\",\"1\",\"t\",\"e\",{},1]", "more than five"},
    {"[\"1\",\"1\",\"t\",\"e\",{}", "array"},
    {"[\"1\",\"1\",\"t\",\"e\",{}]x", "array"},
    {"[\"1\",\"1\",\"t\",\"e\",{}]]", "not JSON"},
    {"[\"1\",\"1\",\"t\",\"e\",{},]", "not JSON"},
    {"[\"1\",\"1\",\"t\",\"e\",{\"a\":}]", "not JSON"},
    {"[\"1\",\"1\",\"t\",\"\xff\",{}]", "not JSON"},
    {"[\"1\" \"1\",\"t\",\"e\",{}]", "not JSON"},
};

START_TEST(says_what_is_wrong)
{
	size_t len = strlen(faults[_i].text);
	uint8_t *s = copy(faults[_i].text, len);
	struct phx_msg m;
	const char *error = phx_parse(&m, s, len);

	ck_assert_msg(error != NULL, "accepted: %s", faults[_i].text);
	ck_assert_msg(strstr(error, faults[_i].fault) != NULL, "%s: %s",
	    faults[_i].text, error);
	free(s);
}
END_TEST

static struct json_str
slice(char *text)
{
	struct json_str s = {(uint8_t *)text, strlen(text)};

	return s;
}

static const struct {
	const char *payload;
	bool is, ok;
	const char *response;
} replies[] = {
    {"{\"status\":\"ok\",\"response\":{\"a\":1}}", true, true, "{\"a\":1}"},
    {"{\"response\":{},\"status\":\"error\"}", true, false, "{}"},
    {"{\"st\\u0061tus\":\"\\u006fk\"}", true, true, NULL},
    {"{\"status\":\"ok\",\"response\":\"{}\"}", true, true, NULL},
    {"{\"status\":\"ok\",\"response\":[1]}", true, true, NULL},
    {"{\"status\":\"OK\"}", true, false, NULL},
    {"{\"status\":\"timeout\"}", true, false, NULL},
    {"{\"status\":\"ok\",\"status\":\"error\"}", true, false, NULL},
    {"{\"status\":1}", false, false, NULL},
    {"{}", false, false, NULL},
    {"[]", false, false, NULL},
};

START_TEST(reads_replies)
{
	char text[128];
	struct phx_reply reply;

	strcpy(text, replies[_i].payload);
	ck_assert_int_eq(phx_parse_reply(&reply, slice(text)), replies[_i].is);
	if (!replies[_i].is)
		return;
	ck_assert_int_eq(reply.ok, replies[_i].ok);
	same(reply.response, replies[_i].response);
	ck_assert_str_eq(text, replies[_i].payload);
}
END_TEST

START_TEST(fetches_members)
{
	char text[] = "{\"s\":\"a\\n\\u00e9\",\"n\":-7,\"nul\":\"a\\u0000b\","
		      "\"f\":1.5,\"twice\":\"one\",\"twice\":\"two\","
		      "\"eight\":\"12345678\",\"lone\":\"\\ud800\",\"z\":null}";
	char dst[9], small[8];
	struct json_str o = slice(text), none = {NULL, 0};
	int64_t n = 5;

	ck_assert(phx_get_str(o, "s", dst, sizeof(dst)) == false);
	ck_assert_str_eq(dst, "");
	ck_assert(phx_get_str(o, "eight", dst, sizeof(dst)));
	ck_assert_str_eq(dst, "12345678");
	ck_assert(!phx_get_str(o, "eight", small, sizeof(small)));
	ck_assert_str_eq(small, "");
	ck_assert(phx_get_str(o, "twice", dst, sizeof(dst)));
	ck_assert_str_eq(dst, "two");
	ck_assert(!phx_get_str(o, "nul", dst, sizeof(dst)));
	ck_assert(!phx_get_str(o, "lone", dst, sizeof(dst)));
	ck_assert_str_eq(dst, "");
	ck_assert(!phx_get_str(o, "n", dst, sizeof(dst)));
	ck_assert(!phx_get_str(o, "missing", dst, sizeof(dst)));
	ck_assert(!phx_get_str(none, "s", dst, sizeof(dst)));
	ck_assert(phx_get_int(o, "n", &n));
	ck_assert_int_eq(n, -7);
	ck_assert(!phx_get_int(o, "f", &n));
	ck_assert(!phx_get_int(o, "s", &n));
	ck_assert(!phx_get_int(o, "z", &n));
	ck_assert_int_eq(n, -7);
}
END_TEST

/* An object may be asked twice: nothing is unescaped in it. */
START_TEST(fetching_leaves_the_object_alone)
{
	char text[] = "{\"\\u0074oken\":\"a\\/b\\u00e9\"}", dst[64];
	int i;

	for (i = 0; i < 2; i++) {
		ck_assert(phx_get_str(slice(text), "token", dst, sizeof(dst)));
		ck_assert_str_eq(dst, "a/b\xc3\xa9");
	}
}
END_TEST

START_TEST(writes_messages)
{
	struct phx_names names = {"1", "2", "telephone:p", "heartbeat"};
	struct phx_names bare = {NULL, NULL, "a\"b\n", "e"};
	struct buf b;

	buf_init(&b, 100);
	ck_assert_int_eq(phx_put_msg(&b, &names, "{\"ts\":5}"), 0);
	ck_assert_uint_eq(b.len, 44);
	ck_assert_mem_eq(b.data,
	    "[\"1\",\"2\",\"telephone:p\",\"heartbeat\",{\"ts\":5}]", 44);
	buf_reset(&b);
	ck_assert_int_eq(phx_put_head(&b, &bare), 0);
	ck_assert_uint_eq(b.len, 24);
	ck_assert_mem_eq(b.data, "[null,null,\"a\\\"b\\n\",\"e\",", 24);
	buf_clear(&b);
	buf_init(&b, 20);
	ck_assert_int_eq(phx_put_head(&b, &names), -1);
	ck_assert_int_eq(phx_put_msg(&b, &names, "{}"), -1);
	buf_clear(&b);
}
END_TEST

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* What is taken apart lies inside the message, whatever it says. */
START_TEST(mutations_break_nothing)
{
	static const char seed[] =
	    "[\"12\",\"3\",\"telephone:\\u00e9\",\"phx_reply\",{\"status\":"
	    "\"ok\",\"response\":{\"token\":\"a.b.c\",\"expires_in\":3600}}]";
	static const char alphabet[] = "{}[]\",:\\u0dn1 .-t\xc3\xff\x01";
	size_t accepted = 0, i, k, len = sizeof(seed) - 1;
	uint32_t state = 99;

	for (i = 0; i < 200000; i++) {
		uint8_t *s = copy(seed, len);
		struct phx_reply reply;
		struct phx_msg m;
		char dst[16];
		int64_t n;

		for (k = next_random(&state) % 4; k > 0; k--)
			s[next_random(&state) % len] = (uint8_t)
			    alphabet[next_random(&state) % sizeof(alphabet)];
		if (phx_parse(&m, s, len) == NULL) {
			accepted++;
			ck_assert(m.payload.data > s);
			ck_assert(m.payload.data + m.payload.len < s + len);
			if (phx_parse_reply(&reply, m.payload)) {
				(void)phx_get_str(
				    reply.response, "token", dst, sizeof(dst));
				(void)phx_get_int(
				    reply.response, "expires_in", &n);
			}
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
	Suite *suite = suite_create("phx");
	TCase *tc = tcase_create("phx");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	LOOP(tc, takes_messages_apart, messages);
	LOOP(tc, says_what_is_wrong, faults);
	LOOP(tc, reads_replies, replies);
	tcase_add_test(tc, fetches_members);
	tcase_add_test(tc, fetching_leaves_the_object_alone);
	tcase_add_test(tc, writes_messages);
	tcase_add_test(tc, mutations_break_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
