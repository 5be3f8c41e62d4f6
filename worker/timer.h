/* SPDX-License-Identifier: MIT */
/*
 * libevent's timers in the unit that everything here uses.
 */
#ifndef WORKER_TIMER_H
#define WORKER_TIMER_H

#include <stdint.h>

struct event;
struct event_base;

/* A one-shot timer that is not armed. Out of memory is fatal: timers are made
 * at start, or with an object whose allocation was checked before. */
struct event *
timer_create_ms(struct event_base *, void (*cb)(int, short, void *), void *arg);

/* (Re-)arms it to fire once in ms milliseconds; a negative time is now. */
void timer_set_ms(struct event *, int64_t ms);

/* Disarms it; it stays usable. NULL is fine. */
void timer_stop(struct event *);

/* Disarms, frees and clears. NULL inside is fine. */
void timer_clear(struct event **);

#endif
