/* SPDX-License-Identifier: MIT */
/*
 * A rate as RATE_LIMIT writes it: "100" or "100/s", "60/m", "1000/h". Pure.
 */
#ifndef COMMON_RATE_VALUE_H
#define COMMON_RATE_VALUE_H

#include <stdint.h>

#define RATE_VALUE_MAX 1000000

struct rate_value {
	int64_t count;	/* 0: no limit */
	int64_t per_ms; /* 1000, 60000 or 3600000 */
};

/* NULL, or what is wrong. */
const char *rate_value_parse(struct rate_value *, const char *text);

#endif
