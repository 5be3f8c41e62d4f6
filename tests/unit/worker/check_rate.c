/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/rate.h, worker/rate_clients.h and worker/clients.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients.h"
#include "conf.h"
#include "metrics.h"
#include "rate.h"
#include "rate_clients.h"
#include "util.h"

static const uint8_t key[SIPHASH_KEY_LEN] = "0123456789abcdef";

/* --- buckets -------------------------------------------------------------- */

static bool
take(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
	if (rate_wait_ms(r, b, now_ms) > 0)
		return false;
	rate_take(r, b);
	return true;
}

/* How many of this many requests, `step_ms` apart, get through. */
static int
taken(const struct rate *r, struct rate_bucket *b, int64_t *now_ms, int count,
    int64_t step_ms)
{
	int n = 0;

	while (count-- > 0) {
		n += take(r, b, *now_ms);
		*now_ms += step_ms;
	}
	return n;
}

START_TEST(burst_then_rate)
{
	struct rate r;
	struct rate_bucket b;
	int64_t now = 1000;

	rate_init(&r, 10, 1000, 5);
	rate_fill(&r, &b, now);
	ck_assert_int_eq(taken(&r, &b, &now, 100, 0), 5);
	ck_assert_int_eq(rate_wait_ms(&r, &b, now), 100);
	ck_assert_int_eq(rate_wait_ms(&r, &b, now + 99), 1);
	ck_assert_int_eq(rate_wait_ms(&r, &b, now + 100), 0);
	now += 100;
	/* A request a millisecond, for ten seconds: ten a second. */
	ck_assert_int_eq(taken(&r, &b, &now, 10000, 1), 100);
}
END_TEST

START_TEST(nothing_is_lost_to_rounding)
{
	struct rate r;
	struct rate_bucket b;
	int64_t now = 0;

	rate_init(&r, 7, 60000, 2); /* one in 8571.4 ms */
	rate_fill(&r, &b, now);
	ck_assert_int_eq(taken(&r, &b, &now, 600001, 1), 72);
}
END_TEST

START_TEST(never_more_than_the_burst)
{
	struct rate r;
	struct rate_bucket b;
	int64_t now = 0;

	rate_init(&r, 1000000, 1000, 1000000);
	rate_fill(&r, &b, 0);
	rate_take(&r, &b);
	ck_assert(!rate_is_full(&r, &b, 0));
	ck_assert(rate_is_full(&r, &b, INT64_MAX));
	now = INT64_MAX;
	ck_assert_int_eq(taken(&r, &b, &now, 1000005, 0), 1000000);
}
END_TEST

START_TEST(a_clock_that_goes_back)
{
	struct rate r;
	struct rate_bucket b;
	int64_t now = 5000;

	rate_init(&r, 1, 1000, 0);
	rate_fill(&r, &b, now);
	ck_assert(take(&r, &b, now));
	ck_assert(!take(&r, &b, 0));
	ck_assert(!take(&r, &b, 5999));
	ck_assert(take(&r, &b, 6000));
}
END_TEST

START_TEST(default_bursts)
{
	struct rate r;

	rate_init(&r, 100, 1000, 0);
	ck_assert_int_eq(r.burst, 100);
	rate_init(&r, 600, 60000, 0);
	ck_assert_int_eq(r.burst, 10);
	rate_init(&r, 5, 3600000, 0);
	ck_assert_int_eq(r.burst, 1);
}
END_TEST

START_TEST(no_limit)
{
	struct rate r;
	struct rate_bucket b;

	rate_init(&r, 0, 1000, 0);
	rate_fill(&r, &b, 0);
	for (int i = 0; i < 1000; i++)
		ck_assert(take(&r, &b, 0));
}
END_TEST

/* --- the table ------------------------------------------------------------ */

struct fixture {
	struct rate rate;
	struct rate_clients *table;
	int64_t now;
	bool shared;
};

static void
setup(struct fixture *f, int64_t count, int64_t burst, size_t max)
{
	rate_init(&f->rate, count, 1000, burst);
	f->table = rate_clients_create(&f->rate, max, key);
	f->now = 1000000;
	ck_assert_ptr_nonnull(f->table);
}

static bool
comes(struct fixture *f, const char *text)
{
	struct cidr_addr a;

	ck_assert(cidr_addr_parse(&a, text));
	return take(&f->rate,
	    rate_clients_find(f->table, &a, f->now, &f->shared), f->now);
}

/* The i-th address of a network: "192.0." or "2001:db8:". */
static bool
comes_from(struct fixture *f, const char *network, unsigned i)
{
	char text[64];

	if (strchr(network, ':') == NULL)
		(void)util_fmt(
		    text, sizeof(text), "%s%u.%u", network, i >> 8, i & 255);
	else
		(void)util_fmt(text, sizeof(text), "%s%x:%x::1", network,
		    i >> 16, i & 0xffff);
	return comes(f, text);
}

START_TEST(each_has_his_own)
{
	struct fixture f;

	setup(&f, 1, 2, 64);
	ck_assert(comes(&f, "192.0.2.1") && comes(&f, "192.0.2.1"));
	ck_assert(!comes(&f, "192.0.2.1") && !f.shared);
	ck_assert(!comes(&f, "::ffff:192.0.2.1")); /* the same */
	ck_assert(comes(&f, "192.0.2.2"));
	ck_assert(comes(&f, "2001:db8:0:1::1"));
	ck_assert(comes(&f, "2001:db8:0:1:ffff::"));
	ck_assert(!comes(&f, "2001:db8:0:1::3")); /* one /64 */
	ck_assert(comes(&f, "2001:db8:0:2::1"));
	ck_assert(comes(&f, "::1")); /* whose /64 is no IPv4 address */
	ck_assert_uint_eq(rate_clients_count(f.table), 5);
	rate_clients_free(f.table);
}
END_TEST

START_TEST(the_unknown_have_one)
{
	struct fixture f;
	struct rate_bucket *b;

	setup(&f, 1, 2, 64);
	b = rate_clients_find(f.table, NULL, f.now, &f.shared);
	ck_assert(f.shared);
	ck_assert(take(&f.rate, b, f.now) && take(&f.rate, b, f.now));
	b = rate_clients_find(f.table, NULL, f.now, &f.shared);
	ck_assert(!take(&f.rate, b, f.now));
	ck_assert_uint_eq(rate_clients_count(f.table), 0);
	rate_clients_free(f.table);
}
END_TEST

START_TEST(who_is_full_is_forgotten)
{
	struct fixture f;
	unsigned i;

	setup(&f, 10, 10, 64);
	for (i = 0; i < 10000; i++) {
		ck_assert(comes_from(&f, "192.0.", i));
		ck_assert(!f.shared);
		f.now += 100; /* what it took is back */
	}
	ck_assert_uint_le(rate_clients_count(f.table), 17);
	rate_clients_free(f.table);
}
END_TEST

/* Whoever goes through more addresses than there are places does not get a
 * fresh burst with each. */
START_TEST(no_service_by_pushing_out)
{
	struct fixture f;
	unsigned i, n = 0, turn;

	setup(&f, 1, 2, 64);
	for (turn = 0; turn < 100; turn++) /* 100 ms */
		for (i = 0; i < 1000; i++, f.now += (i % 1000 == 0))
			n += comes_from(&f, "2001:db8:", i);
	/* A quarter of the places, and what their network shares: each its
	 * burst, and less than one more in this time. */
	ck_assert_uint_le(n, (64 / 4 + 1) * (2 + 1));
	ck_assert_uint_ge(n, (64 / 4) * 2);
	ck_assert_uint_le(rate_clients_count(f.table), 64);
	rate_clients_free(f.table);
}
END_TEST

/* … and takes nothing from those of other networks. */
START_TEST(others_are_not_starved)
{
	struct fixture f;
	unsigned i, turn, n = 0;

	setup(&f, 10, 10, 64);
	for (turn = 0; turn < 100; turn++) {
		for (i = 0; i < 500; i++)
			(void)comes_from(&f, "2001:db8:", i + 500 * turn);
		n += comes(&f, "198.51.100.7"); /* once in 100 ms: its rate */
		ck_assert(!f.shared);
		f.now += 100;
	}
	ck_assert_uint_eq(n, 100);
	rate_clients_free(f.table);
}
END_TEST

/* The table is full of four networks: a fifth still has a bucket of its own,
 * shared by those who come from there. */
START_TEST(a_full_table_shares)
{
	static const char *const networks[] = {"2001:db8:", "2001:db9:",
	    "192.0.", "198.51.", "2001:dba:", "203.0."};
	struct fixture f;
	unsigned i, k;

	setup(&f, 1, 1, 64);
	for (k = 0; k < UTIL_COUNT(networks); k++)
		for (i = 0; i < 100; i++)
			(void)comes_from(&f, networks[k], i);
	ck_assert_uint_eq(rate_clients_count(f.table), 64);
	ck_assert(comes(&f, "2001:db80::1") && f.shared);
	ck_assert(!comes(&f, "2001:db80:0:1::1") && f.shared);
	f.now += 1000; /* all are full: who comes has a place again */
	ck_assert(comes(&f, "2001:db80:0:1::1"));
	ck_assert(!f.shared);
	rate_clients_free(f.table);
}
END_TEST

START_TEST(a_table_of_one)
{
	struct fixture f;

	setup(&f, 1, 1, 1);
	ck_assert(comes(&f, "192.0.2.1") && !f.shared);
	ck_assert(comes(&f, "2001:db8::1") && f.shared);
	ck_assert(!comes(&f, "192.0.2.1") && !f.shared);
	f.now += 1000;
	ck_assert(comes(&f, "2001:db8::1") && !f.shared);
	ck_assert_uint_eq(rate_clients_count(f.table), 1);
	rate_clients_free(f.table);
}
END_TEST

/* --- the gate ------------------------------------------------------------- */

struct gate {
	struct conf conf;
	struct metrics metrics;
	struct clients *clients;
};

static void
configure(struct gate *g, unsigned hops, const char *const *pairs)
{
	conf_init(&g->conf);
	metrics_init(&g->metrics);
	for (; *pairs != NULL; pairs += 2) {
		char text[200];
		int id = conf_find(pairs[0]);

		(void)util_strlcpy(text, pairs[1], sizeof(text));
		ck_assert_int_ne(id, -1);
		ck_assert_int_eq(conf_set(&g->conf, (enum conf_id)id, text,
				     CONF_FILE, "test"),
		    0);
	}
	g->clients = clients_create(&g->conf, hops, &g->metrics);
	ck_assert_ptr_nonnull(g->clients);
}

static void
unconfigure(struct gate *g)
{
	clients_free(g->clients);
	conf_clear(&g->conf);
}

static void
ask(struct gate *g, const char *name, const char *value,
    struct clients_who *who)
{
	struct head h;

	head_init(&h, 10, 1000);
	if (name != NULL)
		ck_assert_ptr_null(head_put(&h, name, value));
	clients_who(g->clients, &h, who);
	head_clear(&h);
}

START_TEST(who_it_is)
{
	static const char *const nothing[] = {NULL};
	struct clients_who who;
	struct gate g;
	struct head h;

	configure(&g, 1, nothing);
	ask(&g, "x-forwarded-for", "10.0.0.1, 192.0.2.1", &who);
	ck_assert(who.known && who.addr.byte[12] == 192);
	ask(&g, "forwarded", "for=\"[2001:db8::1]:80\"", &who);
	ck_assert(who.known && who.addr.byte[0] == 0x20);
	ask(&g, "x-forwarded-for", "unknown", &who);
	ck_assert(!who.known);
	ask(&g, NULL, NULL, &who);
	ck_assert(!who.known);
	/* Twice: which of them a proxy wrote cannot be told. */
	head_init(&h, 10, 1000);
	(void)head_put(&h, "X-Forwarded-For", "192.0.2.1");
	(void)head_put(&h, "x-forwarded-for", "192.0.2.2");
	clients_who(g.clients, &h, &who);
	ck_assert(!who.known);
	head_clear(&h);
	unconfigure(&g);
	configure(&g, 0, nothing);
	ask(&g, "x-forwarded-for", "192.0.2.1", &who);
	ck_assert(!who.known);
	unconfigure(&g);
}
END_TEST

START_TEST(who_is_allowed)
{
	static const char *const list[] = {
	    "ALLOW_CLIENTS", "192.0.2.0/24, 2001:db8::/32", NULL};
	static const char *const nothing[] = {NULL};
	const struct clients_refusal *r;
	struct clients_who who;
	struct gate g;

	configure(&g, 1, list);
	ask(&g, "x-forwarded-for", "192.0.2.9", &who);
	ck_assert_ptr_null(clients_allow(g.clients, &who));
	ask(&g, "x-forwarded-for", "::ffff:192.0.2.9", &who);
	ck_assert_ptr_null(clients_allow(g.clients, &who));
	ask(&g, "x-forwarded-for", "192.0.3.9", &who);
	r = clients_allow(g.clients, &who);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(r->status, 403);
	ck_assert_str_eq(r->code, "client_not_allowed");
	ask(&g, NULL, NULL, &who); /* not known: not allowed */
	r = clients_allow(g.clients, &who);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(r->status, 403);
	ck_assert_int_eq(metrics_get(&g.metrics, METRICS_CLIENTS_REFUSED), 2);
	unconfigure(&g);
	configure(&g, 0, nothing);
	ask(&g, NULL, NULL, &who);
	ck_assert_ptr_null(clients_allow(g.clients, &who));
	unconfigure(&g);
}
END_TEST

static int
passes(struct gate *g, const char *addr, int count)
{
	struct clients_who who;
	int n = 0;

	ask(g, addr == NULL ? NULL : "x-forwarded-for", addr, &who);
	while (count-- > 0)
		n += clients_take(g->clients, &who, 5) == NULL;
	return n;
}

START_TEST(limits_together)
{
	static const char *const keys[] = {"RATE_LIMIT", "1/m", "RATE_BURST",
	    "3", "RATE_LIMIT_BY", "client", "RATE_LIMIT_TOTAL", "1/h",
	    "RATE_BURST_TOTAL", "5", NULL};
	const struct clients_refusal *r;
	struct clients_who who;
	struct gate g;

	configure(&g, 1, keys);
	ck_assert_int_eq(passes(&g, "192.0.2.1", 100), 3);
	ck_assert_int_eq(metrics_get(&g.metrics, METRICS_RATE_CLIENT), 97);
	/* What the first was refused took nothing from the rest. */
	ck_assert_int_eq(passes(&g, "192.0.2.2", 2), 2);
	ck_assert_int_eq(passes(&g, "192.0.2.3", 1), 0);
	ck_assert_int_eq(metrics_get(&g.metrics, METRICS_RATE_TOTAL), 1);
	ask(&g, "x-forwarded-for", "192.0.2.3", &who);
	r = clients_take(g.clients, &who, 5);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(r->status, 429);
	ck_assert_str_eq(r->code, "rate_limited");
	ck_assert_int_gt(r->wait_ms, 3500000);
	unconfigure(&g);
}
END_TEST

START_TEST(one_limit_for_all)
{
	static const char *const keys[] = {
	    "RATE_LIMIT", "1/m", "RATE_BURST", "3", NULL};
	struct gate g;

	configure(&g, 1, keys);
	ck_assert_int_eq(passes(&g, "192.0.2.1", 2), 2);
	ck_assert_int_eq(passes(&g, "192.0.2.2", 2), 1);
	ck_assert_int_eq(passes(&g, NULL, 2), 0);
	ck_assert_int_eq(metrics_get(&g.metrics, METRICS_RATE_TOTAL), 3);
	unconfigure(&g);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rate");
	TCase *t = tcase_create("rate");
	SRunner *runner;
	int failed;

	tcase_add_test(t, burst_then_rate);
	tcase_add_test(t, nothing_is_lost_to_rounding);
	tcase_add_test(t, never_more_than_the_burst);
	tcase_add_test(t, a_clock_that_goes_back);
	tcase_add_test(t, default_bursts);
	tcase_add_test(t, no_limit);
	tcase_add_test(t, each_has_his_own);
	tcase_add_test(t, the_unknown_have_one);
	tcase_add_test(t, who_is_full_is_forgotten);
	tcase_add_test(t, no_service_by_pushing_out);
	tcase_add_test(t, others_are_not_starved);
	tcase_add_test(t, a_full_table_shares);
	tcase_add_test(t, a_table_of_one);
	tcase_add_test(t, who_it_is);
	tcase_add_test(t, who_is_allowed);
	tcase_add_test(t, limits_together);
	tcase_add_test(t, one_limit_for_all);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
