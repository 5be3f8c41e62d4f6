/* SPDX-License-Identifier: MIT */
/*
 * For log lines that an outsider could cause by the thousand: one a second is
 * written, and says how many were not. Pure.
 */
#ifndef WORKER_QUIET_H
#define WORKER_QUIET_H

#include <stdbool.h>
#include <stdint.h>

#define QUIET_MS 1000

struct quiet {
	int64_t last_ms; /* when one was written, 0: never */
	uint64_t kept;	 /* since then */
};

/* True: write it, and that *kept before it were not. */
bool quiet_allows(struct quiet *, int64_t now_ms, uint64_t *kept);

#endif
