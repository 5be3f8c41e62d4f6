/* SPDX-License-Identifier: MIT */
/* The value of a Retry-After field (RFC 9110 §10.2.3). Pure. */
#ifndef WORKER_RETRY_AFTER_H
#define WORKER_RETRY_AFTER_H

#include <stdint.h>

/* A server may not silence a telephone for longer. */
#define RETRY_AFTER_MAX_S 3600

/* Seconds to wait, from 0 to RETRY_AFTER_MAX_S: delay-seconds, or the distance
 * of an HTTP-date in any of its three forms (§5.6.7) from now_s (seconds since
 * 1970). -1: neither of the two. */
int32_t retry_after_parse(const char *text, int64_t now_s);

#endif
