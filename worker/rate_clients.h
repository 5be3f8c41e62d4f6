/* SPDX-License-Identifier: MIT */
/*
 * A bucket for each client, in a table of fixed size that is made once and
 * never grows. The peer's addresses are an attacker's to choose, so:
 *
 * - A client is an IPv4 address, or the /64 of an IPv6 address: whoever has one
 *   address of a /64 has all of them.
 * - A bucket is forgotten when it is full again, and at no other time. Nobody
 *   gets a fresh burst by pushing his own bucket out of the table.
 * - When there is no place, or those of one wide network (IPv4 /16, IPv6 /32)
 *   hold a quarter of all places, a newcomer shares a bucket with all newcomers
 *   of that network. Many addresses of few networks cannot crowd out the rest,
 *   and many of many networks get what the table and the shared buckets give.
 * - Where an address stands in the table is kept from him by a key.
 *
 * Clients whose address is not known have one bucket in common. Pure.
 */
#ifndef WORKER_RATE_CLIENTS_H
#define WORKER_RATE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "cidr.h"
#include "rate.h"
#include "siphash.h"

struct rate_clients;

/* Room for max clients (1 to 1048576). The rate has a limit; the key is secret
 * and random. NULL when out of memory. */
struct rate_clients *rate_clients_create(
    const struct rate *, size_t max, const uint8_t key[SIPHASH_KEY_LEN]);
void rate_clients_free(struct rate_clients *); /* NULL is fine */

/* The bucket of this client (NULL: not known), good until the next call;
 * *shared says that it is not his alone. */
struct rate_bucket *rate_clients_find(struct rate_clients *,
    const struct cidr_addr *, int64_t now_ms, bool *shared);

/* Places in use. */
size_t rate_clients_count(const struct rate_clients *);

#endif
