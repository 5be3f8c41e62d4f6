/* SPDX-License-Identifier: MIT */
/* Unit tests of common/metrics.h: the table and its text form. */
#include <check.h>
#include <inttypes.h>
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "util.h"
#include "version.h"

static const struct {
	const char *type, *family, *labels, *help;
} rows[] = {
#define ROW(id, type, family, labels, help) {#type, family, labels, help},
    METRICS_TABLE(ROW)
#undef ROW
};

static struct metrics metrics;
static struct buf out;

/* The rendered text as a string. */
static char *
rendered(void)
{
	buf_reset(&out);
	ck_assert_int_eq(metrics_render(&metrics, &out), 0);
	ck_assert_int_eq(buf_putc(&out, '\0'), 0);
	return (char *)out.data;
}

static void
setup(void)
{
	buf_init(&out, 64 * 1024);
	memset(&metrics, 0xff, sizeof(metrics));
	metrics_init(&metrics);
}

static void
teardown(void)
{
	buf_clear(&out);
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text++;
	}
	return n;
}

static bool
is_counter(size_t i)
{
	return strncmp(rows[i].type, "COUNTER", 7) == 0;
}

START_TEST(values_begin_at_zero_and_keep_apart)
{
	unsigned i;

	for (i = 0; i < METRICS_COUNT; i++)
		ck_assert_int_eq(metrics_get(&metrics, i), 0);
	metrics_add(&metrics, METRICS_CONNECTS, 2);
	metrics_add(&metrics, METRICS_CONNECTS, 3);
	metrics_set(&metrics, METRICS_IN_FLIGHT, 9);
	metrics_add(&metrics, METRICS_IN_FLIGHT, -2);
	for (i = 0; i < METRICS_COUNT; i++)
		ck_assert_int_eq(metrics_get(&metrics, i),
		    i == METRICS_CONNECTS	 ? 5
			: i == METRICS_IN_FLIGHT ? 7
						 : 0);
}
END_TEST

START_TEST(each_row_shows_its_value)
{
	bool ms = strstr(rows[_i].type, "_MS") != NULL;
	const char *value = ms ? "9007199254740.992" : "9007199254740992";
	const char *labels = rows[_i].labels;
	char want[512];
	const char *text;

	metrics_set(&metrics, (enum metrics_id)_i, INT64_C(1) << 53);
	text = rendered();
	ck_assert(util_fmt(want, sizeof(want), "\n%s%s%s%s %s\n",
	    rows[_i].family, labels[0] == '\0' ? "" : "{", labels,
	    labels[0] == '\0' ? "" : "}", value));
	ck_assert_uint_eq(count(text, want), 1);
	/* And no other row took it. */
	ck_assert_uint_eq(count(text, value), 1);
}
END_TEST

START_TEST(each_family_has_one_head_in_front)
{
	char help[512], type[512], sample[512];
	const char *text = rendered(), *at, *first;

	ck_assert(util_fmt(help, sizeof(help), "# HELP %s %s\n",
	    rows[_i].family, rows[_i].help));
	ck_assert(util_fmt(type, sizeof(type), "# TYPE %s %s\n",
	    rows[_i].family, is_counter((size_t)_i) ? "counter" : "gauge"));
	ck_assert(util_fmt(sample, sizeof(sample), "\n%s%s", rows[_i].family,
	    rows[_i].labels[0] == '\0' ? " " : "{"));
	at = strstr(text, help);
	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(count(text, help), 1);
	ck_assert_uint_eq(count(text, type), 1);
	ck_assert_ptr_eq(strstr(text, type), at + strlen(help));
	first = strstr(text, sample);
	ck_assert_ptr_eq(first + 1, at + strlen(help) + strlen(type));
}
END_TEST

/* A sample line of the format 0.0.4, without a stamp. */
#define NAME_RE "[a-zA-Z_:][a-zA-Z0-9_:]*"
#define LABEL_RE "[a-zA-Z_][a-zA-Z0-9_]*=\"[^\"\\]*\""

START_TEST(every_line_is_well_formed)
{
	static const char *const forms[] = {
	    "^# HELP " NAME_RE " [^\\]+$",
	    "^# TYPE " NAME_RE " (counter|gauge|histogram)$",
	    "^" NAME_RE "(\\{" LABEL_RE "(," LABEL_RE ")*\\})? "
	    "-?[0-9]+(\\.[0-9]+)?$",
	};
	char *text = rendered(), *at;
	regex_t re[UTIL_COUNT(forms)];
	size_t i, hits, lines = 0;

	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	for (i = 0; i < UTIL_COUNT(forms); i++)
		ck_assert_int_eq(
		    regcomp(&re[i], forms[i], REG_EXTENDED | REG_NOSUB), 0);
	for (at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
		for (i = hits = 0; i < UTIL_COUNT(forms); i++)
			hits += regexec(&re[i], at, 0, NULL, 0) == 0;
		ck_assert_msg(hits == 1, "\"%s\"", at);
		lines++;
	}
	ck_assert_uint_gt(lines, UTIL_COUNT(rows));
	for (i = 0; i < UTIL_COUNT(forms); i++)
		regfree(&re[i]);
}
END_TEST

START_TEST(counters_are_called_total)
{
	size_t len = strlen(rows[_i].family);

	ck_assert_int_eq(
	    len > 6 && strcmp(rows[_i].family + len - 6, "_total") == 0,
	    is_counter((size_t)_i));
}
END_TEST

/* --- requests ------------------------------------------------------------- */

static void
assert_line(const char *want)
{
	char line[256];

	ck_assert(util_fmt(line, sizeof(line), "\n%s\n", want));
	ck_assert_msg(
	    count(rendered(), line) == 1, "%s in %s", want, rendered());
}

#define REQUESTS(method, class, outcome)            \
	"telephone_requests_total{method=\"" method \
	"\",status_class=\"" class "\",outcome=\"" outcome "\"} "

START_TEST(requests_are_counted_by_closed_lists)
{
	metrics_count_request(&metrics, "GET", 204, METRICS_OK);
	metrics_count_request(&metrics, "GET", 299, METRICS_OK);
	metrics_count_request(&metrics, "BREW", 418, METRICS_REFUSED);
	metrics_count_request(&metrics, "get", 504, METRICS_TIMEOUT);
	metrics_count_request(&metrics, "", 0, METRICS_LOST);
	assert_line(REQUESTS("GET", "2xx", "ok") "2");
	assert_line(REQUESTS("GET", "5xx", "timeout") "0");
	assert_line(REQUESTS("other", "4xx", "refused") "1");
	assert_line(REQUESTS("other", "5xx", "timeout") "1");
	assert_line(REQUESTS("other", "none", "lost") "1");
	ck_assert_uint_eq(metrics_requests(&metrics, METRICS_OK), 2);
	ck_assert_uint_eq(metrics_requests(&metrics, METRICS_BACKEND_ERROR), 0);
	ck_assert_uint_eq(count(rendered(), "\ntelephone_requests_total{"),
	    METRICS_METHODS * METRICS_ENDS);
}
END_TEST

START_TEST(an_end_that_does_not_occur_is_counted_all_the_same)
{
	metrics_count_request(&metrics, "GET", 0, METRICS_OK);
	metrics_count_request(&metrics, "GET", 200, METRICS_BACKEND_ERROR);
	ck_assert_uint_eq(metrics_requests(&metrics, METRICS_OK), 1);
	ck_assert_uint_eq(metrics_requests(&metrics, METRICS_BACKEND_ERROR), 1);
}
END_TEST

START_TEST(buckets_add_up)
{
	int64_t us;

	for (us = 0; us <= 100; us++)
		metrics_observe(&metrics, METRICS_DURATION, us * 1000);
	metrics_observe(&metrics, METRICS_DURATION, INT64_C(3600) * 1000000);
	metrics_observe(&metrics, METRICS_PHASE_SEND, -5);
#define DURATION "telephone_request_duration_seconds"
	assert_line(DURATION "_bucket{le=\"0.001\"} 2");
	assert_line(DURATION "_bucket{le=\"0.05\"} 51");
	assert_line(DURATION "_bucket{le=\"60\"} 101");
	assert_line(DURATION "_bucket{le=\"+Inf\"} 102");
	assert_line(DURATION "_sum 3605.050000");
	assert_line(DURATION "_count 102");
#define PHASE "telephone_request_phase_seconds"
	assert_line(PHASE "_bucket{phase=\"send\",le=\"0.001\"} 1");
	assert_line(PHASE "_sum{phase=\"send\"} 0.000000");
	assert_line(PHASE "_count{phase=\"queue\"} 0");
	ck_assert_uint_eq(count(rendered(), "# TYPE " PHASE " histogram\n"), 1);
}
END_TEST

START_TEST(quantiles_lie_within_their_bucket)
{
	const struct metrics_histogram *h =
	    &metrics.histogram[METRICS_DURATION];
	int i;

	ck_assert_int_eq(metrics_quantile_us(h, 0.5), 0);
	for (i = 0; i < 100; i++)
		metrics_observe(
		    &metrics, METRICS_DURATION, i < 90 ? 2000 : 200000);
	ck_assert_int_eq(metrics_quantile_us(h, 0.45), 1000 + 750);
	ck_assert_int_eq(metrics_quantile_us(h, 0.95), 175000);
	metrics_observe(&metrics, METRICS_DURATION, INT64_MAX);
	ck_assert_int_eq(
	    metrics_quantile_us(h, 1), metrics_bounds_us[METRICS_BUCKETS - 1]);
}
END_TEST

START_TEST(the_build_is_told)
{
	char want[256];

	ck_assert(util_fmt(want, sizeof(want),
	    "# TYPE telephone_build_info gauge\n"
	    "telephone_build_info{version=\"%s\"} 1\n",
	    version));
	ck_assert_uint_eq(count(rendered(), want), 1);
	ck_assert_uint_eq(count(rendered(), "# HELP telephone_build_info "), 1);
}
END_TEST

START_TEST(a_full_buffer_is_reported)
{
	size_t len = strlen(rendered());
	struct buf small;

	buf_init(&small, len);
	ck_assert_int_eq(metrics_render(&metrics, &small), 0);
	buf_clear(&small);
	buf_init(&small, len - 1);
	ck_assert_int_eq(metrics_render(&metrics, &small), -1);
	buf_clear(&small);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tc = tcase_create("metrics");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, values_begin_at_zero_and_keep_apart);
	tcase_add_loop_test(
	    tc, each_row_shows_its_value, 0, (int)UTIL_COUNT(rows));
	tcase_add_loop_test(
	    tc, each_family_has_one_head_in_front, 0, (int)UTIL_COUNT(rows));
	tcase_add_test(tc, every_line_is_well_formed);
	tcase_add_loop_test(
	    tc, counters_are_called_total, 0, (int)UTIL_COUNT(rows));
	tcase_add_test(tc, requests_are_counted_by_closed_lists);
	tcase_add_test(tc, an_end_that_does_not_occur_is_counted_all_the_same);
	tcase_add_test(tc, buckets_add_up);
	tcase_add_test(tc, quantiles_lie_within_their_bucket);
	tcase_add_test(tc, the_build_is_told);
	tcase_add_test(tc, a_full_buffer_is_reported);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
