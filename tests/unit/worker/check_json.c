/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/json: RFC 8259, strictly, and nothing past the end. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

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

struct text {
	const char *data;
	size_t len;
};
#define T(s)                     \
	{                        \
		s, sizeof(s) - 1 \
	}

static const struct text good[] = {
    T("null"),
    T("true"),
    T("false"),
    T("0"),
    T("-0"),
    T("-1.5e+10"),
    T("1E5"),
    T("0.1"),
    T("1e-0"),
    T("123456789012345678901234567890"),
    T("\"\""),
    T("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uABcd\""),
    T("[]"),
    T("[ ]"),
    T("{}"),
    T("{ }"),
    T("[[],{},[[]]]"),
    T(" \t\r\n[ 1 , 2 ]\n"),
    T("{\"a\":1,\"a\":2}"),
    T("{\"\":{\"\":[{}]}}"),
    T("\"\x7f\""),
    T("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
    T("[\"]\",\"}\",\"{\"]"),
    T("{ \"a\" : [ true , false ] , \"b\" : null }"),
};

static const struct text bad[] = {
    T(""),
    T(" "),
    T("nul"),
    T("nullx"),
    T("True"),
    T("tru"),
    T("+1"),
    T("01"),
    T("-"),
    T("-01"),
    T("1."),
    T(".5"),
    T("1.e5"),
    T("1e"),
    T("1e+"),
    T("0x1"),
    T("Infinity"),
    T("NaN"),
    T("1 2"),
    T("[1"),
    T("[1,"),
    T("[1,]"),
    T("[,1]"),
    T("[1,,2]"),
    T("[1 2]"),
    T("[1}"),
    T("{1:2}"),
    T("{\"a\"}"),
    T("{\"a\":}"),
    T("{\"a\":1"),
    T("{\"a\":1,"),
    T("{\"a\":1,}"),
    T("{,}"),
    T("{\"a\" 1}"),
    T("{\"a\":1]"),
    T("{\"a\":1 \"b\":2}"),
    T("{a:1}"),
    T("{'a':1}"),
    T("]"),
    T("}"),
    T("["),
    T("{"),
    T("[[]"),
    T("[]]"),
    T("{}}"),
    T("\""),
    T("\"a"),
    T("\"a\\"),
    T("\"a\\\""),
    T("\"\\x\""),
    T("\"\\u12\""),
    T("\"\\u12g4\""),
    T("\"\\u 123\""),
    T("\"\\U0041\""),
    T("\"a\nb\""),
    T("\"a\0b\""),
    T("\"\x1f\""),
    T("\"12345678\x01\""),
    T("null\0"),
    T("\xef\xbb\xbfnull"),
    T("\"\xff\""),
    T("\"\xc0\x80\""),
    T("\"\xed\xa0\x80\""),
    T("\"\xc3\""),
    T("{\"\xc3\":1}"),
    T("// c\n1"),
    T("[1/**/]"),
    T("\f1"),
    T("1\v"),
    T("\xc2\xa0"
      "1"),
    T("[\"a\",\n4,\n1,"),
    T("*"),
    T("\"\\"),
    T("\"\\u00"),
};

START_TEST(accepts_what_is_json)
{
	uint8_t *s = copy(good[_i].data, good[_i].len);
	struct json_value v;

	ck_assert_msg(
	    json_parse(&v, s, good[_i].len), "refused: %s", good[_i].data);
	free(s);
}
END_TEST

START_TEST(refuses_what_is_not)
{
	uint8_t *s = copy(bad[_i].data, bad[_i].len);
	struct json_value v;

	ck_assert_msg(
	    !json_parse(&v, s, bad[_i].len), "accepted: %s", bad[_i].data);
	free(s);
}
END_TEST

/* Every true prefix of a container or a string is no JSON. */
START_TEST(refuses_what_is_cut)
{
	static const char whole[] =
	    "{\"a\":[1,-2.5e3,\"\\u00e9\\n\xc3\xa9\",{\"b\":null}],\"c\":true}";
	struct json_value v;
	size_t len;

	for (len = 0; len < sizeof(whole); len++) {
		uint8_t *s = copy(whole, len);

		ck_assert_int_eq(
		    json_parse(&v, s, len), len == sizeof(whole) - 1);
		free(s);
	}
}
END_TEST

static bool
parse_nested(
    size_t depth, const char *open, const char *inner, const char *close)
{
	char text[4096] = "";
	struct json_value v;
	size_t i;

	for (i = 0; i < depth; i++)
		strcat(text, open);
	strcat(text, inner);
	for (i = 0; i < depth; i++)
		strcat(text, close);
	return json_parse(&v, (uint8_t *)text, strlen(text));
}

START_TEST(nests_to_its_bound)
{
	ck_assert(parse_nested(JSON_DEPTH_MAX, "[", "1", "]"));
	ck_assert(!parse_nested(JSON_DEPTH_MAX + 1, "[", "1", "]"));
	ck_assert(!parse_nested(JSON_DEPTH_MAX, "[", "[]", "]"));
	ck_assert(parse_nested(JSON_DEPTH_MAX, "{\"a\":", "1", "}"));
	ck_assert(!parse_nested(JSON_DEPTH_MAX + 1, "{\"a\":", "1", "}"));
	ck_assert(!parse_nested(400, "[{\"a\":", "1", "}]"));
}
END_TEST

/* A control, a quote and a backslash are seen at each place of a word. */
START_TEST(strings_end_wherever_they_end)
{
	static const char stops[] = {'\x1f', '\n', '"', '\\', '\0'};
	char text[48];
	struct json_value v;
	size_t len, at, i;

	for (len = 1; len < 40; len++) {
		memset(text, 'a', sizeof(text));
		text[0] = text[len + 1] = '"';
		ck_assert(json_parse(&v, (uint8_t *)text, len + 2));
		ck_assert_uint_eq(v.raw.len, len);
		for (at = 1; at <= len; at++) {
			for (i = 0; i < sizeof(stops); i++) {
				text[at] = stops[i];
				ck_assert(
				    !json_parse(&v, (uint8_t *)text, len + 2));
			}
			text[at] = '\xe9';
			ck_assert(!json_parse(&v, (uint8_t *)text, len + 2));
			text[at] = 'a';
		}
	}
}
END_TEST

static bool
raw_is(struct json_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

START_TEST(walks_members_in_order)
{
	char text[] = " {\"a\" : 1 ,\"a\":\"x\\n\", \"\\u0062\":[ ],\"\":{}} ";
	static const struct {
		const char *name, *raw;
		enum json_type type;
	} want[] = {
	    {"a", "1", JSON_NUMBER},
	    {"a", "x\\n", JSON_STRING},
	    {"\\u0062", "[ ]", JSON_ARRAY},
	    {"", "{}", JSON_OBJECT},
	};
	struct json_cursor c;
	struct json_value v;
	struct json_str name;
	size_t i;

	ck_assert(json_parse(&v, (uint8_t *)text, strlen(text)));
	ck_assert_int_eq(v.type, JSON_OBJECT);
	json_enter(&c, &v);
	for (i = 0; i < 4; i++) {
		ck_assert(json_next_member(&c, &name, &v));
		ck_assert(raw_is(name, want[i].name));
		ck_assert(raw_is(v.raw, want[i].raw));
		ck_assert_int_eq(v.type, want[i].type);
	}
	ck_assert(!json_next_member(&c, &name, &v));
	ck_assert(!c.failed);
}
END_TEST

START_TEST(walks_elements_of_each_type)
{
	char text[] = "[null,true,false,-1,\"\",[1],{\"a\":2}]";
	static const enum json_type want[] = {JSON_NULL, JSON_BOOL, JSON_BOOL,
	    JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT};
	struct json_cursor c;
	struct json_value v;
	size_t i;

	ck_assert(json_parse(&v, (uint8_t *)text, strlen(text)));
	json_enter(&c, &v);
	for (i = 0; i < 7; i++) {
		ck_assert(json_next_element(&c, &v));
		ck_assert_int_eq(v.type, want[i]);
	}
	ck_assert(!json_next_element(&c, &v));
	ck_assert(!json_next_element(&c, &v));
	ck_assert(!c.failed);
}
END_TEST

/* A cursor over what nobody has parsed before finds the fault itself. */
START_TEST(a_cursor_trusts_nobody)
{
	static const char *const texts[] = {
	    "[1 2]", "[1,]", "[,]", "[1,\"a]", "[1,tru]", "[1]]", "[\x01]"};
	struct json_cursor c;
	struct json_value v;
	char text[16];

	strcpy(text, texts[_i]);
	v.type = JSON_ARRAY;
	v.raw.data = (uint8_t *)text;
	v.raw.len = strlen(text);
	json_enter(&c, &v);
	while (json_next_element(&c, &v))
		;
	ck_assert_msg(c.failed, "accepted: %s", text);
	ck_assert(!json_next_element(&c, &v));
}
END_TEST

static const struct {
	const char *in;
	struct text out; /* data NULL: refused */
} escapes[] = {
    {"", T("")},
    {"plain", T("plain")},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", T("\"\\/\b\f\n\r\t")},
    {"a\\u0000b", T("a\0b")},
    {"\\u0041\\u007f\\u0080\\u07ff", T("A\x7f\xc2\x80\xdf\xbf")},
    {"\\u0800\\uFFFF\\ud7ff\\ue000",
	T("\xe0\xa0\x80\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80")},
    {"\\ud83d\\ude00!", T("\xf0\x9f\x98\x80!")},
    {"\\ud800\\udc00\\uDBFF\\uDFFF", T("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
    {"\xc3\xa9\\n\xc3\xa9", T("\xc3\xa9\n\xc3\xa9")},
    {"long enough to be moved\\tlong enough to be moved\\t.",
	T("long enough to be moved\tlong enough to be moved\t.")},
    {"\\\\u0041", T("\\u0041")},
    {"\\ud800", {NULL, 0}},
    {"\\udc00", {NULL, 0}},
    {"\\udc00\\ud800", {NULL, 0}},
    {"\\ud800\\ud800", {NULL, 0}},
    {"\\ud800\\u0041", {NULL, 0}},
    {"\\ud800x", {NULL, 0}},
    {"\\ud800\\n12345", {NULL, 0}},
    {"\\ud83d\\ude", {NULL, 0}},
    {"\\", {NULL, 0}},
    {"a\\x", {NULL, 0}},
    {"\\u12", {NULL, 0}},
    {"\\u12G4", {NULL, 0}},
    {"tab\there", {NULL, 0}},
    {"\\ttab\there", {NULL, 0}},
    {"a\"b", {NULL, 0}},
    {"\\na\"b", {NULL, 0}},
};

START_TEST(unescapes_in_place)
{
	size_t len = strlen(escapes[_i].in);
	struct json_str s = {copy(escapes[_i].in, len), len};
	uint8_t *data = s.data;
	bool ok = json_unescape(&s);

	ck_assert_msg(
	    ok == (escapes[_i].out.data != NULL), "%s", escapes[_i].in);
	if (ok) {
		ck_assert_uint_eq(s.len, escapes[_i].out.len);
		ck_assert_ptr_eq(s.data, data);
		ck_assert_mem_eq(s.data, escapes[_i].out.data, s.len);
	}
	free(data);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	int64_t value;
} ints[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"42", true, 42},
    {"-42", true, -42},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999999999999999", false, 0},
    {"1.0", false, 0},
    {"1e2", false, 0},
    {"\"1\"", false, 0},
    {"true", false, 0},
    {"null", false, 0},
};

START_TEST(integers_fit_or_are_refused)
{
	size_t len = strlen(ints[_i].text);
	uint8_t *s = copy(ints[_i].text, len);
	struct json_value v;
	int64_t n = 7;

	ck_assert(json_parse(&v, s, len));
	ck_assert_int_eq(json_int(&v, &n), ints[_i].ok);
	ck_assert_int_eq(n, ints[_i].ok ? ints[_i].value : 7);
	free(s);
}
END_TEST

static const struct {
	const char *raw, *text;
	bool same;
} names[] = {
    {"status", "status", true},
    {"\\u0073tatus", "status", true},
    {"statu\\u0073", "status", true},
    {"statuS", "status", false},
    {"statu", "status", false},
    {"status2", "status", false},
    {"\\u0073tatus2", "status", false},
    {"status\\u0000", "status", false},
    {"\\ud800", "status", false},
    {"", "", true},
    {"a\\/b", "a/b", true},
};

/* Names are equal when they say the same, not when they are spelt alike; and
 * asking changes nothing. */
START_TEST(names_are_compared_unescaped)
{
	size_t len = strlen(names[_i].raw);
	struct json_str raw = {copy(names[_i].raw, len), len};

	ck_assert_int_eq(json_name_is(raw, names[_i].text), names[_i].same);
	ck_assert_mem_eq(raw.data, names[_i].raw, len);
	free(raw.data);
}
END_TEST

/* All of ASCII, and some of each length, written and read again. */
static size_t
sample(uint8_t out[256])
{
	static const char more[] = "\xc2\x80\xdf\xbf\xe2\x82\xac\xed\x9f\xbf"
				   "\xf0\x9f\x98\x80 plain at the end";
	size_t i;

	for (i = 0; i < 128; i++)
		out[i] = (uint8_t)i;
	memcpy(out + 128, more, sizeof(more));
	return 128 + sizeof(more);
}

START_TEST(writes_what_it_reads)
{
	uint8_t in[256];
	size_t len = sample(in);
	struct json_value v;
	struct buf b;

	buf_init(&b, 4096);
	ck_assert_int_eq(json_put_str(&b, in, len), 0);
	ck_assert(json_parse(&v, b.data, b.len));
	ck_assert_int_eq(v.type, JSON_STRING);
	ck_assert(json_unescape(&v.raw));
	ck_assert_uint_eq(v.raw.len, len);
	ck_assert_mem_eq(v.raw.data, in, len);
	buf_reset(&b);
	ck_assert_int_eq(json_put_str(&b, "\"\\\x01\n\x7f", 5), 0);
	ck_assert_uint_eq(b.len, 15);
	ck_assert_mem_eq(b.data, "\"\\\"\\\\\\u0001\\n\x7f\"", 15);
	buf_clear(&b);
	buf_init(&b, 10);
	ck_assert_int_eq(json_put_str(&b, "0123456789", 10), -1);
	buf_clear(&b);
}
END_TEST

/* Piece by piece with any room, the same text comes out, and no piece ends
 * inside a character or an escape. */
START_TEST(escapes_in_pieces_of_any_size)
{
	uint8_t in[256], piece[64];
	size_t len = sample(in), at = 0, taken, n, cap = (size_t)_i;
	struct buf whole, b;

	buf_init(&whole, 4096);
	buf_init(&b, 4096);
	(void)json_put_str(&whole, in, len);
	(void)buf_putc(&b, '"');
	while (at < len) {
		n = json_escape(in + at, len - at, &taken, piece, cap);
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_gt(taken, 0);
		ck_assert_uint_le(n, cap);
		ck_assert(utf8_is_valid(piece, n));
		(void)buf_append(&b, piece, n);
		at += taken;
	}
	(void)buf_putc(&b, '"');
	ck_assert_uint_eq(b.len, whole.len);
	ck_assert_mem_eq(b.data, whole.data, b.len);
	buf_clear(&whole);
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

/* Walks everything below a value, as deep as it goes. Returns how many values
 * there are, 0 after a failure. */
static size_t
walk(const struct json_value *v)
{
	struct json_cursor c;
	struct json_value inner;
	struct json_str name;
	size_t count = 1, n;

	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
		return 1;
	json_enter(&c, v);
	while (v->type == JSON_ARRAY ? json_next_element(&c, &inner)
				     : json_next_member(&c, &name, &inner)) {
		n = walk(&inner);
		if (n == 0)
			return 0;
		count += n;
	}
	return c.failed ? 0 : count;
}

/* What the scanner accepts, the cursor walks to its end; what it refuses
 * breaks nothing. */
START_TEST(mutations_break_nothing)
{
	static const char seed[] =
	    "{\"a\":[1,-2.5e3,\"\\u00e9\\n\xc3\xa9\",{\"b\":null}],\"c\":true,"
	    "\"d\":\"\\ud83d\\ude00 some longer text\",\"e\":[[[]],{}]}";
	static const char alphabet[] = "{}[]\",:\\u0dn e.-+t\xc3\xff\x01";
	uint32_t state = 12345;
	size_t accepted = 0, i, k, len = sizeof(seed) - 1;
	struct json_value v;

	for (i = 0; i < 200000; i++) {
		uint8_t *s = copy(seed, len);
		size_t used = len;

		for (k = next_random(&state) % 4; k > 0; k--)
			s[next_random(&state) % len] = (uint8_t)
			    alphabet[next_random(&state) % sizeof(alphabet)];
		if (next_random(&state) % 8 == 0) {
			used = next_random(&state) % len;
			s = realloc(s, used + 1);
			ck_assert_ptr_nonnull(s);
		}
		if (json_parse(&v, s, used)) {
			accepted++;
			if (walk(&v) == 0)
				ck_abort_msg("%.*s", (int)used, (char *)s);
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
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	LOOP(tc, accepts_what_is_json, good);
	LOOP(tc, refuses_what_is_not, bad);
	tcase_add_test(tc, refuses_what_is_cut);
	tcase_add_test(tc, nests_to_its_bound);
	tcase_add_test(tc, strings_end_wherever_they_end);
	tcase_add_test(tc, walks_members_in_order);
	tcase_add_test(tc, walks_elements_of_each_type);
	tcase_add_loop_test(tc, a_cursor_trusts_nobody, 0, 7);
	LOOP(tc, unescapes_in_place, escapes);
	LOOP(tc, integers_fit_or_are_refused, ints);
	LOOP(tc, names_are_compared_unescaped, names);
	tcase_add_test(tc, writes_what_it_reads);
	tcase_add_loop_test(tc, escapes_in_pieces_of_any_size, 6, 40);
	tcase_add_test(tc, mutations_break_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
