/* SPDX-License-Identifier: MIT */
/*
 * The addresses of one host that is called again and again: resolved anew
 * when they are older than NAMES_LIFE_MS, asked for once however many wait.
 */
#ifndef WORKER_NAMES_H
#define WORKER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "resolve.h"

struct names;

/* Short enough that a container which moved is found again soon. */
#define NAMES_LIFE_MS 5000
#define NAMES_LIST_MAX (LOOKUP_ADDRS_MAX * (LOOKUP_ADDR_MAX + 3))

/* "192.0.2.1,[2001:db8::1]", or NULL with a static text in error. */
typedef void names_cb(const char *addresses, const char *error, void *arg);

/* NULL when out of memory. host outlives it. */
struct names *names_create(struct resolve *, const char *host,
    int64_t timeout_ms, names_cb *, void *arg);
void names_free(struct names *);

/* The addresses when they are known and fresh ("" for a literal or localhost,
 * which libcurl knows by itself); else NULL, and the callback follows, from
 * the loop, as long as names_is_asking says so. */
const char *names_get(struct names *);
bool names_is_asking(const struct names *);

#endif
