/* SPDX-License-Identifier: MIT */
/*
 * board: what all of switchboard shares: the loop, the settings, the counters,
 * the clock and the log on stderr.  There is one board in a process.
 */
#ifndef SWITCHBOARD_BOARD_H
#define SWITCHBOARD_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "settings.h"

struct event;
struct event_base;

enum count {
	COUNT_CONNECTS,
	COUNT_REJECTED_403,
	COUNT_JOINS,
	COUNT_LEAVES,
	COUNT_CRASHES,
	COUNT_HEARTBEATS,
	COUNT_PROXY_REQS,
	COUNT_PROXY_RES,
	COUNT_PROXY_RES_LATE,
	COUNT_REFRESHES,
	COUNT_DROPPED_MESSAGES,
	COUNT_WS_CHECKS,
	COUNT_WS_CONNECTS,
	COUNT_WS_CONNECTED,
	COUNT_WS_FRAMES_IN,
	COUNT_WS_FRAMES_OUT,
	COUNT_WS_CLOSES,
	COUNT_WS_CLOSED,
	COUNT_WS_ERRORS,
	COUNT_WS_LATE,
	COUNT_MAX
};

struct board {
	struct event_base *base;
	struct settings settings;
	int64_t count[COUNT_MAX];
	bool quiet;
};

extern struct board board;

/* The counters as a JSON object, appended. */
void board_put_counts(struct buf *);

/* Monotonic milliseconds; wall clock seconds, for tokens only. */
int64_t board_now_ms(void);
int64_t board_wall_s(void);

/* One line on stderr unless quiet.  Never give it a token. */
void board_log(const char *, ...) __attribute__((format(printf, 1, 2)));

/* Arm a timer made with evtimer_new to run in ms milliseconds. */
void board_timer_set(struct event *, int64_t ms);

#endif
