/* SPDX-License-Identifier: MIT */
/*
 * BACKEND_RETRY_ON: after what a request may be tried again. Words with commas
 * between them: "connect" (no connection), "cut" (it ended before a byte of
 * answer), "timeout" (no byte of answer in time), "5xx", or single statuses
 * such as 503; "none". Pure.
 */
#ifndef COMMON_RETRY_ON_H
#define COMMON_RETRY_ON_H

#include <stdbool.h>

#define RETRY_ON_STATUSES 100 /* 500 to 599 */

struct retry_on {
	bool connect, cut, timeout;
	bool status[RETRY_ON_STATUSES]; /* by status - 500 */
};

/* NULL, or what is wrong. */
const char *retry_on_parse(struct retry_on *, const char *text);

bool retry_on_status(const struct retry_on *, int status);

#endif
