/* SPDX-License-Identifier: MIT */
/*
 * The heartbeat of one join (protocol.md §2, Liveness): sent on a fixed
 * schedule whatever else goes on, acknowledged within a deadline of its own or
 * the connection is dead, whatever else arrives and whatever TCP says. Knows
 * no Phoenix message.
 */
#ifndef WORKER_HEARTBEAT_H
#define WORKER_HEARTBEAT_H

#include <stdint.h>

struct event_base;
struct heartbeat;
struct metrics;
struct pace;

struct heartbeat_ops {
	/* Queues one with this time stamp (seconds since 1970), in front of
	 * whatever has not begun; calls heartbeat_sent when its last byte is
	 * handed to the kernel. 0, or -1: no memory. */
	int (*send)(int64_t ts, void *arg);
	/* How the connection's bytes move. */
	const struct pace *(*pace)(void *arg);
	/* One was acknowledged, and all that was sent before it with it. */
	void (*on_ack)(void *arg);
	/* The first one in the schedule of this join was, too: it has lasted
	 * long enough to matter. */
	void (*on_stable)(void *arg);
	/* One was not acknowledged in time. The heartbeat has stopped. */
	void (*on_dead)(void *arg);
};

struct heartbeat_params {
	struct event_base *base;
	struct metrics *metrics;
	int64_t interval_ms, timeout_ms;
	const struct heartbeat_ops *ops;
	void *arg;
};

/* NULL when out of memory. Stopped at first. */
struct heartbeat *heartbeat_create(const struct heartbeat_params *);
void heartbeat_free(struct heartbeat *); /* NULL is fine */

/* Another connection: nothing of the last one is on its way. */
void heartbeat_reset(struct heartbeat *);

/* A join begins: the first one is due after an interval. */
void heartbeat_start(struct heartbeat *);
/* It is over: nothing is due, and nothing is known any more. */
void heartbeat_stop(struct heartbeat *);

/* One now, besides the schedule, unless one is under way or was sent in the
 * last second: before a long message, or when the network has changed. Does
 * nothing while stopped. */
void heartbeat_now(struct heartbeat *);

/* As promised by send. */
void heartbeat_sent(struct heartbeat *);

/* An acknowledgement with this time stamp came; any but that of the one under
 * way is ignored. */
void heartbeat_ack(struct heartbeat *, int64_t ts);

/* Milliseconds since the last acknowledgement in this join, -1: none yet. */
int64_t heartbeat_age_ms(const struct heartbeat *);

#endif
