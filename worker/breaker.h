/* SPDX-License-Identifier: MIT */
/*
 * The circuit breaker in front of the application: a run of tries that brought
 * no byte of an answer opens it, and for a while nothing is tried; then one
 * request is let through to see (half-open), and closes or opens it again. Any
 * answer is a success, a 500 too: it came from the application. Pure.
 */
#ifndef WORKER_BREAKER_H
#define WORKER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_HALF_OPEN, /* one try is under way, or may begin */
	BREAKER_STATES
};

struct breaker {
	unsigned failures_max; /* 0: never opens */
	int64_t open_ms;
	enum breaker_state state;
	unsigned failures; /* in a row */
	int64_t until_ms;  /* open until then */
	bool probing;	   /* half-open, and its one try is under way */
};

void breaker_init(struct breaker *, unsigned failures_max, int64_t open_ms);

/*
 * May a try begin? One that was let through must end in exactly one of the
 * three below; *probe is set when it is the one of a half-open breaker.
 */
bool breaker_admit(struct breaker *, int64_t now_ms, bool *probe);

/* Would breaker_admit refuse? Then when to ask again, at least 1 ms. */
bool breaker_is_open(const struct breaker *, int64_t now_ms);
int64_t breaker_wait_ms(const struct breaker *, int64_t now_ms);

/* Bytes of an answer came; no byte did; nobody knows (it was cancelled). */
typedef void breaker_outcome(struct breaker *, bool probe, int64_t now_ms);
breaker_outcome breaker_succeeded, breaker_failed, breaker_forgotten;

#endif
