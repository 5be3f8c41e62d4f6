/* SPDX-License-Identifier: MIT */
/* Unit tests of the pure parts of tracing: trace_context.h, trace_sampler.h
 * and trace_json.h. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_context.h"
#include "trace_json.h"
#include "trace_sampler.h"
#include "util.h"
#include "version.h"

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define IDS "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"

static struct json_str
str(const char *s)
{
	return (struct json_str){(uint8_t *)(uintptr_t)s, strlen(s)};
}

/* --- traceparent ---------------------------------------------------------- */

static const struct {
	const char *text;
	bool valid;
	uint8_t flags;
} parents[] = {
    {GOOD, true, 1},
    {"00-" IDS "-00", true, 0},
    {"00-" IDS "-02", true, 2},
    {"00-" IDS "-03", true, 3},
    {"00-" IDS "-ff", true, 3}, /* what is not known is zero */
    {" \t" GOOD " ", true, 1},
    {"01-" IDS "-01", true, 1}, /* a later version, read as far as known */
    {"cc-" IDS "-01-what-the-future-brings", true, 1},
    {"fe-" IDS "-01-", true, 1},
    {"cc-" IDS "-01.what", false, 0},
    {"ff-" IDS "-01", false, 0},
    {"00-" IDS "-01-more", false, 0},
    {"00-" IDS "-01-", false, 0},
    {"00-" IDS "-1", false, 0},
    {"00-" IDS "-0x", false, 0},
    {"00-" IDS "-", false, 0},
    {"0-" IDS "-01", false, 0},
    {".0-" IDS "-01", false, 0},
    {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false, 0},
    {"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false, 0},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false, 0},
    {"00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01", false, 0},
    {"00-4bf92f3577b34da6a3ce929d0e0e473.-00f067aa0ba902b7-01", false, 0},
    {"00-4bf92f3577b34da6a3ce929d0e0e47361-00f067aa0ba902b7-01", false, 0},
    {"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, 0},
    {GOOD "," GOOD, false, 0},
    {GOOD ", " GOOD, false, 0},
    {"", false, 0},
    {"00", false, 0},
};

START_TEST(a_traceparent)
{
	struct trace_parent p;
	char out[TRACE_PARENT_LEN + 1], want[TRACE_PARENT_LEN + 1];

	trace_context_parse(&p, str(parents[_i].text), NULL);
	ck_assert_msg(p.valid == parents[_i].valid, "%s", parents[_i].text);
	if (!p.valid)
		return;
	ck_assert_int_eq(p.flags, parents[_i].flags);
	trace_context_format(out, p.trace_id, p.span_id, p.flags);
	(void)util_fmt(want, sizeof(want), "00-" IDS "-%02x", p.flags);
	ck_assert_str_eq(out, want);
}
END_TEST

/* --- tracestate ----------------------------------------------------------- */

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONG HUNDRED HUNDRED TEN TEN TEN TEN TEN "012345" /* 256 */
#define A128 "aaaaa=" HUNDRED TEN TEN "01"		  /* 128 */
#define KEYS8(n) \
	n "1=1," n "2=1," n "3=1," n "4=1," n "5=1," n "6=1," n "7=1," n "8=1"
#define KEYS32 KEYS8("a") "," KEYS8("b") "," KEYS8("c") "," KEYS8("d")

static const struct {
	const char *text, *want;
} states[] = {
    {"a=1", "a=1"},
    {"a=1,b=2", "a=1,b=2"},
    {"a=1 \t , \t b=2, \t c=3", "a=1,b=2,c=3"},
    {"a=1,,b=2,", "a=1,b=2"},
    {",", ""},
    {"a= 1 2", "a= 1 2"},
    {"a=\x21\x2b\x2d\x3c\x3e\x7e", "a=\x21\x2b\x2d\x3c\x3e\x7e"},
    {"0fw@vendor=x", "0fw@vendor=x"},
    {"a_-*/@b=1", "a_-*/@b=1"},
    {"a=1,b=2,a=3", "a=1,b=2"}, /* the first is the latest */
    {KEYS32, KEYS32},
    {KEYS32 ",e=1", ""}, /* 33 */
    {KEYS32 ",a1=2", KEYS32},
    {"A=1", ""},
    {"a=1,B=2", ""},
    {"a", ""},
    {"a=", ""},
    {"a=1=2", ""},
    {"=1", ""},
    {"_a=1", ""},
    {"a =1", ""},
    {"a.b=1", ""},
    {"a=\x7f", ""},
    {"a=\xc3\xa9", ""},
    {"a=1\n", ""},
    {"a=" LONG, "a=" LONG},
    {"a=" LONG "0", ""},
    /* 512 at most: the long ones first, the last of them first. */
    {"a=" LONG ",b=" LONG, "a=" LONG},
    {"a=" LONG ",b=" LONG ",c=1", "a=" LONG ",c=1"},
    {"s1=1,a=" LONG ",b=" LONG, "s1=1,a=" LONG},
    {A128 ",b" A128 ",c=1", A128 ",b" A128 ",c=1"}, /* they fit */
    {"", ""},
};

START_TEST(a_tracestate)
{
	struct trace_parent p;
	struct json_str state = str(states[_i].text);

	trace_context_parse(&p, str(GOOD), &state);
	ck_assert(p.valid);
	ck_assert_uint_le(p.state_len, TRACE_STATE_MAX);
	ck_assert_uint_eq(p.state_len, strlen(p.state));
	ck_assert_str_eq(p.state, states[_i].want);
	/* Never without a parent. */
	trace_context_parse(&p, str("ff-" IDS "-01"), &state);
	ck_assert(!p.valid);
	ck_assert_str_eq(p.state, "");
}
END_TEST

/* Six of 100 bytes: the last goes, whole. */
START_TEST(a_tracestate_of_short_members)
{
	struct trace_parent p;
	char text[700] = "";
	struct json_str state;
	size_t len = 0, i;

	for (i = 0; i < 6; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%sk%zu=%.97s", i > 0 ? "," : "", i, HUNDRED);
	state = str(text);
	trace_context_parse(&p, str(GOOD), &state);
	ck_assert_uint_eq(p.state_len, 5 * 100 + 4);
	ck_assert_int_eq(memcmp(p.state, text, p.state_len), 0);
}
END_TEST

/* --- in a request --------------------------------------------------------- */

static const struct {
	const char *headers;
	bool valid;
	const char *state;
} requests[] = {
    {"{}", false, ""},
    {"{\"host\":\"a\"}", false, ""},
    {"{\"host\":\"a\",\"traceparent\":\"" GOOD "\"}", true, ""},
    {"{\"traceparent\":\"" GOOD "\",\"tracestate\":\"a=1\"}", true, "a=1"},
    {"{\"tracestate\":\"a=1\",\"traceparent\":\"" GOOD "\"}", true, "a=1"},
    {"{\"Tracestate\":\"a=1\",\"TraceParent\":\"" GOOD "\"}", true, "a=1"},
    {"{\"trac\\u0065parent\":\"\\u00300-" IDS "-01\",\"tracestate\":"
     "\"a=\\\"\\/\"}",
	true, "a=\"/"},
    {"{\"traceparent\":\"" GOOD "\",\"traceparent\":\"" GOOD "\"}", false, ""},
    {"{\"traceparent\":\"" GOOD "\",\"tracestate\":\"a=1\","
     "\"tracestate\":\"b=2\"}",
	true, "a=1,b=2"},
    {"{\"traceparent\":7,\"tracestate\":\"a=1\"}", false, ""},
    {"{\"traceparent\":\"" GOOD "\",\"tracestate\":7}", true, ""},
    {"{\"tracestate\":\"a=1\"}", false, ""},
};

START_TEST(the_fields_of_a_request)
{
	struct trace_parent p;
	char text[1024];
	struct json_str headers;

	ck_assert(util_fmt(text, sizeof(text), "%s", requests[_i].headers));
	headers = str(text);
	trace_context_read(&p, headers);
	ck_assert_msg(p.valid == requests[_i].valid, "%s", text);
	if (p.valid)
		ck_assert_str_eq(p.state, requests[_i].state);
	ck_assert_str_eq(text, requests[_i].headers); /* as it was */
}
END_TEST

START_TEST(no_fields_at_all)
{
	struct trace_parent p;

	trace_context_read(&p, (struct json_str){NULL, 0});
	ck_assert(!p.valid);
	ck_assert(trace_context_is_field("TraceParent"));
	ck_assert(trace_context_is_field("tracestate"));
	ck_assert(!trace_context_is_field("traceparents"));
}
END_TEST

START_TEST(the_same_place)
{
	struct trace_parent a, b, none = {.valid = false};
	struct json_str state = str("a=1");

	trace_context_parse(&a, str(GOOD), &state);
	trace_context_parse(&b, str(GOOD), &state);
	ck_assert(trace_context_same(&a, &b));
	ck_assert(trace_context_same(&none, &none));
	ck_assert(!trace_context_same(&a, &none));
	trace_context_parse(&b, str(GOOD), NULL);
	ck_assert(!trace_context_same(&a, &b));
	trace_context_parse(&b, str("00-" IDS "-00"), &state);
	ck_assert(!trace_context_same(&a, &b));
}
END_TEST

/* --- sampling ------------------------------------------------------------- */

static void
set_random(uint8_t id[TRACE_ID_LEN], uint64_t low)
{
	size_t i;

	memset(id, 0xab, TRACE_ID_LEN);
	for (i = 0; i < 8; i++)
		id[TRACE_ID_LEN - 1 - i] = (uint8_t)(low >> (8 * i));
}

/* The threshold is (1 - ratio) * 2^56, exact: what it is, is kept, and one less
 * is not. The eighth byte from the end has no say. */
static const struct {
	double ratio;
	uint64_t threshold;
} ratios[] = {
    {1, 0}, {0.5, UINT64_C(0x80000000000000)},
    {0.25, UINT64_C(0xc0000000000000)}, {0.125, UINT64_C(0xe0000000000000)},
    {0.01, UINT64_C(0xfd70a3d70a3d71)}, /* the published example, in full */
    {1.0 / 4096, UINT64_C(0xfff00000000000)},
    {1.0 / 72057594037927936.0, UINT64_C(0xffffffffffffff)}, /* 2^-56 */
};

START_TEST(a_ratio_is_exact)
{
	const uint64_t threshold = ratios[_i].threshold;
	struct trace_parent none = {.valid = false};
	struct trace_sampler s;
	uint8_t id[TRACE_ID_LEN];

	trace_sampler_init(&s, TRACE_RATIO, ratios[_i].ratio);
	ck_assert_msg(s.threshold == threshold, "%" PRIx64, s.threshold);
	set_random(id, threshold);
	ck_assert(trace_sampler_takes(&s, &none, id));
	set_random(id, UINT64_C(0xff) << 56 | threshold);
	ck_assert(trace_sampler_takes(&s, &none, id));
	if (threshold == 0)
		return;
	set_random(id, UINT64_C(0xff) << 56 | (threshold - 1));
	ck_assert(!trace_sampler_takes(&s, &none, id));
}
END_TEST

START_TEST(none_and_all)
{
	static const double zero[] = {0, -1, 0.0 / 1e300};
	struct trace_parent none = {.valid = false};
	struct trace_sampler s;
	uint8_t id[TRACE_ID_LEN];
	size_t i;

	set_random(id, UINT64_MAX);
	for (i = 0; i < UTIL_COUNT(zero); i++) {
		trace_sampler_init(&s, TRACE_RATIO, zero[i]);
		ck_assert(!trace_sampler_takes(&s, &none, id));
	}
	trace_sampler_init(&s, TRACE_ALWAYS_OFF, 1);
	ck_assert(!trace_sampler_takes(&s, &none, id));
	set_random(id, 0);
	trace_sampler_init(&s, TRACE_ALWAYS_ON, 0);
	ck_assert(trace_sampler_takes(&s, &none, id));
}
END_TEST

/* What a ratio keeps every higher one keeps, too, and it is about as many. */
START_TEST(ratios_are_consistent)
{
	struct trace_parent none = {.valid = false};
	struct trace_sampler low, high;
	uint8_t id[TRACE_ID_LEN];
	unsigned i, kept = 0;

	trace_sampler_init(&low, TRACE_RATIO, 0.2);
	trace_sampler_init(&high, TRACE_RATIO, 0.4);
	for (i = 0; i < 20000; i++) {
		util_random(id, sizeof(id));
		if (!trace_sampler_takes(&low, &none, id))
			continue;
		kept++;
		ck_assert(trace_sampler_takes(&high, &none, id));
	}
	/* 4000, and more than ten times its deviation of 57 around it. */
	ck_assert_uint_ge(kept, 3400);
	ck_assert_uint_le(kept, 4600);
}
END_TEST

static const struct {
	enum trace_sampler_kind kind;
	bool sampled, other, root; /* by the parent's flag; without one */
} bases[] = {
    {TRACE_ALWAYS_ON, true, true, true},
    {TRACE_ALWAYS_OFF, false, false, false},
    {TRACE_RATIO, false, false, false}, /* the flag is ignored */
    {TRACE_PARENT_ALWAYS_ON, true, false, true},
    {TRACE_PARENT_ALWAYS_OFF, true, false, false},
    {TRACE_PARENT_RATIO, true, false, false},
};

START_TEST(a_parent_decides)
{
	struct trace_parent p = {.valid = true, .flags = TRACE_SAMPLED};
	struct trace_sampler s;
	uint8_t id[TRACE_ID_LEN] = {0}; /* the lowest: never at 0.5 */

	trace_sampler_init(&s, bases[_i].kind, 0.5);
	ck_assert(trace_sampler_takes(&s, &p, id) == bases[_i].sampled);
	p.flags = TRACE_RANDOM;
	ck_assert(trace_sampler_takes(&s, &p, id) == bases[_i].other);
	p.valid = false;
	ck_assert(trace_sampler_takes(&s, &p, id) == bases[_i].root);
}
END_TEST

static const struct {
	const char *state;
	bool taken; /* at 0.5, by an id that is never taken */
} randoms[] = {
    {"ot=rv:80000000000000", true},
    {"ot=rv:7fffffffffffff", false},
    {"a=1,ot=th:c;rv:ffffffffffffff,b=2", true},
    {"ot=rv:ffffffffffffff;th:c", true},
    {"ot=rv:fffffffffffff", false},
    {"ot=rv:fffffffffffffff", false},
    {"ot=rv:FFFFFFFFFFFFFF", false},
    {"ot=rv:", false},
    {"ot=th:c,a=rv:ffffffffffffff", false},
    {"not=rv:ffffffffffffff", false},
    {"", false},
};

START_TEST(explicit_randomness)
{
	struct trace_parent p = {.valid = true};
	struct trace_sampler s;
	uint8_t id[TRACE_ID_LEN] = {0};

	(void)util_strlcpy(p.state, randoms[_i].state, sizeof(p.state));
	trace_sampler_init(&s, TRACE_RATIO, 0.5);
	ck_assert_msg(trace_sampler_takes(&s, &p, id) == randoms[_i].taken,
	    "%s", p.state);
}
END_TEST

/* --- JSON ----------------------------------------------------------------- */

static const uint8_t id16[TRACE_ID_LEN] = {
    0xAB, 0xCD, 0xEF, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
static const uint8_t id8[TRACE_SPAN_ID_LEN] = {0xFE, 1, 2, 3, 4, 5, 6, 7};
static const uint8_t parent8[TRACE_SPAN_ID_LEN] = {9, 8, 7, 6, 5, 4, 3, 2};

static void
check_text(struct buf *b, const char *want)
{
	ck_assert_int_eq(buf_putc(b, '\0'), 0);
	ck_assert_str_eq((char *)b->data, want);
	buf_clear(b);
}

START_TEST(a_span_with_all)
{
	static const struct trace_attr attrs[] = {
	    {"text", "a\"b\\\n\xc3\xa9", 0},
	    {"none", NULL, -1},
	    {"num", NULL, INT64_MAX},
	    {"zero", NULL, 0},
	};
	static const struct trace_event events[] = {
	    {"one", 5, attrs, 1},
	    {"two", 1700000000000001, attrs + 1, 1},
	};
	const struct trace_span span = {
	    .trace_id = id16,
	    .span_id = id8,
	    .parent_id = parent8,
	    .remote = true,
	    .flags = 3,
	    .state = "a=1",
	    .name = "GET",
	    .kind = TRACE_KIND_SERVER,
	    .begin_us = 1700000000000001,
	    .end_us = 1700000000000002,
	    .attrs = attrs,
	    .attr_count = UTIL_COUNT(attrs),
	    .events = events,
	    .event_count = UTIL_COUNT(events),
	    .error = true,
	};
	struct buf b;

	buf_init(&b, 4096);
	ck_assert_int_eq(trace_json_span(&b, &span), 0);
	check_text(&b,
	    "{\"traceId\":\"abcdef0102030405060708090a0b0c0d\",\"spanId\":"
	    "\"fe01020304050607\",\"traceState\":\"a=1\",\"parentSpanId\":"
	    "\"0908070605040302\",\"flags\":771,\"name\":\"GET\",\"kind\":2,"
	    "\"startTimeUnixNano\":\"1700000000000001000\","
	    "\"endTimeUnixNano\":\"1700000000000002000\",\"attributes\":["
	    "{\"key\":\"text\",\"value\":{\"stringValue\":"
	    "\"a\\\"b\\\\\\n\xc3\xa9\"}},"
	    "{\"key\":\"num\",\"value\":{\"intValue\":"
	    "\"9223372036854775807\"}},"
	    "{\"key\":\"zero\",\"value\":{\"intValue\":\"0\"}}],"
	    "\"events\":[{\"timeUnixNano\":\"5000\",\"name\":\"one\","
	    "\"attributes\":[{\"key\":\"text\",\"value\":{\"stringValue\":"
	    "\"a\\\"b\\\\\\n\xc3\xa9\"}}]},"
	    "{\"timeUnixNano\":\"1700000000000001000\",\"name\":\"two\","
	    "\"attributes\":[]}],\"status\":{\"code\":2}}");
}
END_TEST

START_TEST(a_span_with_little)
{
	const struct trace_span span = {
	    .trace_id = id16,
	    .span_id = id8,
	    .state = "",
	    .name = "PUT",
	    .kind = TRACE_KIND_CLIENT,
	    .begin_us = 1,
	    .end_us = 2,
	};
	static const struct trace_attr resource[] = {{"service.name", "t", 0}};
	struct buf b;
	char want[1024];

	buf_init(&b, 4096);
	(void)trace_json_begin(&b, resource, 1);
	(void)trace_json_span(&b, &span);
	ck_assert_int_eq(trace_json_end(&b), 0);
	ck_assert(util_fmt(want, sizeof(want),
	    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":"
	    "\"service.name\",\"value\":{\"stringValue\":\"t\"}}]},"
	    "\"scopeSpans\":[{\"scope\":{\"name\":\"telephone\",\"version\":"
	    "\"%s\"},\"spans\":[{\"traceId\":"
	    "\"abcdef0102030405060708090a0b0c0d\",\"spanId\":"
	    "\"fe01020304050607\",\"flags\":256,\"name\":\"PUT\",\"kind\":3,"
	    "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\","
	    "\"attributes\":[]}]}]}]}",
	    version));
	check_text(&b, want);
	buf_init(&b, 100);
	ck_assert_int_eq(trace_json_span(&b, &span), -1);
	buf_clear(&b);
}
END_TEST

static const struct {
	const char *text;
	int result;
	uint64_t rejected;
	const char *why;
} answers[] = {
    {"", 0, 0, ""},
    {"{}", 0, 0, ""},
    {" {\"partialSuccess\":{}} ", 0, 0, ""},
    {"{\"partialSuccess\":null}", 0, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":"
     "\"too \\\"old\\\"\"}}",
	0, 3, "too \"old\""},
    {"{\"partialSuccess\":{\"rejectedSpans\":7}}", 0, 7, ""},
    {"{\"more\":[1],\"partialSuccess\":{\"rejectedSpans\":null,\"x\":1}}", 0, 0,
	""},
    {"{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}", -1, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":\"many\"}}", -1, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":1.5}}", -1, 0, ""},
    {"{\"partialSuccess\":{\"errorMessage\":5}}", -1, 0, ""},
    {"{\"partialSuccess\":[]}", -1, 0, ""},
    {"[]", -1, 0, ""},
    {"ok", -1, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":\"3\"}", -1, 0, ""},
};

START_TEST(an_answer)
{
	char text[256], why[TRACE_JSON_TEXT_MAX];
	uint64_t rejected;

	(void)util_strlcpy(text, answers[_i].text, sizeof(text));
	ck_assert_int_eq(
	    trace_json_answer((uint8_t *)text, strlen(text), &rejected, why),
	    answers[_i].result);
	if (answers[_i].result == -1)
		return;
	ck_assert_uint_eq(rejected, answers[_i].rejected);
	ck_assert_str_eq(why, answers[_i].why);
}
END_TEST

START_TEST(a_long_reason_is_cut)
{
	char text[1024], why[TRACE_JSON_TEXT_MAX];
	uint64_t rejected;

	(void)util_fmt(text, sizeof(text),
	    "{\"partialSuccess\":{\"errorMessage\":\"x%s%s\"}}", HUNDRED,
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
	ck_assert_int_eq(
	    trace_json_answer((uint8_t *)text, strlen(text), &rejected, why),
	    0);
	ck_assert_uint_eq(strlen(why), TRACE_JSON_TEXT_MAX - 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tc = tcase_create("trace");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, a_traceparent, 0, (int)UTIL_COUNT(parents));
	tcase_add_loop_test(tc, a_tracestate, 0, (int)UTIL_COUNT(states));
	tcase_add_test(tc, a_tracestate_of_short_members);
	tcase_add_loop_test(
	    tc, the_fields_of_a_request, 0, (int)UTIL_COUNT(requests));
	tcase_add_test(tc, no_fields_at_all);
	tcase_add_test(tc, the_same_place);
	tcase_add_loop_test(tc, a_ratio_is_exact, 0, (int)UTIL_COUNT(ratios));
	tcase_add_test(tc, none_and_all);
	tcase_add_test(tc, ratios_are_consistent);
	tcase_add_loop_test(tc, a_parent_decides, 0, (int)UTIL_COUNT(bases));
	tcase_add_loop_test(
	    tc, explicit_randomness, 0, (int)UTIL_COUNT(randoms));
	tcase_add_test(tc, a_span_with_all);
	tcase_add_test(tc, a_span_with_little);
	tcase_add_loop_test(tc, an_answer, 0, (int)UTIL_COUNT(answers));
	tcase_add_test(tc, a_long_reason_is_cut);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
