/* SPDX-License-Identifier: MIT */
/* A hash table with chains over one array, and a hand that goes round it in
 * search of what may be forgotten. */
#include <stdlib.h>
#include <string.h>

#include "conf_check.h"
#include "rate_clients.h"

#define NETWORKS 256
/* Places looked at for each newcomer: the hand has been everywhere when as many
 * came as a sixteenth of the table holds. */
#define LOOK 16
/* Of a table's places, those that one wide network may have. */
#define SHARE 4
#define NOWHERE UINT32_MAX

struct client {
	struct rate_bucket bucket;
	uint8_t prefix[8]; /* of the client's address */
	uint32_t next;	   /* in its chain, or among the free */
	uint8_t network;
	bool v4, used;
};

_Static_assert(sizeof(struct client) + sizeof(uint32_t) <= CONF_CLIENT_BYTES,
    "a place takes what is kept for it");

struct rate_clients {
	struct rate rate;
	uint8_t key[SIPHASH_KEY_LEN];
	size_t max, count, hand;
	uint32_t free;
	struct client *client;
	uint32_t *chain; /* as many as max */
	uint32_t in_network[NETWORKS];
	struct rate_bucket shared[NETWORKS];
	struct rate_bucket unknown;
};

struct who {
	uint8_t prefix[8];
	bool v4;
	uint8_t network;
	size_t chain;
};

static uint64_t
hash(const struct rate_clients *c, const uint8_t *data, size_t len, bool v4)
{
	uint8_t text[9] = {v4};

	memcpy(text + 1, data, len);
	return siphash(c->key, text, len + 1);
}

static void
identify(const struct rate_clients *c, const struct cidr_addr *a, struct who *w)
{
	memset(w, 0, sizeof(*w));
	w->v4 = cidr_addr_is_v4(a);
	if (w->v4)
		memcpy(w->prefix, a->byte + 12, 4);
	else
		memcpy(w->prefix, a->byte, 8);
	w->chain = hash(c, w->prefix, sizeof(w->prefix), w->v4) % c->max;
	w->network =
	    (uint8_t)(hash(c, w->prefix, w->v4 ? 2 : 4, w->v4) % NETWORKS);
}

/* --- places --------------------------------------------------------------- */

static struct client *
find(const struct rate_clients *c, const struct who *w)
{
	uint32_t i;

	for (i = c->chain[w->chain]; i != NOWHERE; i = c->client[i].next)
		if (c->client[i].v4 == w->v4 &&
		    memcmp(c->client[i].prefix, w->prefix, 8) == 0)
			return &c->client[i];
	return NULL;
}

static void
forget(struct rate_clients *c, uint32_t place)
{
	struct client *gone = &c->client[place];
	uint32_t *at = &c->chain[hash(c, gone->prefix, 8, gone->v4) % c->max];

	while (*at != place)
		at = &c->client[*at].next;
	*at = gone->next;
	gone->used = false;
	gone->next = c->free;
	c->free = place;
	c->in_network[gone->network]--;
	c->count--;
}

/* Makes room where somebody is known of whom nothing need be known. */
static void
look_round(struct rate_clients *c, int64_t now_ms)
{
	size_t n;

	for (n = 0; n < LOOK && n < c->max; n++) {
		c->hand = (c->hand + 1) % c->max;
		if (c->client[c->hand].used &&
		    rate_is_full(&c->rate, &c->client[c->hand].bucket, now_ms))
			forget(c, (uint32_t)c->hand);
	}
}

static bool
has_place(const struct rate_clients *c, const struct who *w)
{
	return c->free != NOWHERE &&
	    c->in_network[w->network] < (c->max + SHARE - 1) / SHARE;
}

static struct client *
admit(struct rate_clients *c, const struct who *w, int64_t now_ms)
{
	uint32_t place = c->free;
	struct client *added = &c->client[place];

	c->free = added->next;
	memcpy(added->prefix, w->prefix, sizeof(added->prefix));
	added->v4 = w->v4;
	added->network = w->network;
	added->used = true;
	added->next = c->chain[w->chain];
	c->chain[w->chain] = place;
	c->in_network[w->network]++;
	c->count++;
	rate_fill(&c->rate, &added->bucket, now_ms);
	return added;
}

/* --- the interface -------------------------------------------------------- */

struct rate_bucket *
rate_clients_find(struct rate_clients *c, const struct cidr_addr *a,
    int64_t now_ms, bool *shared)
{
	struct client *known;
	struct who w;

	*shared = true;
	if (a == NULL)
		return &c->unknown;
	identify(c, a, &w);
	known = find(c, &w);
	if (known == NULL) {
		look_round(c, now_ms);
		if (!has_place(c, &w))
			return &c->shared[w.network];
		known = admit(c, &w, now_ms);
	}
	*shared = false;
	return &known->bucket;
}

size_t
rate_clients_count(const struct rate_clients *c)
{
	return c->count;
}

struct rate_clients *
rate_clients_create(
    const struct rate *rate, size_t max, const uint8_t key[SIPHASH_KEY_LEN])
{
	struct rate_clients *c = calloc(1, sizeof(*c));
	size_t i;

	if (c == NULL)
		return NULL;
	c->rate = *rate;
	c->max = max;
	memcpy(c->key, key, sizeof(c->key));
	c->client = calloc(max, sizeof(*c->client));
	c->chain = calloc(max, sizeof(*c->chain));
	if (c->client == NULL || c->chain == NULL) {
		rate_clients_free(c);
		return NULL;
	}
	for (i = 0; i < max; i++) {
		c->chain[i] = NOWHERE;
		c->client[i].next = i + 1 < max ? (uint32_t)i + 1 : NOWHERE;
	}
	/* As of the beginning of time: full whenever they are asked first. */
	for (i = 0; i < NETWORKS; i++)
		rate_fill(rate, &c->shared[i], 0);
	rate_fill(rate, &c->unknown, 0);
	return c;
}

void
rate_clients_free(struct rate_clients *c)
{
	if (c == NULL)
		return;
	free(c->client);
	free(c->chain);
	free(c);
}
