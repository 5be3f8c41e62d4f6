/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/ws_base64 and worker/ws_frame. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ws_base64.h"
#include "ws_frame.h"

/* --- base64: the vectors of RFC 4648 §10, and all that is none ------------ */

static const struct {
	const char *plain, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
};

START_TEST(base64_vectors)
{
	const char *plain = vectors[_i].plain, *text = vectors[_i].text;
	uint8_t space[16];
	struct json_str s = {space, strlen(text)};

	ws_base64_encode((const uint8_t *)plain, strlen(plain), space);
	ck_assert_uint_eq(WS_BASE64_LEN(strlen(plain)), strlen(text));
	ck_assert_mem_eq(space, text, strlen(text));
	ck_assert(ws_base64_decode(&s));
	ck_assert_uint_eq(s.len, strlen(plain));
	ck_assert_mem_eq(space, plain, strlen(plain));
}
END_TEST

static const char *const no_base64[] = {"Z", "Zg",
    "Zg=", "Zg===", "====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9",
    "Zm9v\n", "Zm9v====", "Zm-_", "=m9v", "Z=9v", "Zm=v", "Zm\xc3\xa9"};

START_TEST(base64_refuses)
{
	uint8_t space[16];
	struct json_str s = {space, strlen(no_base64[_i])};

	memcpy(space, no_base64[_i], s.len);
	ck_assert_msg(!ws_base64_decode(&s), "%s", no_base64[_i]);
}
END_TEST

START_TEST(base64_any_bytes)
{
	uint8_t in[300], out[WS_BASE64_LEN(300)];
	size_t len, i;

	for (len = 0; len <= sizeof(in); len++) {
		struct json_str s = {out, WS_BASE64_LEN(len)};

		for (i = 0; i < len; i++)
			in[i] = (uint8_t)(i * 7 + len);
		ws_base64_encode(in, len, out);
		ck_assert(ws_base64_decode(&s));
		ck_assert_uint_eq(s.len, len);
		ck_assert_mem_eq(out, in, len);
	}
}
END_TEST

/* --- close codes ---------------------------------------------------------- */

START_TEST(codes)
{
	int code;

	for (code = -1; code < 70000; code++) {
		bool wire = (code >= 1000 && code <= 1014 && code != 1004 &&
				code != 1005 && code != 1006) ||
		    (code >= 3000 && code <= 4999);

		ck_assert_msg(ws_code_is_wire(code) == wire, "%d", code);
		ck_assert_int_eq(ws_code_to_wire(code),
		    wire	       ? code
			: code == 1005 ? 1000
				       : 1011);
	}
	ck_assert_int_eq(ws_code_to_wire(INT64_MAX), 1011);
	ck_assert_int_eq(ws_code_to_wire(((int64_t)1 << 32) + 1000), 1011);
}
END_TEST

START_TEST(close_payloads)
{
	uint8_t p[WS_CONTROL_MAX];
	char reason[126];
	size_t i;

	ck_assert_uint_eq(ws_put_close(p, 1005, "x", 1), 0);
	ck_assert_uint_eq(ws_put_close(p, 4000, "ab", 2), 4);
	ck_assert_mem_eq(p,
	    "\x0f\xa0"
	    "ab",
	    4);
	ck_assert_int_eq(ws_close_code(p, 4), 4000);
	ck_assert_int_eq(ws_close_code(p, 0), 1005);
	ck_assert_int_eq(ws_close_code(p, 1), -1);
	ck_assert_int_eq(ws_close_code((const uint8_t *)"\x03\xee", 2), -1);
	ck_assert_int_eq(ws_close_code((const uint8_t *)"\x03\xe8\xc3", 3), -1);
	/* A character of two bytes at the bound of 123 goes whole. */
	for (i = 0; i < sizeof(reason) - 1; i++)
		reason[i] = i % 2 == 0 ? (char)0xc3 : (char)0xa9;
	ck_assert_uint_eq(ws_put_close(p, 1000, reason, 124), 2 + 122);
	ck_assert_uint_eq(ws_put_close(p, 1000, "a\xff", 2), 3);
}
END_TEST

/* --- reading -------------------------------------------------------------- */

/* Feeds bytes in pieces of `step`; writes what comes of it as text: "T<abc>",
 * "B<…>", "P", "O", "C<…>" and "!1002". */
static void
read_as(char *out, const char *bytes, size_t len, size_t step, size_t max)
{
	static const char letters[] = " TB     CPO";
	struct ws_reader r;
	size_t at, n;
	char *p = out;

	ws_reader_init(&r, max);
	for (at = 0; at < len; at += n) {
		const uint8_t *data = (const uint8_t *)bytes + at;
		size_t left;
		enum ws_read got;

		n = left = len - at < step ? len - at : step;
		while (
		    (got = ws_reader_take(&r, &data, &left)) != WS_READ_MORE) {
			if (got == WS_READ_FAULT) {
				p += sprintf(p, "!%d", r.fault_code);
				goto done;
			}
			p += sprintf(p, "%c<%.*s>", letters[r.opcode],
			    (int)r.len, r.len > 0 ? (const char *)r.data : "");
		}
		ck_assert_uint_eq(left, 0);
	}
done:
	*p = '\0';
	ws_reader_clear(&r);
}

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *want;
} reads[] = {
    {BYTES("\x81\x00"), "T<>"}, {BYTES("\x82\x00\x81\x01z"), "B<>T<z>"},
    {BYTES("\x81\x03"
	   "abc\x82\x01x"),
	"T<abc>B<x>"},
    {BYTES("\x01\x01"
	   "a\x89\x02"
	   "pi\x00\x00\x80\x01"
	   "b"),
	"P<pi>T<ab>"},
    {BYTES("\x01\x00\x00\x00\x80\x00"), "T<>"},
    {BYTES("\x01\x01\xc3\x8a\x00\x80\x01\xa9"), "O<>T<\xc3\xa9>"},
    {BYTES("\x88\x02\x03\xe8"), "C<\x03\xe8>"},
    {BYTES("\x88\x00\x81\x01x"), "C<>T<x>"}, {BYTES("\x81\x01\xff"), "!1007"},
    {BYTES("\x81\x01\xc3"), "!1007"}, {BYTES("\x01\x02\xed\xa0"), "!1007"},
    {BYTES("\x82\x02\xff\xfe"), "B<\xff\xfe>"},
    {BYTES("\x81\x81"), "!1002"}, /* masked */
    {BYTES("\xc1\x00"), "!1002"}, /* reserved bits */
    {BYTES("\xa1\x00"), "!1002"}, {BYTES("\x91\x00"), "!1002"},
    {BYTES("\x83\x00"), "!1002"}, /* opcodes */
    {BYTES("\x87\x00"), "!1002"}, {BYTES("\x8b\x00"), "!1002"},
    {BYTES("\x8f\x00"), "!1002"},
    {BYTES("\x80\x00"), "!1002"},	  /* nothing to go on with */
    {BYTES("\x01\x00\x82\x00"), "!1002"}, /* a message in a message */
    {BYTES("\x09\x00"), "!1002"},	  /* a fragmented ping */
    {BYTES("\x89\x7e\x00\x7e"), "!1002"}, /* one of 126 bytes */
    {BYTES("\x81\x7e\x00\x7d"), "!1002"}, /* a length too long */
    {BYTES("\x81\x7f\0\0\0\0\0\0\xff\xff"), "!1002"},
    {BYTES("\x81\x7f\x80\0\0\0\0\0\0\0"), "!1002"},
    {BYTES("\x81\x7f\0\0\0\0\0\1\0\0"), "!1009"},
    {BYTES("\x81\x7e\x04\x01"), "!1009"}, /* 1025 of 1024 */
    {BYTES("\x01\x01"
	   "a\x00\x7e\x04\x00"),
	"!1009"}, /* 1 and 1024 */
};

START_TEST(reads_frames)
{
	char out[256];
	size_t step;

	for (step = 1; step <= reads[_i].len; step++) {
		read_as(out, reads[_i].bytes, reads[_i].len, step, 1024);
		ck_assert_str_eq(out, reads[_i].want);
	}
}
END_TEST

START_TEST(reads_the_longest)
{
	struct ws_reader r;
	uint8_t frame[4 + 1024] = {0x82, 126, 4, 0};
	const uint8_t *at = frame;
	size_t left = sizeof(frame);

	ws_reader_init(&r, 1024);
	ck_assert_int_eq(ws_reader_take(&r, &at, &left), WS_READ_MESSAGE);
	ck_assert_uint_eq(r.len, 1024);
	ck_assert_uint_eq(left, 0);
	ws_reader_clear(&r);
}
END_TEST

/* --- writing -------------------------------------------------------------- */

static const struct {
	size_t len, head_len;
	uint8_t second;
} heads[] = {
    {0, 6, 0x80},
    {125, 6, 0x80 | 125},
    {126, 8, 0x80 | 126},
    {65535, 8, 0x80 | 126},
    {65536, 14, 0x80 | 127},
};

START_TEST(writes_heads)
{
	static const uint8_t mask[4] = {1, 2, 3, 4};
	uint8_t head[WS_HEAD_MAX];
	size_t len = heads[_i].len, i, n = 0;

	ck_assert_uint_eq(
	    ws_put_head(head, WS_BINARY, len, mask), heads[_i].head_len);
	ck_assert_uint_eq(head[0], 0x82);
	ck_assert_uint_eq(head[1], heads[_i].second);
	for (i = 2; i < heads[_i].head_len - 4; i++)
		n = n << 8 | head[i];
	if (heads[_i].head_len > 6)
		ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(head + heads[_i].head_len - 4, mask, 4);
}
END_TEST

START_TEST(masks)
{
	/* RFC 6455 §5.7: a masked "Hello". */
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t data[] = "Hello";

	ws_mask(data, 5, mask);
	ck_assert_mem_eq(data, "\x7f\x9f\x4d\x51\x58", 5);
	ws_mask(data, 5, mask);
	ck_assert_mem_eq(data, "Hello", 5);
}
END_TEST

START_TEST(opcodes)
{
	static const enum ws_opcode all[] = {
	    WS_TEXT, WS_BINARY, WS_PING, WS_PONG};
	size_t i;

	for (i = 0; i < 4; i++) {
		const char *name = ws_opcode_name(all[i]);

		ck_assert_int_eq(
		    ws_opcode_of((const uint8_t *)name, strlen(name)), all[i]);
	}
	ck_assert_ptr_null(ws_opcode_name(WS_CLOSE));
	ck_assert_int_eq(
	    ws_opcode_of((const uint8_t *)"close", 5), WS_CONTINUATION);
	ck_assert_int_eq(
	    ws_opcode_of((const uint8_t *)"textual", 7), WS_CONTINUATION);
	ck_assert_int_eq(ws_opcode_of(NULL, 0), WS_CONTINUATION);
}
END_TEST

#define LOOP(tc, test, table) \
	tcase_add_loop_test(  \
	    tc, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("ws_frame");
	TCase *tc = tcase_create("ws_frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	LOOP(tc, base64_vectors, vectors);
	LOOP(tc, base64_refuses, no_base64);
	tcase_add_test(tc, base64_any_bytes);
	tcase_add_test(tc, codes);
	tcase_add_test(tc, close_payloads);
	LOOP(tc, reads_frames, reads);
	tcase_add_test(tc, reads_the_longest);
	LOOP(tc, writes_heads, heads);
	tcase_add_test(tc, masks);
	tcase_add_test(tc, opcodes);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
