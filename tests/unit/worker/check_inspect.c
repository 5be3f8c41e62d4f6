/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/inspect.h: who is answered, and with what. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "inspect.h"
#include "json.h"
#include "log.h"
#include "util.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct metrics metrics;
static struct ledger ledger;
static struct conf conf;
static struct inspect page;
static struct http_answer answer;

static void
on_facts(struct inspect_facts *f, void *arg)
{
	(void)arg;
	f->conf = &conf;
	f->metrics = &metrics;
	f->ready.draining = true;
	f->ready.joined_ms = f->ready.heartbeat_ms = -1;
	f->tunnels = 2;
	f->tunnel[0].tunnel = PROTO_TUNNEL_JOINED;
	f->tunnel[0].joined_ms = 5;
	f->tunnel[0].heartbeat_ms = f->tunnel[0].retry_ms = -1;
	f->tunnel[1].tunnel = PROTO_TUNNEL_WAITING;
	f->tunnel[1].last_reason = PROTO_REASON_HTTP_STATUS;
	f->tunnel[1].last_detail = 502;
	f->tunnel[1].joined_ms = f->tunnel[1].heartbeat_ms = -1;
	f->tunnel[1].retry_ms = 7;
}

static void
make_page(const char *token, bool any_host)
{
	struct inspect_params params = {
	    .token = token,
	    .any_host = any_host,
	    .ledger = &ledger,
	    .facts = on_facts,
	};

	inspect_init(&page, &params);
}

static void
setup(void)
{
	log_init("check", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	metrics_init(&metrics);
	ledger_init(&ledger, &metrics, 1);
	conf_init(&conf);
	make_page(TOKEN, false);
	buf_init(&answer.body, (size_t)1024 * 1024);
}

static void
teardown(void)
{
	buf_clear(&answer.body);
	conf_clear(&conf);
}

/* Asks; the status. */
static int
ask(const char *path, const char *query, const char *host)
{
	struct http_head head = {.has_host = true};

	(void)util_strlcpy(head.path, path, sizeof(head.path));
	(void)util_strlcpy(head.query, query, sizeof(head.query));
	(void)util_strlcpy(head.host, host, sizeof(head.host));
	buf_reset(&answer.body);
	answer.status = 404;
	answer.type = answer.extra = "";
	answer.fixed = NULL;
	inspect_answer(&page, &head, &answer);
	return answer.status;
}

static bool
has(const char *text)
{
	return memmem(answer.body.data, answer.body.len, text, strlen(text)) !=
	    NULL;
}

static void
assert_json(void)
{
	struct json_value v;

	ck_assert(json_parse(&v, answer.body.data, answer.body.len));
	ck_assert_int_eq(v.type, JSON_OBJECT);
}

static void
add(unsigned count, const char *path)
{
	static struct ledger_entry e;

	for (; count > 0; count--) {
		memset(&e, 0, sizeof(e));
		(void)util_strlcpy(e.id, "id", sizeof(e.id));
		(void)util_strlcpy(e.method, "GET", sizeof(e.method));
		ledger_begin(&ledger, &e);
		ledger_set_path(&e, (const uint8_t *)path, strlen(path));
		e.status = 200;
		ledger_end(&ledger, &e);
	}
}

/* --- who ------------------------------------------------------------------ */

static const struct {
	const char *path;
	int status;
} paths[] = {
    {"/inspect/" TOKEN, 200},
    {"/inspect/" TOKEN "/", 200},
    {"/inspect/" TOKEN "/state", 200},
    {"/inspect/" TOKEN "/requests", 200},
    {"/inspect/" TOKEN "//", 404},
    {"/inspect/" TOKEN "/state/", 404},
    {"/inspect/" TOKEN "state", 404},
    {"/inspect/" TOKEN "0", 404},
    {"/inspect/1123456789abcdef0123456789abcdef/", 404},
    {"/inspect/0123456789abcdef0123456789abcdee/", 404},
    {"/inspect/0123456789ABCDEF0123456789ABCDEF/", 404},
    {"/inspect/0123456789abcdef0123456789abcde", 404},
    {"/inspect/", 404},
    {"/inspect", 404},
    {"/", 404},
    {"/Inspect/" TOKEN "/", 404},
    {"//inspect/" TOKEN "/", 404},
};

START_TEST(only_below_the_token)
{
	ck_assert_int_eq(
	    ask(paths[_i].path, "", "localhost"), paths[_i].status);
	if (paths[_i].status == 404) {
		ck_assert_uint_eq(answer.body.len, 0);
		ck_assert_str_eq(answer.extra, "");
	}
	make_page("", false);
	ck_assert_int_eq(ask(paths[_i].path, "", "localhost"), 404);
}
END_TEST

START_TEST(no_page_without_a_token)
{
	make_page("", true);
	ck_assert_int_eq(ask("/inspect/", "", "localhost"), 404);
	ck_assert_int_eq(
	    ask("/inspect/00000000000000000000000000000000/", "", "localhost"),
	    404);
}
END_TEST

START_TEST(only_for_this_machine)
{
	const char *path = paths[_i].path;

	ck_assert_int_eq(ask(path, "", "evil.example"), 403);
	ck_assert_ptr_null(answer.fixed);
	ck_assert(!has("{"));
	ck_assert_int_eq(ask(path, "", ""), 403);
	make_page(TOKEN, true);
	ck_assert_int_eq(ask(path, "", "evil.example"), 200);
}
END_TEST

START_TEST(the_page_has_its_policy)
{
	ck_assert_int_eq(ask(paths[0].path, "", "[::1]:1"), 200);
	ck_assert_ptr_eq(answer.fixed, inspect_page);
	ck_assert_uint_eq(answer.fixed_len, inspect_page_len);
	ck_assert_ptr_nonnull(strstr(answer.extra, inspect_page_script));
	ck_assert_ptr_nonnull(strstr(answer.extra, inspect_page_style));
	ck_assert_str_eq(
	    answer.extra + strlen(answer.extra) - 2, "\r\n"); /* not cut */
	ck_assert_uint_eq(strlen(inspect_page_script), 7 + 44);
}
END_TEST

/* --- what ----------------------------------------------------------------- */

static const struct {
	const char *query;
	int status;
	const char *says;
} queries[] = {
    {"", 200, "\"after\":0,\"missed\":0,"},
    {"after=0", 200, "\"after\":0,\"missed\":0,"},
    {"after=2", 200, "\"after\":2,\"missed\":0,\"recent\":[{\"number\":3,"},
    {"after=3", 200, "\"recent\":[],\"more\":false"},
    {"after=4", 200, "\"recent\":[],\"more\":false"},
    {"after=18446744073709551615", 200, "\"recent\":[],\"more\":false"},
    {"after=18446744073709551616", 400, ""},
    {"after=-1", 400, ""},
    {"after=+1", 400, ""},
    {"after= 1", 400, ""},
    {"after=1 ", 400, ""},
    {"after=0x1", 400, ""},
    {"after=", 400, ""},
    {"after", 400, ""},
    {"After=1", 400, ""},
    {"after=1&after=2", 400, ""},
};

START_TEST(after_is_a_number)
{
	add(3, "/a");
	ck_assert_int_eq(
	    ask("/inspect/" TOKEN "/requests", queries[_i].query, "localhost"),
	    queries[_i].status);
	if (queries[_i].status != 200)
		return;
	ck_assert_msg(has(queries[_i].says), "%.*s", (int)answer.body.len,
	    (const char *)answer.body.data);
	assert_json();
}
END_TEST

START_TEST(what_is_too_old_was_missed)
{
	add(LEDGER_RECENT_MAX + 5, "/a");
	ck_assert_int_eq(
	    ask("/inspect/" TOKEN "/requests", "after=1", "localhost"), 200);
	ck_assert(has("\"ended\":261,\"after\":1,\"missed\":4,"));
	ck_assert(has("\"recent\":[{\"number\":6,\"seq\":6,"));
	assert_json();
}
END_TEST

/* Control characters, each of which becomes six. */
START_TEST(an_answer_is_bounded)
{
	char path[LEDGER_PATH_MAX];
	struct ledger_entry running[2 * INSPECT_RUNNING_MAX];
	size_t i;

	memset(path, 1, sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	add(LEDGER_RECENT_MAX, path);
	memset(running, 0, sizeof(running));
	for (i = 0; i < UTIL_COUNT(running); i++) {
		ledger_begin(&ledger, &running[i]);
		ledger_set_path(
		    &running[i], (const uint8_t *)path, strlen(path));
	}
	ck_assert_int_eq(
	    ask("/inspect/" TOKEN "/requests", "", "localhost"), 200);
	ck_assert(!answer.body.failed);
	ck_assert_uint_lt(answer.body.len,
	    INSPECT_ANSWER_MAX + (size_t)INSPECT_RUNNING_MAX * 4096);
	ck_assert(has("\"more\":true"));
	ck_assert(has("\"running_requests\":32"));
	assert_json();
}
END_TEST

START_TEST(the_state_is_json)
{
	ck_assert_int_eq(ask("/inspect/" TOKEN "/state", "", "localhost"), 200);
	assert_json();
	ck_assert(has("\"ready\":false,\"draining\":true,\"reasons\":["
		      "\"draining\",\"no_token\",\"not_joined\"]"));
	ck_assert(has("{\"number\":1,\"state\":\"joined\",\"joined_ms\":5,"
		      "\"heartbeat_ms\":null,\"retry_ms\":null,"
		      "\"last_end\":null,\"last_end_detail\":null}"));
	ck_assert(has("{\"number\":2,\"state\":\"waiting\",\"joined_ms\":null,"
		      "\"heartbeat_ms\":null,\"retry_ms\":7,"
		      "\"last_end\":\"http status\",\"last_end_detail\":502}"));
	ck_assert(has("\"token_left_s\":null"));
	ck_assert(has("\"memory_resident\":null"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("inspect");
	TCase *tc = tcase_create("inspect");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
	    tc, only_below_the_token, 0, (int)UTIL_COUNT(paths));
	tcase_add_test(tc, no_page_without_a_token);
	tcase_add_loop_test(tc, only_for_this_machine, 0, 4);
	tcase_add_test(tc, the_page_has_its_policy);
	tcase_add_loop_test(tc, after_is_a_number, 0, (int)UTIL_COUNT(queries));
	tcase_add_test(tc, what_is_too_old_was_missed);
	tcase_add_test(tc, an_answer_is_bounded);
	tcase_add_test(tc, the_state_is_json);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
