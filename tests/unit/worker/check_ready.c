/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/ready.h: reasons, and how they are told. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ready.h"
#include "util.h"
#include "version.h"

static const struct ready_facts good = {
    .joined = true,
    .token_expiry_s = 1000000600,
    .joined_ms = 90000,
    .heartbeat_ms = 2000,
    .heartbeat_max_ms = 45000,
    .wall_s = 1000000000,
    .uptime_ms = 3723999,
};

/* One fact changed, and the reason it has to be. */
static struct ready_facts
changed(int which)
{
	struct ready_facts f = good;

	switch (which) {
	case 1:
		f.draining = true;
		break;
	case 2:
		f.token_expiry_s = 0;
		break;
	case 3:
		f.token_expiry_s = f.wall_s;
		break;
	case 4:
		f.joined = false;
		break;
	case 5:
		f.heartbeat_ms = 45001;
		break;
	case 6:
		f.heartbeat_ms = -1;
		break;
	case 7:
		f.backend = READY_BACKEND_UNKNOWN;
		break;
	case 8:
		f.backend = READY_BACKEND_BAD;
		break;
	case 9:
		f.backend = READY_BACKEND_GOOD;
		break;
	case 10: /* joined a while ago, and no acknowledgement is due */
		f.heartbeat_ms = -1;
		f.joined_ms = 29000;
		break;
	default:
		break;
	}
	return f;
}

static const char *const reasons[] = {NULL, "draining", "no_token",
    "token_expired", "not_joined", "heartbeat_late", "heartbeat_late",
    "backend_unknown", "backend_unhealthy", NULL, NULL};

START_TEST(each_fact_has_its_reason)
{
	struct ready_facts f = changed(_i);

	ck_assert_pstr_eq(ready_not(&f), reasons[_i]);
}
END_TEST

static struct buf out;

static const char *
text(void)
{
	ck_assert_int_eq(buf_putc(&out, '\0'), 0);
	return (const char *)out.data;
}

START_TEST(words_and_lines)
{
	struct ready_facts f = changed(4);

	buf_init(&out, 1000);
	f.draining = true;
	ready_text(&f, false, &out);
	ck_assert_str_eq(text(), "draining\n");
	buf_reset(&out);
	ready_text(&f, true, &out);
	ck_assert_str_eq(text(),
	    "[-]drain failed: draining\n[+]token ok\n"
	    "[-]tunnel failed: not_joined\n[+]heartbeat ok\n[+]backend ok\n"
	    "draining\n");
	buf_clear(&out);
}
END_TEST

START_TEST(the_document)
{
	struct ready_facts f = good;
	char want[512];

	buf_init(&out, 1000);
	ready_json(&f, "ready", &out);
	ck_assert(util_fmt(want, sizeof(want),
	    "{\"status\":\"ready\",\"connected\":true,\"uptime\":\"1h2m3s\","
	    "\"last_heartbeat\":\"2001-09-09T01:46:38Z\","
	    "\"token_expiry\":\"2001-09-09T01:56:40Z\",\"version\":\"%s\","
	    "\"reasons\":[]}\n",
	    version));
	ck_assert_str_eq(text(), want);
	buf_reset(&out);
	f = changed(2);
	f.joined = false;
	f.heartbeat_ms = -1;
	f.joined_ms = -1;
	f.uptime_ms = 9000;
	ready_json(&f, "x", &out);
	ck_assert(util_fmt(want, sizeof(want),
	    "{\"status\":\"x\",\"connected\":false,\"uptime\":\"9s\","
	    "\"last_heartbeat\":null,\"token_expiry\":null,\"version\":\"%s\","
	    "\"reasons\":[\"no_token\",\"not_joined\"]}\n",
	    version));
	ck_assert_str_eq(text(), want);
	buf_clear(&out);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ready");
	TCase *tc = tcase_create("ready");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tc, each_fact_has_its_reason, 0, (int)UTIL_COUNT(reasons));
	tcase_add_test(tc, words_and_lines);
	tcase_add_test(tc, the_document);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
