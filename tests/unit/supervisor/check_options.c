/* SPDX-License-Identifier: MIT */
/* The command line: every option in both spellings, and what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "util.h"

#define WORDS_MAX 8

static struct options o;

/* Parses the words of a line that stand between blanks; '' is an empty one. */
static enum options_action
parse(const char *line)
{
	static char space[256];
	static char name[] = "telephone", empty[] = "";
	char *argv[WORDS_MAX + 2] = {name}, *word, *rest = NULL;
	int argc = 1;

	ck_assert(util_fmt(space, sizeof(space), "%s", line));
	for (word = strtok_r(space, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		ck_assert_int_le(argc, WORDS_MAX);
		argv[argc++] = strcmp(word, "''") == 0 ? empty : word;
	}
	/* What getopt says of a wrong line is not this test's output. */
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	return options_parse(&o, argc, argv);
}

static const struct {
	const char *line;
	enum options_action action;
} actions[] = {
    {"", OPTIONS_RUN},
    {"-n", OPTIONS_CHECK},
    {"--configtest", OPTIONS_CHECK},
    {"-V", OPTIONS_VERSION},
    {"--version", OPTIONS_VERSION},
    {"-h", OPTIONS_HELP},
    {"--help", OPTIONS_HELP},
    {"-nv -f x", OPTIONS_CHECK},
    {"-x", OPTIONS_USAGE},
    {"--no-such", OPTIONS_USAGE},
    {"-f", OPTIONS_USAGE},
    {"--env", OPTIONS_USAGE},
    {"--log-level", OPTIONS_USAGE},
    {"extra", OPTIONS_USAGE},
    {"-n extra", OPTIONS_USAGE},
    {"-f ''", OPTIONS_USAGE},
    {"--env ''", OPTIONS_USAGE},
    {"-f x --env ''", OPTIONS_USAGE},
    {"--file=", OPTIONS_USAGE},
};

START_TEST(every_action)
{
	ck_assert_int_eq(parse(actions[_i].line), actions[_i].action);
}
END_TEST

START_TEST(nothing_given)
{
	ck_assert_int_eq(parse(""), OPTIONS_RUN);
	ck_assert_ptr_null(o.file);
	ck_assert_ptr_null(o.log_level);
	ck_assert_ptr_null(o.log_format);
}
END_TEST

static const struct {
	const char *line, *file;
} files[] = {
    {"-f a", "a"},
    {"-fa", "a"},
    {"--file a", "a"},
    {"--file=a", "a"},
    {"--env a", "a"},
    {"--env=a", "a"},
    {"--env a -f b", "b"}, /* -f wins wherever it stands */
    {"-f b --env a", "b"},
    {"-f a -f b", "b"},
};

START_TEST(which_file)
{
	ck_assert_int_eq(parse(files[_i].line), OPTIONS_RUN);
	ck_assert_str_eq(o.file, files[_i].file);
}
END_TEST

static const struct {
	const char *line, *level, *format;
} logs[] = {
    {"-v", "debug", NULL},
    {"--verbose", "debug", NULL},
    {"--log-level warn", "warn", NULL},
    {"--log-level=warn --log-format=json", "warn", "json"},
    {"-v --log-level error", "error", NULL}, /* the last one holds */
    {"--log-level error -v", "debug", NULL},
};

START_TEST(how_to_log)
{
	ck_assert_int_eq(parse(logs[_i].line), OPTIONS_RUN);
	ck_assert_pstr_eq(o.log_level, logs[_i].level);
	ck_assert_pstr_eq(o.log_format, logs[_i].format);
}
END_TEST

START_TEST(parsed_twice)
{
	ck_assert_int_eq(parse("-n -f a extra"), OPTIONS_USAGE);
	ck_assert_int_eq(parse("-f b"), OPTIONS_RUN);
	ck_assert_str_eq(o.file, "b");
	/* Nothing of a word that was left in its middle, either. */
	ck_assert_int_eq(parse("-Vn"), OPTIONS_VERSION);
	ck_assert_int_eq(parse("--file b"), OPTIONS_RUN);
	ck_assert_str_eq(o.file, "b");
}
END_TEST

START_TEST(help_names_every_option)
{
	static const char *const names[] = {"--file", "--env", "--configtest",
	    "--verbose", "--log-level", "--log-format", "--version", "--help"};

	ck_assert_ptr_nonnull(strstr(options_help, names[_i]));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, every_action, 0, UTIL_COUNT(actions));
	tcase_add_test(t, nothing_given);
	tcase_add_loop_test(t, which_file, 0, UTIL_COUNT(files));
	tcase_add_loop_test(t, how_to_log, 0, UTIL_COUNT(logs));
	tcase_add_test(t, parsed_twice);
	tcase_add_loop_test(t, help_names_every_option, 0, 8);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
