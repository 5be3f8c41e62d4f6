/* SPDX-License-Identifier: MIT */
/*
 * How the walls stand: the worker's and its look-up helper's told to the
 * supervisor, and everybody's taken from it for the metrics.
 */
#ifndef WORKER_WALLS_H
#define WORKER_WALLS_H

struct ipc_frame;
struct metrics;
struct peer;

void walls_report(struct peer *supervisor);

/* PROTO_SANDBOX of the supervisor; malformed: fatal. */
void walls_take(const struct ipc_frame *, struct metrics *);

#endif
