/* SPDX-License-Identifier: MIT */
/*
 * Those who look on: clients of the control socket that the supervisor has
 * handed over, for `telephonectl requests` and `top`. They are outsiders: few
 * at a time (some places are kept for root), each with one question at a time
 * and one frame to each (watch.h), answered so often and no oftener, and gone
 * when they ask nothing. Whatever they do, a request does not wait for them:
 * nothing is noted for them when one ends, they are shown what the ledger
 * remembers anyway.
 */
#ifndef WORKER_WATCHERS_H
#define WORKER_WATCHERS_H

struct event_base;
struct ledger;
struct metrics;
struct watchers;

#define WATCHERS_MAX 8
/* … of which so many are kept for root, whatever others hold. */
#define WATCHERS_ROOT 2

/* Never NULL: out of memory is fatal, this is made at start. */
struct watchers *watchers_create(
    struct event_base *, const struct ledger *, const struct metrics *);
/* Who waits for an answer gets it, as far as it can be sent at once. NULL is
 * fine. */
void watchers_free(struct watchers *);

/* Takes this descriptor from the supervisor, and closes what is no client's
 * socket, or one too many. */
void watchers_add(struct watchers *, int fd);

/* Another worker takes over: each is told so, and may stay until the end. */
void watchers_drain(struct watchers *);

#endif
