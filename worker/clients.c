/* SPDX-License-Identifier: MIT */
/* The list, the buckets, and what is said when either refuses. */
#include <stdlib.h>
#include <strings.h>

#include "clients.h"
#include "conf.h"
#include "metrics.h"
#include "rate.h"
#include "rate_clients.h"
#include "rate_value.h"
#include "util.h"

/* A bucket for all. */
struct total {
	struct rate rate; /* count 0: no limit */
	struct rate_bucket bucket;
	const char *reason;
};

enum totals {
	LIMIT,	/* RATE_LIMIT, unless it is each client's */
	IN_ALL, /* RATE_LIMIT_TOTAL */
	TOTALS
};

struct clients {
	struct metrics *metrics;
	unsigned hops;
	bool is_listed;
	struct cidr_list allowed;
	struct total total[TOTALS];
	struct rate each;
	struct rate_clients *table; /* NULL: RATE_LIMIT is not each client's */
	struct clients_refusal late;
};

/* --- settings ------------------------------------------------------------- */

static void
read_rate(struct rate *r, const struct conf *conf, enum conf_id limit,
    enum conf_id burst)
{
	struct rate_value v = {.count = 0};

	(void)rate_value_parse(&v, conf_text(conf, limit));
	rate_init(r, v.count, v.per_ms, conf_num(conf, burst));
}

static int
make_table(struct clients *c, const struct conf *conf)
{
	uint8_t key[SIPHASH_KEY_LEN];

	c->each = c->total[LIMIT].rate;
	c->total[LIMIT].rate.count = 0;
	if (c->each.count == 0)
		return 0;
	util_random(key, sizeof(key));
	c->table = rate_clients_create(
	    &c->each, (size_t)conf_num(conf, CONF_RATE_CLIENTS_MAX), key);
	return c->table == NULL ? -1 : 0;
}

static int
make_rates(struct clients *c, const struct conf *conf)
{
	size_t i;

	read_rate(
	    &c->total[LIMIT].rate, conf, CONF_RATE_LIMIT, CONF_RATE_BURST);
	c->total[LIMIT].reason = "more requests came than RATE_LIMIT allows";
	read_rate(&c->total[IN_ALL].rate, conf, CONF_RATE_LIMIT_TOTAL,
	    CONF_RATE_BURST_TOTAL);
	c->total[IN_ALL].reason =
	    "more requests came than RATE_LIMIT_TOTAL allows";
	for (i = 0; i < TOTALS; i++)
		rate_fill(
		    &c->total[i].rate, &c->total[i].bucket, util_mono_ms());
	return conf_num(conf, CONF_RATE_LIMIT_BY) == 0 ? 0
						       : make_table(c, conf);
}

struct clients *
clients_create(const struct conf *conf, unsigned hops, struct metrics *metrics)
{
	struct clients *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->metrics = metrics;
	c->hops = hops;
	c->is_listed = conf_is_set(conf, CONF_ALLOW_CLIENTS);
	if (c->is_listed)
		(void)cidr_list_parse(
		    &c->allowed, conf_text(conf, CONF_ALLOW_CLIENTS));
	if (make_rates(c, conf) == -1) {
		clients_free(c);
		return NULL;
	}
	return c;
}

void
clients_free(struct clients *c)
{
	if (c == NULL)
		return;
	rate_clients_free(c->table);
	free(c);
}

/* --- who ------------------------------------------------------------------ */

/* Two fields of that name: which of them a proxy wrote cannot be told. */
static bool
is_twice(const struct head *h, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < head_count(h); i++)
		n += strcasecmp(head_field(h, i)->name, name) == 0;
	return n > 1;
}

void
clients_who(
    const struct clients *c, const struct head *h, struct clients_who *who)
{
	char text[HEAD_CLIENT_MAX];

	who->known = c->hops > 0 && !is_twice(h, "x-forwarded-for") &&
	    !is_twice(h, "forwarded") && head_client(h, c->hops, text) &&
	    cidr_addr_parse(&who->addr, text);
}

const struct clients_refusal *
clients_allow(struct clients *c, const struct clients_who *who)
{
	static const struct clients_refusal unknown = {403,
	    "client_not_allowed",
	    "ALLOW_CLIENTS is set, and who the client is cannot be told", 0};
	static const struct clients_refusal unlisted = {
	    403, "client_not_allowed", "the client is not in ALLOW_CLIENTS", 0};

	if (!c->is_listed ||
	    (who->known && cidr_list_has(&c->allowed, &who->addr)))
		return NULL;
	metrics_add(c->metrics, METRICS_CLIENTS_REFUSED, 1);
	return who->known ? &unlisted : &unknown;
}

/* --- how often ------------------------------------------------------------ */

static const struct clients_refusal *
refuse_rate(struct clients *c, enum metrics_id metric, const char *reason,
    int64_t wait_ms)
{
	metrics_add(c->metrics, metric, 1);
	c->late =
	    (struct clients_refusal){429, "rate_limited", reason, wait_ms};
	return &c->late;
}

/* The client's own bucket, which may be that of several. */
static const struct clients_refusal *
ask_own(struct clients *c, const struct clients_who *who, int64_t now_ms,
    struct rate_bucket **own)
{
	int64_t wait_ms;
	bool shared;

	*own = rate_clients_find(
	    c->table, who->known ? &who->addr : NULL, now_ms, &shared);
	metrics_set(c->metrics, METRICS_RATE_CLIENTS,
	    (int64_t)rate_clients_count(c->table));
	wait_ms = rate_wait_ms(&c->each, *own, now_ms);
	if (wait_ms == 0)
		return NULL;
	return refuse_rate(c,
	    shared ? METRICS_RATE_SHARED : METRICS_RATE_CLIENT,
	    "more requests of this client came than RATE_LIMIT allows",
	    wait_ms);
}

/* Nobody whom one bucket refuses takes anything out of another. */
const struct clients_refusal *
clients_take(struct clients *c, const struct clients_who *who, int64_t now_ms)
{
	const struct clients_refusal *late = NULL;
	struct rate_bucket *own = NULL;
	int64_t wait_ms;
	size_t i;

	if (c->table != NULL)
		late = ask_own(c, who, now_ms, &own);
	for (i = 0; i < TOTALS && late == NULL; i++) {
		wait_ms = rate_wait_ms(
		    &c->total[i].rate, &c->total[i].bucket, now_ms);
		if (wait_ms > 0)
			late = refuse_rate(
			    c, METRICS_RATE_TOTAL, c->total[i].reason, wait_ms);
	}
	if (late != NULL)
		return late;
	if (own != NULL)
		rate_take(&c->each, own);
	for (i = 0; i < TOTALS; i++)
		rate_take(&c->total[i].rate, &c->total[i].bucket);
	return NULL;
}
