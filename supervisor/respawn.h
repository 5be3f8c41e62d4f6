/* SPDX-License-Identifier: MIT */
/* When a child that ended is started again. Pure. */
#ifndef SUPERVISOR_RESPAWN_H
#define SUPERVISOR_RESPAWN_H

#include <stdint.h>

/* A child that lived this long was a good one: its end is the first again. */
#define RESPAWN_GOOD_MS (60 * 1000)

/* Milliseconds to wait before the n-th start in a row (n >= 1): 200 ms,
 * doubling, to 10 s. */
int64_t respawn_delay_ms(unsigned n);

#endif
