/* SPDX-License-Identifier: MIT */
/*
 * Names to numeric addresses without blocking the loop: literals and
 * "localhost" at once, everything else by the look-up helper (lookup.h).
 */
#ifndef WORKER_RESOLVE_H
#define WORKER_RESOLVE_H

#include <stdint.h>

#include "lookup.h"

struct event_base;
struct resolve;
struct resolve_query;

struct resolve_result {
	const char *error; /* NULL when there is an address; static text */
	unsigned count;
	char addr[LOOKUP_ADDRS_MAX][LOOKUP_ADDR_MAX];
};

/* The result is borrowed. The query is gone when this runs. */
typedef void resolve_cb(const struct resolve_result *, void *arg);

/*
 * fd is the helper's socket (lookup_fork), owned from now on. When the helper
 * dies, or answers nothing any more, every query fails and on_lost is called
 * once: the worker cannot make another, so it had better end. NULL when out of
 * memory.
 */
struct resolve *resolve_create(struct event_base *, int fd,
    void (*on_lost)(const char *why, void *arg), void *arg);
void resolve_free(struct resolve *); /* cancels what is pending */

/* Asks whether the helper is there: to be called every few seconds. One that
 * lets several such questions pass, whatever names it is asked for, hangs. */
void resolve_poll(struct resolve *);

/*
 * Asks for the addresses of a name; the callback runs from the loop, never
 * from inside this call, within timeout_ms. Returns the query, or NULL (out
 * of memory, or too many at once), and then no callback comes.
 */
struct resolve_query *resolve_start(struct resolve *, const char *host,
    int64_t timeout_ms, resolve_cb *, void *arg);

/* No callback comes after this. NULL is fine. */
void resolve_cancel(struct resolve_query *);

#endif
