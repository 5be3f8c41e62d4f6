/* SPDX-License-Identifier: MIT */
/* Unit tests of conf.h: values, files, the environment, and the table. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "proto.h"
#include "secret.h"

static struct conf conf;

static void
setup(void)
{
	conf_init(&conf);
}

static void
teardown(void)
{
	conf_clear(&conf);
}

static int
set(enum conf_id id, const char *text)
{
	char copy[2048];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	return conf_set(&conf, id, copy, CONF_FILE, "here");
}

static int
parse(const char *text)
{
	char copy[4096];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	return conf_parse(&conf, copy, strlen(copy), "file");
}

/* The faults or warnings as one string. */
static const char *
lines(struct buf *b)
{
	static char text[65536];

	(void)snprintf(text, sizeof(text), "%.*s", (int)b->len,
	    b->data == NULL ? "" : (const char *)b->data);
	return text;
}

#define HAS(buf, words) \
	ck_assert_msg(  \
	    strstr(lines(buf), words) != NULL, "%s in: %s", words, lines(buf))
#define HAS_NOT(buf, words) ck_assert_ptr_null(strstr(lines(buf), words))

/* --- values --------------------------------------------------------------- */

static const struct {
	enum conf_id id;
	const char *text;
	int64_t num; /* -2: refused */
} values[] = {
    {CONF_REQUEST_TIMEOUT, "30s", 30000},
    {CONF_REQUEST_TIMEOUT, "1h", 3600000},
    {CONF_REQUEST_TIMEOUT, "1m30s", 90000},
    {CONF_REQUEST_TIMEOUT, "1.5m", 90000},
    {CONF_REQUEST_TIMEOUT, "250ms", 250},
    {CONF_REQUEST_TIMEOUT, ".5s", 500},
    {CONF_REQUEST_TIMEOUT, "1s250ms", 1250},
    {CONF_REQUEST_TIMEOUT, "+2s", 2000},
    {CONF_REQUEST_TIMEOUT, "200000us", 200},
    {CONF_REQUEST_TIMEOUT, "200000\xc2\xb5s", 200},
    {CONF_REQUEST_TIMEOUT, "100ms", 100},
    {CONF_REQUEST_TIMEOUT, "99ms", -2},
    {CONF_REQUEST_TIMEOUT, "1h1ms", -2},
    {CONF_REQUEST_TIMEOUT, "30", -2},
    {CONF_REQUEST_TIMEOUT, "s", -2},
    {CONF_REQUEST_TIMEOUT, "1 s", -2},
    {CONF_REQUEST_TIMEOUT, "-5s", -2},
    {CONF_REQUEST_TIMEOUT, "1d", -2},
    {CONF_REQUEST_TIMEOUT, "1e99h", -2},
    {CONF_REQUEST_TIMEOUT, "99999999999999999999h", -2},
    {CONF_SHUTDOWN_TIMEOUT, "0", 0},
    {CONF_SHUTDOWN_TIMEOUT, "0s", 0},
    {CONF_BACKEND_PORT, "1", 1},
    {CONF_BACKEND_PORT, "65535", 65535},
    {CONF_BACKEND_PORT, "0", -2},
    {CONF_BACKEND_PORT, "65536", -2},
    {CONF_BACKEND_PORT, "-1", -2},
    {CONF_BACKEND_PORT, "80x", -2},
    {CONF_BACKEND_PORT, "99999999999999999999", -2},
    {CONF_MAX_RETRIES, "-1", -1},
    {CONF_MAX_RETRIES, "-3", -2},
    {CONF_CHUNK_SIZE, "1048576", 1048576},
    {CONF_CHUNK_SIZE, "64KiB", 65536},
    {CONF_CHUNK_SIZE, "64k", 65536},
    {CONF_CHUNK_SIZE, "1 MB", 1048576},
    {CONF_CHUNK_SIZE, "1023", -2},
    {CONF_CHUNK_SIZE, "65MiB", -2},
    {CONF_CHUNK_SIZE, "1TiB", -2},
    {CONF_CHUNK_SIZE, "9999999999999G", -2},
    {CONF_LOG_LEVEL, "warn", 2},
    {CONF_LOG_LEVEL, "DEBUG", 0},
    {CONF_LOG_LEVEL, "loud", -2},
    {CONF_LOG_LEVEL, "debu", -2},
    {CONF_BACKEND_HOST, "app.internal", 0},
    {CONF_BACKEND_HOST, "[::1]", 0},
    {CONF_BACKEND_HOST, "::1", 0},
    {CONF_BACKEND_HOST, "10.0.0.300", -2},
    {CONF_BACKEND_HOST, "a b", -2},
    {CONF_BACKEND_HOST, "http://x", -2},
    {CONF_BACKEND_HOST, "x:80", -2},
    {CONF_PLUGBOARD_URL, "wss://x.y/z?a=b", 0},
    {CONF_PLUGBOARD_URL, "http://x", -2},
    {CONF_TOKEN_DB_PATH,
	"a\x01"
	"b",
	-2},
};

START_TEST(values_are_judged)
{
	int result = set(values[_i].id, values[_i].text);

	if (values[_i].num == -2) {
		ck_assert_msg(result == -1, "%s is taken", values[_i].text);
		HAS(&conf.faults, "here: ");
		HAS(&conf.faults, conf_keys[values[_i].id].name);
		return;
	}
	ck_assert_msg(
	    result == 0, "%s: %s", values[_i].text, lines(&conf.faults));
	ck_assert_int_eq(conf_num(&conf, values[_i].id), values[_i].num);
}
END_TEST

START_TEST(remedies_are_named)
{
	ck_assert_int_eq(set(CONF_REQUEST_TIMEOUT, "30"), -1);
	HAS(&conf.faults, "write 30s");
	ck_assert_int_eq(set(CONF_BACKEND_HOST, "a\nb"), -1);
	HAS(&conf.faults, "a?b"); /* no line can be forged */
	/* The default stays. */
	ck_assert_int_eq(conf_num(&conf, CONF_REQUEST_TIMEOUT), 30000);
	ck_assert_int_eq(set(CONF_BACKEND_PORT, ""), 0);
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 8080);
}
END_TEST

/* --- files ---------------------------------------------------------------- */

START_TEST(files_are_read_as_they_are_written)
{
	ck_assert_int_eq(
	    parse("\xef\xbb\xbf# comment\n\n  \nexport BACKEND_PORT=81\r\n"
		  "BACKEND_HOST = 'one.example'  # two\n"
		  "TOKEN_DB_PATH=\"/a b/\\\"c\\\"\"\n"
		  "PLUGBOARD_URL=ws://h/p?a=b # not c\n"
		  "CONTROL_SOCKET=/x#y\nREQUEST_TIMEOUT=\n"
		  "SHELL_STUFF=$(x)\nLOG_LEVEL=debug"),
	    0);
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 81);
	ck_assert_str_eq(conf_text(&conf, CONF_BACKEND_HOST), "one.example");
	ck_assert_str_eq(conf_text(&conf, CONF_TOKEN_DB_PATH), "/a b/\"c\"");
	ck_assert_str_eq(conf_text(&conf, CONF_PLUGBOARD_URL), "ws://h/p?a=b");
	ck_assert_str_eq(conf_text(&conf, CONF_CONTROL_SOCKET), "/x#y");
	ck_assert_int_eq(conf_num(&conf, CONF_REQUEST_TIMEOUT), 30000);
	ck_assert_int_eq(conf_num(&conf, CONF_LOG_LEVEL), 0);
	ck_assert_uint_eq(conf.warnings.len, 0);
}
END_TEST

START_TEST(all_faults_come_in_one_pass)
{
	ck_assert_int_eq(
	    parse("BACKEND_PORT=x\nnonsense\n1A=2\nBACKEND_HOST='a\n"
		  "CHUNK_SIZE=\"1MiB\" x\nBACKEND_PORT=80\n"
		  "SECRET_KEY_BASE=abc\001def\n"),
	    -1);
	HAS(&conf.faults, "file:1: BACKEND_PORT: \"x\" is not a number");
	HAS(&conf.faults, "file:2: not KEY=value");
	HAS(&conf.faults, "file:3: ");
	HAS(&conf.faults, "file:4: ");
	HAS(&conf.faults, "file:5: ");
	HAS(&conf.faults, "file:7: SECRET_KEY_BASE: ");
	HAS_NOT(&conf.faults, "abc");
	HAS(&conf.warnings, "file:6: an earlier line is overridden");
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 80);
	ck_assert_int_eq(conf_finish(&conf), -1); /* also what was overridden */
}
END_TEST

START_TEST(misspelt_keys_are_named)
{
	ck_assert_int_eq(
	    parse("BACKEND_PROT=1\nPLUGBORD_URL=x\nDATABASE_URL=y\n"
		  "TELEPHONE_COLOUR=red\nmax_inflight=3\ndebug=1\n"),
	    0);
	HAS(&conf.warnings, "did you mean BACKEND_PORT?");
	HAS(&conf.warnings, "did you mean PLUGBOARD_URL?");
	HAS(&conf.warnings, "TELEPHONE_COLOUR is not a key");
	HAS(&conf.warnings,
	    "max_inflight is not a key of telephone; did you "
	    "mean MAX_INFLIGHT?");
	HAS_NOT(&conf.warnings, "DATABASE_URL");
	HAS_NOT(&conf.warnings, "debug");
	ck_assert_ptr_null(conf_nearest("COMPLETELY_DIFFERENT"));
	ck_assert_str_eq(conf_nearest("LOG_LEVL"), "LOG_LEVEL");
}
END_TEST

START_TEST(a_nul_is_no_text)
{
	char text[] = "LOG_LEVEL=info\0x";

	ck_assert_int_eq(conf_parse(&conf, text, sizeof(text) - 1, "file"), -1);
	HAS(&conf.faults, "no text file");
}
END_TEST

static void
read_secret(enum conf_id id, const char *want)
{
	char text[64];

	ck_assert_int_ne(conf.value[id].fd, -1);
	ck_assert_int_eq(secret_read(conf.value[id].fd, text, sizeof(text)),
	    (long)strlen(want));
	ck_assert_str_eq(text, want);
}

START_TEST(secrets_become_descriptors)
{
	char text[] = "TELEPHONE_TOKEN=a.b.c\n";

	ck_assert_int_eq(conf_parse(&conf, text, strlen(text), "file"), 0);
	read_secret(CONF_TELEPHONE_TOKEN, "a.b.c");
	read_secret(CONF_TELEPHONE_TOKEN, "a.b.c"); /* again */
	ck_assert_ptr_null(conf.value[CONF_TELEPHONE_TOKEN].text);
	ck_assert_ptr_null(memmem(text, sizeof(text), "a.b.c", 5));
}
END_TEST

START_TEST(the_environment_wins_and_forgets)
{
	char port[] = "BACKEND_PORT=82", older[] = "token=old",
	     newer[] = "TELEPHONE_TOKEN=new", other[] = "PATH=/bin",
	     empty[] = "BACKEND_HOST=";
	char *env[] = {newer, port, older, other, empty, NULL};

	ck_assert_int_eq(parse("BACKEND_PORT=81\nBACKEND_HOST=x\n"), 0);
	ck_assert_int_eq(conf_env(&conf, env), 0);
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 82);
	ck_assert_str_eq(conf_text(&conf, CONF_BACKEND_HOST), "x");
	read_secret(CONF_TELEPHONE_TOKEN, "new");
	ck_assert_str_eq(newer, "TELEPHONE_TOKEN=");
	ck_assert_str_eq(older, "token=");
	ck_assert_str_eq(other, "PATH=/bin");
}
END_TEST

START_TEST(relations_are_checked)
{
	ck_assert_int_eq(conf_finish(&conf), 0);
	ck_assert_int_eq(set(CONF_INITIAL_BACKOFF, "1m"), 0);
	ck_assert_int_eq(set(CONF_HEARTBEAT_INTERVAL, "1m"), 0);
	ck_assert_int_eq(set(CONF_PLUGBOARD_URL, "ws://far.example/"), 0);
	ck_assert_int_eq(set(CONF_SECRET_KEY_BASE, "x"), 0);
	ck_assert_int_eq(set(CONF_SECRET_KEY_BASE_FILE, "/x"), 0);
	ck_assert_int_eq(conf_finish(&conf), -1);
	HAS(&conf.faults, "INITIAL_BACKOFF: 1m is longer than MAX_BACKOFF");
	HAS(&conf.warnings, "HEARTBEAT_INTERVAL");
	HAS(&conf.warnings, "carries the token in clear");
	HAS(&conf.warnings, "SECRET_KEY_BASE: both");
}
END_TEST

/* REQUEST_TTL bounds all that is said to take longer. */
START_TEST(lives_are_compared)
{
	ck_assert_int_eq(set(CONF_PATH_LIMITS, "/a timeout=5m"), 0);
	ck_assert_int_eq(conf_finish(&conf), 0);
	HAS_NOT(&conf.warnings, "REQUEST_TTL");
	ck_assert_int_eq(
	    set(CONF_PATH_LIMITS, "/ timeout=6m; /a timeout=5s"), 0);
	ck_assert_int_eq(conf_finish(&conf), 0);
	HAS(&conf.warnings, "REQUEST_TTL: 5m is shorter than a timeout= of");
	ck_assert_int_eq(set(CONF_REQUEST_TIMEOUT, "7m"), 0);
	ck_assert_int_eq(conf_finish(&conf), 0);
	HAS(&conf.warnings, "REQUEST_TTL: it is shorter than REQUEST_TIMEOUT");
}
END_TEST

/* --- IPC ------------------------------------------------------------------ */

START_TEST(values_travel)
{
	static uint8_t space[IPC_PAYLOAD_MAX];
	struct conf there;
	struct ipc_frame frame = {.payload = space, .fd = -1};
	int i, len;

	conf_init(&there);
	ck_assert_int_eq(set(CONF_REQUEST_TIMEOUT, "7s"), 0);
	ck_assert_int_eq(set(CONF_TELEPHONE_TOKEN, "secret"), 0);
	ck_assert(conf_differs(&conf, &there, CONF_TO_WORKER));
	ck_assert(!conf_differs(&conf, &there, CONF_TO_TOKEND));
	for (i = 0; i < CONF_KEYS; i++) {
		len = conf_put(space, &conf, (enum conf_id)i, CONF_TO_WORKER);
		ck_assert_int_ge(len, 0);
		ck_assert_ptr_null(memmem(space, (size_t)len, "secret", 6));
		frame.len = (uint32_t)len;
		if (len > 0)
			ck_assert_int_eq(
			    conf_get(&frame, &there, CONF_TO_WORKER), 0);
	}
	ck_assert_int_eq(conf_num(&there, CONF_REQUEST_TIMEOUT), 7000);
	ck_assert(!conf_differs(&conf, &there, CONF_TO_WORKER));
	len = conf_put(space, &conf, CONF_REQUEST_TIMEOUT, CONF_TO_WORKER);
	frame.len = (uint32_t)len;
	ck_assert_int_eq(conf_get(&frame, &there, CONF_TO_TOKEND), -1);
	frame.len = (uint32_t)len - 1;
	ck_assert_int_eq(conf_get(&frame, &there, CONF_TO_WORKER), -1);
	frame.len = (uint32_t)len;
	space[0] = CONF_KEYS;
	ck_assert_int_eq(conf_get(&frame, &there, CONF_TO_WORKER), -1);
	conf_clear(&there);
}
END_TEST

/* --- the table ------------------------------------------------------------ */

START_TEST(the_table_is_whole)
{
	char example[65536], line[200];
	FILE *f = fopen("telephone.conf.example", "r");
	size_t n;
	int i, j;

	ck_assert_msg(f != NULL, "run from the top of the tree");
	n = fread(example, 1, sizeof(example) - 1, f);
	example[n] = '\0';
	(void)fclose(f);
	for (i = 0; i < CONF_KEYS; i++) {
		const struct conf_key *k = &conf_keys[i];

		ck_assert_ptr_nonnull(k->name);
		ck_assert_msg(
		    k->help != NULL && k->help[0] != '\0', "%s", k->name);
		ck_assert_msg(k->to != 0, "%s", k->name);
		ck_assert_int_eq(conf_find(k->name), i);
		for (j = 0; j < i; j++)
			ck_assert_str_ne(conf_keys[j].name, k->name);
		(void)snprintf(line, sizeof(line), "#%s=%s", k->name,
		    k->def != NULL ? k->def : "");
		ck_assert_msg(strstr(example, line) != NULL, "%s", line);
	}
	ck_assert_int_eq(conf_find("token"), CONF_TELEPHONE_TOKEN);
	ck_assert_int_eq(conf_find("nothing"), -1);
}
END_TEST

START_TEST(the_example_is_valid)
{
	char example[65536], *p;
	FILE *f = fopen("telephone.conf.example", "r");
	size_t n = fread(example, 1, sizeof(example) - 1, f);

	example[n] = '\0';
	(void)fclose(f);
	/* As if all that is commented out were not. */
	for (p = example; (p = strchr(p, '#')) != NULL; p++)
		if (p[1] >= 'A' && p[1] <= 'Z')
			*p = ' ';
	ck_assert_msg(conf_parse(&conf, example, n, "example") == 0, "%s",
	    lines(&conf.faults));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, values_are_judged, 0,
	    (int)(sizeof(values) / sizeof(values[0])));
	tcase_add_test(tc, remedies_are_named);
	tcase_add_test(tc, files_are_read_as_they_are_written);
	tcase_add_test(tc, all_faults_come_in_one_pass);
	tcase_add_test(tc, misspelt_keys_are_named);
	tcase_add_test(tc, a_nul_is_no_text);
	tcase_add_test(tc, secrets_become_descriptors);
	tcase_add_test(tc, the_environment_wins_and_forgets);
	tcase_add_test(tc, relations_are_checked);
	tcase_add_test(tc, lives_are_compared);
	tcase_add_test(tc, values_travel);
	tcase_add_test(tc, the_table_is_whole);
	tcase_add_test(tc, the_example_is_valid);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
