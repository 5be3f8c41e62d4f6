/* SPDX-License-Identifier: MIT */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdint.h>

#include "head.h"

struct conn;

enum {
	ROUTE_NUMBER = 1,   /* a decimal number follows the path */
	ROUTE_CONTENT = 2,  /* wants the request's body kept */
	ROUTE_UNCOUNTED = 4 /* not among the requests in flight */
};

/*
 * One endpoint.  answer is called when the request is complete, body and
 * all, and answers it at once or later by the functions of reply.h.
 */
struct route {
	const char *path;
	unsigned int flags;
	uint64_t max; /* of the number */
	void (*answer)(struct conn *conn, uint64_t number);
	const char *help;
};

/*
 * The route of a path, compared byte for byte; NULL without one, or when
 * its number is none or too large.
 */
const struct route *route_find(struct span path, uint64_t *number);

#endif
