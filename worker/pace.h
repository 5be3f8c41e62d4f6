/* SPDX-License-Identifier: MIT */
/*
 * How fast bytes leave a socket, as far as the peer's TCP has confirmed them:
 * what write(2) took says nothing, the kernel holds megabytes. Pure: the time
 * and the kernel's queue (SIOCOUTQ, tcp(7)) are arguments.
 */
#ifndef WORKER_PACE_H
#define WORKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* How often pace_sample should be called while anything is on its way. */
#define PACE_SAMPLE_MS 250

struct pace {
	uint64_t written;    /* bytes handed to the kernel */
	uint64_t left;	     /* … of which the peer has confirmed these */
	int64_t progress_ms; /* when `left` last grew, or sending began */
	int64_t window_ms;   /* when the measurement under way began, or 0 */
	uint64_t window_left;
	uint64_t rate;	 /* bytes a second, 0: not known */
	int64_t rate_ms; /* when that was measured */
};

/* A fresh connection: nothing known. */
void pace_init(struct pace *, int64_t now_ms);

/* len bytes were handed to the kernel. */
void pace_wrote(struct pace *, uint64_t len, int64_t now_ms);

/*
 * The kernel still holds `queued` bytes. `busy`: more are waiting to be
 * written, so that the time since the last sample was spent sending.
 */
void pace_sample(struct pace *, uint64_t queued, bool busy, int64_t now_ms);

/* Everything written has been confirmed. */
bool pace_is_idle(const struct pace *);

/*
 * How long len bytes would take at the measured rate, in ms; 0 when none was
 * measured in the last minute, so that a link that has recovered is found out.
 */
int64_t pace_project_ms(const struct pace *, uint64_t len, int64_t now_ms);

#endif
