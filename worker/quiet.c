/* SPDX-License-Identifier: MIT */
/* The second of quiet.h. */
#include "quiet.h"

bool
quiet_allows(struct quiet *q, int64_t now_ms, uint64_t *kept)
{
	if (q->last_ms != 0 && now_ms - q->last_ms < QUIET_MS) {
		q->kept++;
		return false;
	}
	*kept = q->kept;
	q->kept = 0;
	q->last_ms = now_ms;
	return true;
}
