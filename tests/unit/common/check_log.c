/* SPDX-License-Identifier: MIT */
/* Unit tests of common/log.h: what leaves on descriptor 2. */
#include <check.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define LINE_MAX_LEN 2048

/* Descriptor 2 is a socket that keeps each write apart. */
static int listener;
static char line[LINE_MAX_LEN * 2];

static void
capture(void)
{
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(dup2(sv[0], STDERR_FILENO), STDERR_FILENO);
	close(sv[0]);
	listener = sv[1];
	log_init("worker", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
}

/* The next write as a string, "" when there was none. */
static const char *
heard(void)
{
	ssize_t n = recv(listener, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

/* What stands behind "worker: ", without the newline. */
static const char *
heard_message(void)
{
	char *at;

	heard();
	ck_assert_uint_gt(strlen(line), 0);
	ck_assert_int_eq(line[strlen(line) - 1], '\n');
	line[strlen(line) - 1] = '\0';
	at = strstr(line, " worker: ");
	ck_assert_ptr_nonnull(at);
	return at + strlen(" worker: ");
}

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t re;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0,
	    "\"%s\" does not match %s", text, pattern);
	regfree(&re);
}

#define STAMP \
	"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

START_TEST(text_line_has_its_shape)
{
	log_info("frame %d of %s", 7, "x");
	assert_matches(heard(), "^" STAMP " info worker: frame 7 of x\n$");
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(json_line_has_its_shape)
{
	log_set_format(LOG_FORMAT_JSON);
	log_warnx("frame %d", 7);
	assert_matches(heard(),
	    "^\\{\"ts\":\"" STAMP "\",\"level\":\"warn\","
	    "\"proc\":\"worker\",\"msg\":\"frame 7\"\\}\n$");
}
END_TEST

START_TEST(stamp_is_now_in_utc)
{
	int64_t before = util_wall_ms(), stamp;
	struct tm tm = {0};
	const char *ms;

	setenv("TZ", "Asia/Tokyo", 1);
	log_init("worker", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_info("x");
	ms = strptime(heard(), "%Y-%m-%dT%H:%M:%S.", &tm);
	ck_assert_ptr_nonnull(ms);
	stamp = (int64_t)timegm(&tm) * 1000 + strtol(ms, NULL, 10);
	ck_assert_int_ge(stamp, before);
	ck_assert_int_le(stamp, util_wall_ms());
}
END_TEST

static const char *const level_names[] = {"debug", "info", "warn", "error"};

START_TEST(levels_hold_back_what_is_below)
{
	int said;

	log_set_level((enum log_level)_i);
	ck_assert_int_eq(log_get_level(), _i);
	log_debug("m");
	log_info("m");
	log_warnx("m");
	log_errorx("m");
	for (said = _i; said <= LOG_LEVEL_ERROR; said++) {
		heard();
		ck_assert_ptr_nonnull(strstr(line, level_names[said]));
	}
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(errno_is_told_by_warn_and_kept_by_all)
{
	errno = ENOENT;
	log_warn("open");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(heard_message(), "open: No such file or directory");
	errno = ENOENT;
	log_warnx("open");
	ck_assert_str_eq(heard_message(), "open");
	close(listener);
	(void)signal(SIGPIPE, SIG_IGN);
	errno = ENOENT;
	log_info("x"); /* EPIPE */
	ck_assert_int_eq(errno, ENOENT);
	close(STDERR_FILENO); /* nothing can be written now */
	errno = ENOENT;
	log_debug("x");
	log_info("x");
	log_warn("x");
	log_warnx("x");
	log_errorx("x");
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* A message, and how it stands in a line of each format. */
static const struct {
	const char *said, *text, *json;
} escapes[] = {
    {"plain ~", "plain ~", "plain ~"},
    {"a\nb", "a\\x0ab", "a\\u000ab"},
    {"\r\t\x1b[31m", "\\x0d\\x09\\x1b[31m", "\\u000d\\u0009\\u001b[31m"},
    {"\x7f", "\\x7f", "\\u007f"},
    {"\"q\" \\", "\"q\" \\", "\\\"q\\\" \\\\"},
    /* UTF-8 stays: two, three and four bytes */
    {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e",
	"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e",
	"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e"},
    {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    /* but not U+009B, which terminals obey */
    {"\xc2\x9b", "\\xc2\\x9b", "\\ufffd\\ufffd"},
    /* nor what is no UTF-8: alone, cut, overlong, surrogate, too high */
    {"\xff", "\\xff", "\\ufffd"},
    {"\x80", "\\x80", "\\ufffd"},
    {"\xe2\x82", "\\xe2\\x82", "\\ufffd\\ufffd"},
    {"\xc3", "\\xc3", "\\ufffd"},
    {"\xc0\xaf", "\\xc0\\xaf", "\\ufffd\\ufffd"},
    {"\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\ufffd\\ufffd\\ufffd"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd"},
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80",
	"\\ufffd\\ufffd\\ufffd\\ufffd"},
};

START_TEST(messages_are_escaped)
{
	char want[256];

	log_info("%s", escapes[_i].said);
	ck_assert_str_eq(heard_message(), escapes[_i].text);
	log_set_format(LOG_FORMAT_JSON);
	log_info("%s", escapes[_i].said);
	ck_assert(util_fmt(
	    want, sizeof(want), "\"msg\":\"%s\"}\n", escapes[_i].json));
	heard();
	ck_assert_str_eq(strstr(line, "\"msg\":"), want);
}
END_TEST

/* What fills a message beyond its bound, also when it is escaped. */
static const char *const fillers[] = {"a", "\n", "\xe2\x82\xac", "\""};

START_TEST(long_lines_are_cut_and_marked)
{
	static const char *const ends[] = {
	    "...: No such file or directory\n",
	    "...: No such file or directory\"}\n",
	};
	char said[LINE_MAX_LEN * 2] = "";
	int format;

	while (strlen(said) < sizeof(said) - 4)
		strcat(said, fillers[_i]);
	for (format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		log_set_format((enum log_format)format);
		errno = ENOENT;
		log_warn("%s", said);
		heard();
		ck_assert_uint_le(strlen(line), LINE_MAX_LEN);
		ck_assert_uint_gt(strlen(line), LINE_MAX_LEN - 256);
		ck_assert_str_eq(
		    line + strlen(line) - strlen(ends[format]), ends[format]);
		ck_assert_ptr_null(strstr(line, "\\xe2"));
		ck_assert_ptr_null(strstr(line, "ufffd"));
		ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
		ck_assert_str_eq(heard(), "");
	}
}
END_TEST

static void
leave(int how)
{
	errno = EACCES;
	switch (how) {
	case 0:
		fatal("cannot go on");
	case 1:
		fatalx("cannot go on");
	default:
		log_exit(78, "cannot go on");
	}
}

static const struct {
	int status;
	const char *message;
} leaves[] = {
    {71, "cannot go on: Permission denied"},
    {70, "cannot go on"},
    {78, "cannot go on"},
};

START_TEST(fatal_speaks_and_leaves)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		leave(_i);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), leaves[_i].status);
	ck_assert_str_eq(heard_message(), leaves[_i].message);
	ck_assert_ptr_nonnull(strstr(line, " error worker: "));
}
END_TEST

/* What becomes of credentials is said whatever LOG_LEVEL is. */
START_TEST(the_audit_log_has_no_level)
{
	log_set_level(LOG_LEVEL_ERROR);
	log_info("x");
	ck_assert_str_eq(heard(), "");
	log_audit(LOG_LEVEL_INFO, "set", "jti %d", 7);
	ck_assert_str_eq(heard_message(), "audit: set: jti 7");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, capture, NULL);
	tcase_add_test(tc, text_line_has_its_shape);
	tcase_add_test(tc, json_line_has_its_shape);
	tcase_add_test(tc, stamp_is_now_in_utc);
	tcase_add_loop_test(tc, levels_hold_back_what_is_below, 0, 4);
	tcase_add_test(tc, errno_is_told_by_warn_and_kept_by_all);
	tcase_add_loop_test(
	    tc, messages_are_escaped, 0, (int)UTIL_COUNT(escapes));
	tcase_add_loop_test(
	    tc, long_lines_are_cut_and_marked, 0, (int)UTIL_COUNT(fillers));
	tcase_add_loop_test(
	    tc, fatal_speaks_and_leaves, 0, (int)UTIL_COUNT(leaves));
	tcase_add_test(tc, the_audit_log_has_no_level);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
