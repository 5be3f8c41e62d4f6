/* SPDX-License-Identifier: MIT */
/*
 * What outsiders can make the worker hold, counted in bytes, and the ceiling of
 * that (MEMORY_MAX). Whoever holds something says how much it is now; whoever
 * is about to hold more asks first, and refuses, spools or closes when the
 * answer is no. Part of the ceiling is kept for what is not counted: the
 * process itself, and one message of each tunnel on its way in. Pure.
 */
#ifndef WORKER_MEMORY_H
#define WORKER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct metrics;

struct memory {
	struct metrics *metrics;
	size_t ceiling; /* all of MEMORY_MAX */
	size_t max;	/* … and what of it may be counted */
	size_t used;
};

void memory_init(struct memory *, const struct conf *, struct metrics *);

/* *counted, which the holder keeps and which begins as 0, becomes now. */
void memory_set(struct memory *, size_t *counted, size_t now);

/* May so much more be held? */
bool memory_has(const struct memory *, size_t more);

/* Most of it is used: what can wait elsewhere should. */
bool memory_is_tight(const struct memory *);

#endif
