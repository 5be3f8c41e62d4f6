/* SPDX-License-Identifier: MIT */
/*
 * PATH_LIMITS: other bounds for the paths below a prefix, such as
 *
 *	/export timeout=2m response=500MiB; /api timeout=5s
 *
 * A prefix covers itself and all below it (/api: /api and /api/x, not /apix),
 * the longest one wins, and what it does not name stays as it is everywhere.
 * A prefix stands as the application sees it; ";", white space and "%" in one
 * are written as %3B, %20 and %25. Pure.
 */
#ifndef COMMON_PATH_LIMITS_H
#define COMMON_PATH_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define PATH_LIMITS_MAX 32
#define PATH_LIMITS_PREFIX_MAX 200

struct path_limit {
	char prefix[PATH_LIMITS_PREFIX_MAX]; /* decoded */
	size_t len;
	int64_t timeout_ms;   /* 0: not named */
	int64_t response_max; /* bytes; 0: not named */
};

struct path_limits {
	size_t count;
	struct path_limit limit[PATH_LIMITS_MAX];
};

/* NULL, or what is wrong. */
const char *path_limits_parse(struct path_limits *, const char *text);

/* The longest timeout= of all, 0: none. */
int64_t path_limits_timeout_max(const struct path_limits *);

/* The limit of the longest prefix that covers a percent-decoded path, or
 * NULL. */
const struct path_limit *
path_limits_find(const struct path_limits *, const uint8_t *path, size_t len);

#endif
