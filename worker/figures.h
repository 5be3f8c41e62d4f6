/* SPDX-License-Identifier: MIT */
/*
 * Metrics that are not counted but looked at: what the tunnels, the log and
 * the process itself show when somebody asks for /metrics.
 */
#ifndef WORKER_FIGURES_H
#define WORKER_FIGURES_H

#include <stdint.h>

struct metrics;
struct tunnels;

/* Before the sandbox, after which no file can be opened: keeps a descriptor
 * for the life of the process. */
void figures_open(void);

/* Bytes of this process that are resident; 0: unknown. */
int64_t figures_resident(void);

void figures_take(struct metrics *, const struct tunnels *);

#endif
