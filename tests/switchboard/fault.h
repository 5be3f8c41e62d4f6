/* SPDX-License-Identifier: MIT */
/* fault: does something bad to telephones, on demand.  Used by admin. */
#ifndef SWITCHBOARD_FAULT_H
#define SWITCHBOARD_FAULT_H

#include <stdint.h>

#include "buf.h"

struct fault {
	const char *kind;
	uint64_t socket; /* 0: all */
	int code;	 /* for close */
	const char *reason;
	struct buf bytes; /* for garbage; empty: a default */
	int64_t ms;	  /* for restart */
};

/*
 * Returns how many sockets it was done to, -1 for an unknown kind.  Borrows
 * everything.
 */
int fault_do(const struct fault *);

#endif
