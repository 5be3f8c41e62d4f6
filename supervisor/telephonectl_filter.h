/* SPDX-License-Identifier: MIT */
/*
 * Which exchanges `telephonectl requests` shows. It is done here and not in the
 * worker: that remembers few (so that little is sent in vain), and should read
 * no pattern of anybody's. Pure.
 */
#ifndef SUPERVISOR_TELEPHONECTL_FILTER_H
#define SUPERVISOR_TELEPHONECTL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

#define FILTER_STATUS_MAX 16

struct filter {
	struct {
		uint32_t from, to;
	} status[FILTER_STATUS_MAX]; /* any of them, when there is one */
	size_t status_count;
	int64_t slow_us;  /* at least; 0: all */
	const char *path; /* a prefix, or a pattern of fnmatch(3); NULL: all */
	bool failed;	  /* only what was no success */
};

/* "5xx,404,2xx": adds to the list. NULL, or what is wrong with it. */
const char *filter_status(struct filter *, const char *list);

/* "250ms", "2s". NULL, or what is wrong with it. */
const char *filter_slow(struct filter *, const char *duration);

bool filter_takes(const struct filter *, const struct exchange *);

#endif
