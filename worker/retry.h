/* SPDX-License-Identifier: MIT */
/*
 * Which requests are sent once more, after what, and when. Only methods that
 * may be repeated (RFC 9110 §9.2.2): GET, HEAD, OPTIONS and PUT. DELETE could,
 * but a second one often answers 404 where the first did its work. Pure.
 */
#ifndef WORKER_RETRY_H
#define WORKER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "retry_on.h"

struct retry {
	unsigned max; /* tries after the first; 0: none */
	struct retry_on on;
};

enum retry_cause {
	RETRY_CONNECT, /* no connection */
	RETRY_CUT,     /* it ended without a byte of answer */
	RETRY_STALE,   /* the same, on one that was kept from before */
	RETRY_TIMEOUT, /* no byte of answer in time */
};

/* This method may be sent again at all. */
bool retry_has(const struct retry *, const char *method);

/* Another try after `made` of them (1: the first), the last of which failed,
 * or was answered with this status. */
bool retry_after_failure(
    const struct retry *, const char *method, unsigned made, enum retry_cause);
bool retry_after_status(
    const struct retry *, const char *method, unsigned made, int status);

/* How long to wait then: 100 ms, 200 ms and so on. A stale connection says
 * nothing about the application, so the first time there is no wait. */
int64_t retry_delay_ms(unsigned made);
int64_t retry_delay_stale_ms(unsigned made);

#endif
