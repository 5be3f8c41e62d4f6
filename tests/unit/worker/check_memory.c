/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/memory.h and of what common/conf_check.h says of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "conf.h"
#include "conf_check.h"
#include "memory.h"
#include "metrics.h"
#include "spool.h"
#include "util.h"

#define MIB ((size_t)1024 * 1024)

static void
set(struct conf *c, enum conf_id id, const char *value)
{
	char text[64];

	(void)util_strlcpy(text, value, sizeof(text));
	ck_assert_int_eq(conf_set(c, id, text, CONF_FILE, "test"), 0);
}

START_TEST(by_default)
{
	struct conf c;
	struct metrics metrics;
	struct memory m;

	conf_init(&c);
	metrics_init(&metrics);
	memory_init(&m, &c, &metrics);
	ck_assert_uint_eq(m.ceiling, 512 * MIB);
	ck_assert_uint_eq(m.max, (512 - 32 - 128) * MIB);
	ck_assert_int_eq(
	    metrics_get(&metrics, METRICS_MEMORY_MAX), (int64_t)(512 * MIB));
	set(&c, CONF_TUNNELS, "8");
	memory_init(&m, &c, &metrics);
	ck_assert_uint_eq(m.max, (512 - 32 - 128) * MIB); /* no less for it */
	set(&c, CONF_RATE_CLIENTS_MAX, "1048576");
	memory_init(&m, &c, &metrics);
	ck_assert_uint_eq(m.ceiling, (512 + 6 * 64) * MIB); /* nobody's yet */
	set(&c, CONF_RATE_LIMIT_BY, "client");
	memory_init(&m, &c, &metrics);
	ck_assert_uint_eq(m.ceiling, (512 + 6 * 64 + 36) * MIB);
	ck_assert_uint_eq(m.max, (512 - 32 - 128) * MIB);
	conf_clear(&c);
}
END_TEST

/* The table of clients is there from the start, and of the ceiling. */
START_TEST(with_a_table)
{
	struct conf c;

	conf_init(&c);
	set(&c, CONF_MEMORY_MAX, "276MiB");
	set(&c, CONF_RATE_CLIENTS_MAX, "1048576");
	set(&c, CONF_RATE_LIMIT_BY, "client");
	set(&c, CONF_TRUST_FORWARDED, "on");
	conf_check_limits(&c);
	ck_assert_uint_eq(c.faults.len, 0);
	set(&c, CONF_MEMORY_MAX, "275MiB");
	conf_check_limits(&c);
	ck_assert_uint_gt(c.faults.len, 0);
	conf_clear(&c);
}
END_TEST

START_TEST(too_little)
{
	static const struct {
		const char *memory, *request;
		bool good;
	} rows[] = {{"240MiB", "64MiB", true}, {"239MiB", "64MiB", false},
	    {"54MiB", "2MiB", true}, {"53MiB", "2MiB", false},
	    {"0", "1GiB", true}};
	struct conf c;
	size_t i;

	for (i = 0; i < UTIL_COUNT(rows); i++) {
		conf_init(&c);
		set(&c, CONF_MEMORY_MAX, rows[i].memory);
		set(&c, CONF_MAX_REQUEST_SIZE, rows[i].request);
		conf_check_limits(&c);
		ck_assert_msg(
		    (c.faults.len == 0) == rows[i].good, "%s", rows[i].memory);
		conf_clear(&c);
	}
}
END_TEST

START_TEST(counts)
{
	struct metrics metrics;
	struct memory m = {.metrics = &metrics, .max = 1000};
	size_t a = 0, b = 0;

	metrics_init(&metrics);
	memory_set(&m, &a, 600);
	memory_set(&m, &b, 100);
	ck_assert(!memory_is_tight(&m) && memory_has(&m, 300));
	ck_assert(!memory_has(&m, 301) && !memory_has(&m, SIZE_MAX));
	memory_set(&m, &b, 150);
	ck_assert(memory_is_tight(&m));
	ck_assert_int_eq(metrics_get(&metrics, METRICS_MEMORY_USED), 750);
	memory_set(&m, &a, 1200); /* more than there is */
	ck_assert(!memory_has(&m, 0));
	memory_set(&m, &a, 0);
	memory_set(&m, &b, 0);
	ck_assert_uint_eq(m.used, 0);
	ck_assert(memory_has(&m, 1000) && !memory_is_tight(&m));
}
END_TEST

/* While it is tight a body goes to the spool at once, and stays in order when
 * it is no longer. */
START_TEST(a_body_is_put_aside)
{
	struct metrics metrics;
	struct memory m = {.metrics = &metrics, .max = 100000};
	struct spool *spool = spool_create("/tmp", MIB);
	struct body_params params = {
	    .max = MIB, .memory_max = 64 * 1024, .spool = spool, .memory = &m};
	struct body *body = body_create(&params);
	uint8_t in[30000], out[120000];
	size_t other = 0, i;

	metrics_init(&metrics);
	for (i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i % 251);
	ck_assert_int_eq(body_append(body, in, sizeof(in)), 0);
	ck_assert(!body_is_spooled(body));
	ck_assert_uint_ge(m.used, sizeof(in));
	memory_set(&m, &other, 75000);
	/* What has been allocated is used first. */
	ck_assert_int_eq(body_append(body, in, sizeof(in)), 0);
	ck_assert_int_eq(body_append(body, in, sizeof(in)), 0);
	ck_assert(body_is_spooled(body));
	ck_assert_uint_lt(m.used, 75000 + 65536);
	memory_set(&m, &other, 0);
	ck_assert_int_eq(body_append(body, in, sizeof(in)), 0);
	ck_assert_int_eq(body_read(body, 0, out, sizeof(out)), sizeof(out));
	for (i = 0; i < 4; i++)
		ck_assert(memcmp(out + i * sizeof(in), in, sizeof(in)) == 0);
	body_free(body);
	ck_assert_uint_eq(m.used, 0);
	spool_free(spool);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("memory");
	TCase *t = tcase_create("memory");
	SRunner *runner;
	int failed;

	tcase_add_test(t, by_default);
	tcase_add_test(t, with_a_table);
	tcase_add_test(t, too_little);
	tcase_add_test(t, counts);
	tcase_add_test(t, a_body_is_put_aside);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
