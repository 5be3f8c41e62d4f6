/* SPDX-License-Identifier: MIT */
/* What the files of `telephonectl requests` share, and nobody else needs. */
#ifndef SUPERVISOR_TELEPHONECTL_REQUESTS_H
#define SUPERVISOR_TELEPHONECTL_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "exchange.h"
#include "telephonectl_filter.h"

/* At least what the worker remembers. */
#define REQUESTS_LAST_MAX 1024

struct requests {
	const char *path; /* the control socket */
	struct filter filter;
	unsigned last; /* of those that have ended: so many, the newest */
	bool follow, in_flight, json;
	unsigned width;
};

/* telephonectl_requests.c: one line to standard output. */
void requests_head(const struct requests *);
void requests_print(const struct requests *, const struct exchange *);

/* The last ones that pass the filter, oldest first. */
struct requests_tail {
	struct exchange kept[REQUESTS_LAST_MAX];
	unsigned count; /* all that were ever added */
};
void requests_keep(
    const struct requests *, struct requests_tail *, const struct exchange *);
void requests_flush(const struct requests *, struct requests_tail *);

/* telephonectl_follow.c: until it is interrupted. The exit code. */
int requests_follow(const struct requests *);

#endif
