/* SPDX-License-Identifier: MIT */
/* board: the one shared state of the process, its clock and its log. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <event2/event.h>

#include "board.h"

struct board board;

/* In the order of enum count. */
static const char *const names[COUNT_MAX] = {
    "connects",
    "rejected_403",
    "joins",
    "leaves",
    "crashes",
    "heartbeats",
    "proxy_reqs",
    "proxy_res",
    "proxy_res_late",
    "refreshes",
    "dropped_messages",
    "ws_checks",
    "ws_connects",
    "ws_connected",
    "ws_frames_in",
    "ws_frames_out",
    "ws_closes",
    "ws_closed",
    "ws_errors",
    "ws_late",
};

void
board_put_counts(struct buf *out)
{
	for (int i = 0; i < COUNT_MAX; i++)
		buf_addf(out, "%s\"%s\":%lld", i == 0 ? "{" : ",", names[i],
		    (long long)board.count[i]);
	buf_addc(out, '}');
}

int64_t
board_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
board_wall_s(void)
{
	return (int64_t)time(NULL);
}

void
board_log(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (board.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "switchboard: %s\n", line);
}

void
board_timer_set(struct event *timer, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(timer, &tv);
}
