/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/ws_handshake and worker/ws_event. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ws_event.h"
#include "ws_handshake.h"

#define ROOM 4096

static struct json_str
text(char *space, const char *s)
{
	struct json_str out = {(uint8_t *)space, strlen(s)};

	memcpy(space, s, out.len + 1);
	return out;
}

static const char *
build(struct buf *b, const char *path, const char *query, const char *headers)
{
	char space[3][ROOM];
	struct ws_ask ask = {
	    .path = text(space[0], path),
	    .query = text(space[1], query),
	    .headers = text(space[2], headers),
	    .host = "app.example:81",
	};

	buf_init(b, 64 * 1024);
	return ws_handshake_build(b, &ask);
}

#define OWN                                             \
	"Upgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\n"

static const struct {
	const char *path, *query, *headers, *want;
} good[] = {
    {"/a", "", "{}", "GET /a HTTP/1.1\r\nHost: app.example:81\r\n" OWN},
    {"", "", "{}", "GET / HTTP/1.1\r\nHost: app.example:81\r\n" OWN},
    {"/a%2Fb%20", "x=%20&y=[1]|", "{\"host\":\"h\"}",
	"GET /a%2Fb%20?x=%20&y=[1]| HTTP/1.1\r\nHost: h\r\n" OWN},
    {"/\xc3\xa9", "\xc3\xa9 #", "{}",
	"GET /%C3%A9?%C3%A9%20%23 HTTP/1.1\r\nHost: app.example:81\r\n" OWN},
    {"/", "",
	"{\"cookie\":\"a=1\",\"sec-websocket-key\":\"x\","
	"\"Sec-WebSocket-Extensions\":\"x\",\"sec-websocket-version\":\"8\","
	"\"upgrade\":\"h2c\",\"connection\":\"x-hop\",\"x-hop\":\"1\","
	"\"te\":\"trailers\",\"sec-websocket-protocol\":\"a, b\"}",
	"GET / HTTP/1.1\r\nHost: app.example:81\r\n" OWN
	"cookie: a=1\r\nsec-websocket-protocol: a, b\r\n"},
};

START_TEST(builds)
{
	struct buf b;

	ck_assert_ptr_null(
	    build(&b, good[_i].path, good[_i].query, good[_i].headers));
	ck_assert_uint_eq(b.len, strlen(good[_i].want));
	ck_assert_mem_eq(b.data, good[_i].want, b.len);
	ck_assert_int_eq(
	    ws_handshake_finish(&b, "AAAAAAAAAAAAAAAAAAAAAA=="), 0);
	ck_assert_mem_eq(b.data + strlen(good[_i].want),
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
	    b.len - strlen(good[_i].want));
	buf_clear(&b);
}
END_TEST

static const struct {
	const char *path, *headers;
} bad[] = {
    {"/a b", "{}"},
    {"/a\r\nx: y", "{}"},
    {"/a#b", "{}"},
    {"/a?b", "{}"},
    {"/\x7f", "{}"},
    {"/", "{\"x\":\"a\\r\\nb: c\"}"},
    {"/", "{\"x y\":\"a\"}"},
    {"/", "{\"x\":1}"},
    {"/", "{\"x\""},
    {"/", "{\"sec-websocket-protocol\":\"a;b\"}"},
};

START_TEST(refuses_to_build)
{
	struct buf b;

	ck_assert_ptr_nonnull(build(&b, bad[_i].path, "", bad[_i].headers));
	buf_clear(&b);
}
END_TEST

/* --- answers -------------------------------------------------------------- */

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define LINE "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define YES LINE UP "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static const struct {
	const char *said;
	int status;	   /* 0 and no fault: not complete */
	const char *fault; /* a word of it */
	const char *protocol;
	size_t behind; /* bytes after the head */
} answers[] = {
    {YES "\r\n", 101, NULL, "", 0},
    {YES "\r\n\x81\x01x", 101, NULL, "", 3},
    {YES "Sec-WebSocket-Protocol: two\r\n\r\n", 101, NULL, "two", 0},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" YES "\r\n", 101, NULL, "", 0},
    {LINE "upgrade:WebSocket\r\nconnection: keep-alive, upgrade\r\n"
	  "sec-websocket-accept:" ACCEPT " \r\n\r\n",
	101, NULL, "", 0},
    {"", 0, NULL, NULL, 0},
    {YES, 0, NULL, NULL, 0},
    {YES "\r", 0, NULL, NULL, 0},
    {"HTTP/1.1 100 Continue\r\n\r\n", 0, NULL, NULL, 0},
    {YES "Sec-WebSocket-Protocol: three\r\n\r\n", 101, "subprotocol", NULL, 0},
    {YES "Sec-WebSocket-Protocol: tw\r\n\r\n", 101, "subprotocol", NULL, 0},
    {YES "Sec-WebSocket-Protocol: \r\n\r\n", 101, "subprotocol", NULL, 0},
    {YES "Sec-WebSocket-Extensions: x\r\n\r\n", 101, "extension", NULL, 0},
    {LINE UP "\r\n", 101, "accept", NULL, 0},
    {LINE UP "Sec-WebSocket-Accept: " ACCEPT "x\r\n\r\n", 101, "accept", NULL,
	0},
    {LINE "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 101, "something else",
	NULL, 0},
    {LINE "Upgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", 101,
	"something else", NULL, 0},
    {"HTTP/1.1 404 Not Found\r\n\r\nbody", 404, "did not accept", NULL, 4},
    {"HTTP/1.1 200\r\n\r\n", 200, "did not accept", NULL, 0},
    {"SSH-2.0-x\r\n\r\n", 0, "not HTTP", NULL, 0},
    {"\r\n\r\n", 0, "not HTTP", NULL, 0},
    {"HTTP/1.1 1x1 Odd\r\n\r\n", 0, "not HTTP", NULL, 0},
    {"HTTP/1.1 1011 Odd\r\n\r\n", 0, "not HTTP", NULL, 0},
};

START_TEST(judges)
{
	struct buf request, said;
	struct ws_answer a;
	size_t len = strlen(answers[_i].said);
	bool done;

	ck_assert_ptr_null(build(
	    &request, "/", "", "{\"sec-websocket-protocol\":\"one, two\"}"));
	buf_init(&said, ROOM);
	(void)buf_append(&said, answers[_i].said, len);
	done = ws_handshake_judge(&a, &request, ACCEPT, &said);
	ck_assert_int_eq(a.status, answers[_i].status);
	ck_assert(done == (a.status != 0 || answers[_i].fault != NULL));
	if (answers[_i].fault != NULL)
		ck_assert_ptr_nonnull(strstr(a.fault, answers[_i].fault));
	else
		ck_assert_ptr_null(a.fault);
	if (answers[_i].protocol != NULL)
		ck_assert_str_eq(a.protocol, answers[_i].protocol);
	if (a.status != 0)
		ck_assert_uint_eq(len - a.len, answers[_i].behind);
	buf_clear(&request);
	buf_clear(&said);
}
END_TEST

/* --- events --------------------------------------------------------------- */

static const struct {
	enum ws_event_type type;
	const char *payload, *id, *fault; /* fault: a word of it */
} events[] = {
    {WS_EVENT_CHECK,
	"{\"check_id\":\"c\",\"path\":\"/\",\"query_string\":\"q\","
	"\"headers\":{}}",
	"c", NULL},
    {WS_EVENT_CHECK, "{\"check_id\":\"c\",\"path\":\"/\",\"headers\":{}}", "c",
	NULL},
    {WS_EVENT_CHECK, "{\"check_id\":\"c\",\"headers\":{}}", "c", "path"},
    {WS_EVENT_CHECK, "{\"check_id\":\"c\",\"path\":\"/\",\"headers\":[]}", "c",
	"headers"},
    {WS_EVENT_CHECK, "{\"connection_id\":\"c\",\"path\":\"/\"}", "",
	"check_id"},
    {WS_EVENT_CONNECT, "{\"check_id\":\"c\"}", "", "connection_id"},
    {WS_EVENT_CONNECT, "{\"connection_id\":\"a b\"}", "", "id"},
    {WS_EVENT_CONNECT, "{\"connection_id\":\"\"}", "", "id"},
    {WS_EVENT_CONNECT, "{\"connection_id\":\"\\u0000\"}", "", "id"},
    {WS_EVENT_CONNECT, "{\"connection_id\":7}", "", "connection_id"},
    {WS_EVENT_FRAME,
	"{\"connection_id\":\"c\",\"opcode\":\"te\\u0078t\",\"data\":\"\"}",
	"c", NULL},
    {WS_EVENT_FRAME, "{\"connection_id\":\"c\",\"opcode\":\"text\"}", "c",
	"data"},
    {WS_EVENT_FRAME, "{\"connection_id\":\"c\",\"data\":\"\"}", "c", "opcode"},
    {WS_EVENT_CLOSE, "{\"connection_id\":\"c\"}", "c", NULL},
    {WS_EVENT_CLOSE, "{\"connection_id\":\"c\",\"code\":1000,\"reason\":null}",
	"c", NULL},
    {WS_EVENT_CLOSE, "{\"connection_id\":\"c\",\"code\":1.5}", "c", "code"},
    {WS_EVENT_CLOSE, "[]", "", "object"},
    {WS_EVENT_CLOSE, "{\"connection_id\":\"c\"", "", "object"},
};

START_TEST(parses_events)
{
	struct ws_event e;
	char space[ROOM];
	struct json_str p = text(space, events[_i].payload);
	const char *fault = ws_event_parse(&e, events[_i].type, p.data, p.len);

	ck_assert_str_eq(e.id, events[_i].id);
	if (events[_i].fault == NULL)
		ck_assert_ptr_null(fault);
	else
		ck_assert_ptr_nonnull(strstr(fault, events[_i].fault));
}
END_TEST

START_TEST(events_hold_what_they_said)
{
	struct ws_event e;
	char space[ROOM];
	struct json_str p = text(space,
	    "{\"x\":1,\"connection_id\":\"i\",\"opcode\":\"te\\u0078t\","
	    "\"data\":\"YQ\\u003d=\",\"code\":4000,\"reason\":\"\\u00e9\"}");

	ck_assert_ptr_null(ws_event_parse(&e, WS_EVENT_FRAME, p.data, p.len));
	ck_assert_mem_eq(e.opcode.data, "text", 4);
	ck_assert_uint_eq(e.data.len, 4);
	ck_assert_mem_eq(e.data.data, "YQ==", 4);
	ck_assert_int_eq(e.code, 4000);
	ck_assert_mem_eq(e.reason.data, "\xc3\xa9", 2);
	p = text(space, "{\"connection_id\":\"i\"}");
	ck_assert_ptr_null(ws_event_parse(&e, WS_EVENT_CLOSE, p.data, p.len));
	ck_assert_int_eq(e.code, 1005);
	memset(space, 'i', sizeof(space));
	memcpy(space, "{\"connection_id\":\"", 18);
	memcpy(space + 18 + 129, "\"}", 3);
	ck_assert_ptr_nonnull(ws_event_parse(
	    &e, WS_EVENT_CLOSE, (uint8_t *)space, strlen(space)));
	ck_assert_str_eq(e.id, "");
}
END_TEST

#define LOOP(tc, test, table) \
	tcase_add_loop_test(  \
	    tc, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("ws_handshake");
	TCase *tc = tcase_create("ws_handshake");
	SRunner *runner = srunner_create(suite);
	int failed;

	LOOP(tc, builds, good);
	LOOP(tc, refuses_to_build, bad);
	LOOP(tc, judges, answers);
	LOOP(tc, parses_events, events);
	tcase_add_test(tc, events_hold_what_they_said);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
