/* SPDX-License-Identifier: MIT */
/*
 * How many requests are worked on at once (MAX_INFLIGHT), how many may wait
 * for that (QUEUE_MAX), and how many bytes of request bodies are held in all
 * (REQUEST_MEMORY_MAX). Only counts: the queue itself is its owner's. Pure.
 */
#ifndef WORKER_LIMIT_H
#define WORKER_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

struct limit {
	size_t running_max, waiting_max, bytes_max;
	size_t running, waiting, bytes;
};

enum limit_verdict {
	LIMIT_RUN,  /* counted as running */
	LIMIT_WAIT, /* counted as waiting */
	LIMIT_FULL,
};

/* A request comes. Nobody overtakes those that wait. */
enum limit_verdict limit_enter(struct limit *);

/* May the first of those that wait run now? Then it is counted as running. */
bool limit_advance(struct limit *);

/* One that ran has ended; one that waited has gone without having run. */
void limit_leave(struct limit *);
void limit_give_up(struct limit *);

/* Holds len more bytes. False, and nothing held: that is too many. One that
 * comes when nothing is held is always taken. */
bool limit_hold(struct limit *, size_t len);
void limit_release(struct limit *, size_t len);

#endif
