/* SPDX-License-Identifier: MIT */
/* Unit tests of common/otel.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "otel.h"
#include "util.h"

static struct conf conf;

static void
set(enum conf_id id, const char *text)
{
	char copy[256];

	(void)util_strlcpy(copy, text, sizeof(copy));
	ck_assert_msg(conf_set(&conf, id, copy, CONF_FILE, "test") == 0,
	    "%s: %s", conf_keys[id].name, text);
}

/* --- on and off ----------------------------------------------------------- */

static const struct {
	const char *endpoint, *traces, *exporter, *disabled;
	bool on;
} switches[] = {
    {"", "", "", "", false}, {"http://a", "", "", "", true},
    {"", "http://a", "", "", true}, {"", "", "otlp", "", true},
    {"http://a", "", "none", "", false},
    {"http://a", "http://a", "otlp", "true", false},
    {"http://a", "", "", "TRUE", false}, {"http://a", "", "", "false", true},
    {"http://a", "", "", "1", true}, /* only "true" is true */
};

START_TEST(on_and_off)
{
	conf_init(&conf);
	set(CONF_OTEL_EXPORTER_OTLP_ENDPOINT, switches[_i].endpoint);
	set(CONF_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, switches[_i].traces);
	set(CONF_OTEL_TRACES_EXPORTER, switches[_i].exporter);
	set(CONF_OTEL_SDK_DISABLED, switches[_i].disabled);
	ck_assert(otel_is_on(&conf) == switches[_i].on);
	conf_clear(&conf);
}
END_TEST

/* --- endpoints ------------------------------------------------------------ */

static const struct {
	const char *all, *traces, *host;
	unsigned port;
	bool tls;
	const char *path;
} endpoints[] = {
    {"", "", "localhost", 4318, false, "/v1/traces"},
    {"http://c:4318", "", "c", 4318, false, "/v1/traces"},
    {"http://c:4318/", "", "c", 4318, false, "/v1/traces"},
    {"https://c", "", "c", 443, true, "/v1/traces"},
    {"HTTP://c", "", "c", 80, false, "/v1/traces"},
    {"https://c/a/b//", "", "c", 443, true, "/a/b/v1/traces"},
    {"http://[::1]:1", "", "::1", 1, false, "/v1/traces"},
    {"http://c", "https://d:5/x/", "d", 5, true, "/x/"},
    {"", "http://d", "d", 80, false, "/"},
};

START_TEST(an_endpoint)
{
	struct url u;

	conf_init(&conf);
	set(CONF_OTEL_EXPORTER_OTLP_ENDPOINT, endpoints[_i].all);
	set(CONF_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, endpoints[_i].traces);
	ck_assert(otel_endpoint(&conf, &u));
	ck_assert_str_eq(u.host, endpoints[_i].host);
	ck_assert_uint_eq(u.port, endpoints[_i].port);
	ck_assert(u.tls == endpoints[_i].tls);
	ck_assert_str_eq(u.path, endpoints[_i].path);
	conf_clear(&conf);
}
END_TEST

static const char *const no_endpoints[] = {"c:4318", "ws://c", "grpc://c",
    "http://", "http://c:0", "http://c:70000", "http://u@c", "http://u:p@c",
    "http://c/?a=1", "http://c/#a", "http://c/a b", "http://c d/"};

START_TEST(no_endpoint)
{
	ck_assert_msg(otel_endpoint_fault(no_endpoints[_i]) != NULL, "%s",
	    no_endpoints[_i]);
}
END_TEST

/* --- pairs ---------------------------------------------------------------- */

static const struct {
	const char *text, *key, *value; /* of the last */
	int count;			/* -1: malformed */
} pairs[] = {
    {"", "", "", 0},
    {" , ,", "", "", 0},
    {"a=1", "a", "1", 1},
    {" a = 1 , b\t=\t2 ", "b", "2", 2},
    {"a=b=c==", "a", "b=c==", 1},
    {"a=", "a", "", 1},
    {"a=%2C%20%c3%A9", "a", ", \xc3\xa9", 1},
    {"a=Basic dTpw", "a", "Basic dTpw", 1},
    {"a", "", "", -1},
    {"=1", "", "", -1},
    {"a=%2", "", "", -1},
    {"a=%zz", "", "", -1},
    {"a=%00", "", "", -1},
};

START_TEST(a_list_of_pairs)
{
	const char *text = pairs[_i].text;
	struct otel_pair p = {"", ""};
	int more, count = 0;

	while ((more = otel_next_pair(&text, &p)) == 1)
		count++;
	ck_assert_int_eq(more == -1 ? -1 : count, pairs[_i].count);
	if (more == -1)
		return;
	ck_assert_str_eq(p.key, pairs[_i].key);
	ck_assert_str_eq(p.value, pairs[_i].value);
}
END_TEST

static const struct {
	const char *text;
	bool headers, attributes; /* good as such */
} lists[] = {
    {"", true, true},
    {"api-key=x,b=%20", true, true},
    {"a=%0d%0ab", false, true},
    {"a=%c3%a9", false, true},
    {"a=%ff", false, false},
    {"a b=1", false, true},
    {"%C3%A9=1", false, true},
    {"content-length=1", false, true},
    {"Content-Type=x", false, true},
    {"Host=x", false, true},
    {"a=1,a=2", true, false},
    {"a", false, false},
};

START_TEST(what_they_may_hold)
{
	const char *text = lists[_i].text;

	ck_assert_msg((otel_headers_fault(text) == NULL) == lists[_i].headers,
	    "%s", text);
	ck_assert_msg(
	    (otel_attributes_fault(text) == NULL) == lists[_i].attributes, "%s",
	    text);
}
END_TEST

START_TEST(how_many)
{
	char text[1024] = "";
	size_t i, len = 0;

	for (i = 0; i < OTEL_PAIRS_MAX; i++) {
		(void)util_fmt(text + len, sizeof(text) - len, "k%zu=1,", i);
		len = strlen(text);
	}
	ck_assert_ptr_null(otel_headers_fault(text));
	ck_assert_ptr_null(otel_attributes_fault(text));
	(void)util_fmt(text + len, sizeof(text) - len, "x=1");
	ck_assert_ptr_nonnull(otel_headers_fault(text));
	ck_assert_ptr_nonnull(otel_attributes_fault(text));
}
END_TEST

/* --- ratios --------------------------------------------------------------- */

static const struct {
	const char *text;
	double ratio;
} ratios[] = {
    {"0", 0},
    {"1", 1},
    {"1.0", 1},
    {"0.25", 0.25},
    {".5", 0.5},
    {"1e-3", 0.001},
    {"", -1},
    {"-0.1", -1},
    {"1.0001", -1},
    {"nan", -1},
    {"0x1", -1},
    {"0.5 ", -1},
    {"1e", -1},
    {"50%", -1},
};

START_TEST(a_ratio)
{
	ck_assert(otel_ratio(ratios[_i].text) == ratios[_i].ratio);
	ck_assert((otel_ratio_fault(ratios[_i].text) == NULL) ==
	    (ratios[_i].ratio >= 0));
}
END_TEST

START_TEST(the_one_of_traces_counts)
{
	conf_init(&conf);
	ck_assert_int_eq(
	    otel_pick(&conf, CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS,
		CONF_OTEL_EXPORTER_OTLP_HEADERS),
	    CONF_OTEL_EXPORTER_OTLP_HEADERS);
	set(CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS, "a=1");
	ck_assert_int_eq(
	    otel_pick(&conf, CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS,
		CONF_OTEL_EXPORTER_OTLP_HEADERS),
	    CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS);
	conf_clear(&conf);
}
END_TEST

/* A file shared with an application: its settings of other signals are no
 * slips. */
START_TEST(other_signals)
{
	char text[] = "OTEL_METRICS_EXPORTER=none\n"
		      "OTEL_EXPORTER_OTLP_METRICS_HEADERS=a=1\n"
		      "OTEL_LOGS_EXPORTER=none\n"
		      "OTEL_EXPORTER_OTLP_ENDPONT=http://c\n";

	conf_init(&conf);
	ck_assert_int_eq(conf_parse(&conf, text, strlen(text), "f"), 0);
	ck_assert_int_eq(buf_putc(&conf.warnings, '\0'), 0);
	ck_assert_str_eq((char *)conf.warnings.data,
	    "f:4: OTEL_EXPORTER_OTLP_ENDPONT is not a key of telephone; did "
	    "you mean OTEL_EXPORTER_OTLP_ENDPOINT?\n");
	conf_clear(&conf);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("otel");
	TCase *tc = tcase_create("otel");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, on_and_off, 0, (int)UTIL_COUNT(switches));
	tcase_add_loop_test(tc, an_endpoint, 0, (int)UTIL_COUNT(endpoints));
	tcase_add_loop_test(tc, no_endpoint, 0, (int)UTIL_COUNT(no_endpoints));
	tcase_add_loop_test(tc, a_list_of_pairs, 0, (int)UTIL_COUNT(pairs));
	tcase_add_loop_test(tc, what_they_may_hold, 0, (int)UTIL_COUNT(lists));
	tcase_add_test(tc, how_many);
	tcase_add_loop_test(tc, a_ratio, 0, (int)UTIL_COUNT(ratios));
	tcase_add_test(tc, the_one_of_traces_counts);
	tcase_add_test(tc, other_signals);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
