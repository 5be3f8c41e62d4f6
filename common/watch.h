/* SPDX-License-Identifier: MIT */
/*
 * What is said on a socket that the supervisor has handed to the worker, for
 * `telephonectl requests` and `top`: questions, one at a time, and an answer
 * of one frame to each. Nothing is sent unasked, so that whoever reads slowly
 * holds up nothing: what he missed meanwhile, the numbers tell him. The payload
 * of proto.h's WATCHED, EXCHANGES_GET, EXCHANGES and LOAD. Pure.
 */
#ifndef COMMON_WATCH_H
#define COMMON_WATCH_H

#include "exchange.h"
#include "ipc.h"
#include "metrics.h"
#include "pack.h"

/* WATCHED: the worker has the socket. */
struct watch_greeting {
	uint32_t pid;
	int64_t started_s; /* wall clock */
};
int watch_put_greeting(uint8_t *space, const struct watch_greeting *);
int watch_get_greeting(const struct ipc_frame *, struct watch_greeting *);

/* EXCHANGES_GET: bits of flags. */
#define WATCH_WAIT 1	 /* answer when there is one, or after WATCH_WAIT_MS */
#define WATCH_RUNNING 2	 /* those that run, else those that have ended */
#define WATCH_REQUESTS 4 /* no WebSockets */
#define WATCH_FAILED 8	 /* only failures */
#define WATCH_FLAGS 16
#define WATCH_WAIT_MS 5000

struct watch_question {
	uint64_t after; /* a seq, or a number of those that run; 0: all */
	uint8_t flags;
};
int watch_put_question(uint8_t *space, const struct watch_question *);
int watch_get_question(const struct ipc_frame *, struct watch_question *);

/* EXCHANGES: as many as fit into one frame, in the order of what was asked
 * after. */
struct watch_page {
	uint64_t ended;	 /* the newest seq there is */
	uint64_t oldest; /* the oldest that is remembered, 0: none */
	bool more;	 /* ask again, after the last of these */
	bool draining;	 /* another worker has taken over, or will */
};

/* Writing: begin, add until it is false (no room: set more), end: the length
 * of the payload, or -1. */
void watch_page_begin(struct pack *, uint8_t *space);
bool watch_page_add(struct pack *, const struct exchange *);
int watch_page_end(struct pack *, const struct watch_page *);

/* Reading: open: 0 or -1; then 1 for each, 0 at the end, -1 for what is
 * malformed. The frame must outlive that. */
int
watch_page_open(const struct ipc_frame *, struct watch_page *, struct unpack *);
int watch_page_next(struct unpack *, struct exchange *);

/* LOAD: counters since the worker's start, and what is now. */
enum watch_value {
	WATCH_IN_FLIGHT,
	WATCH_WAITING, /* for one of MAX_INFLIGHT */
	WATCH_WEBSOCKETS,
	WATCH_RETRIES,
	WATCH_BYTES_TO,	  /* the application, WebSockets included */
	WATCH_BYTES_FROM, /* it */
	WATCH_SPOOL,
	WATCH_VALUES
};
struct watch_load {
	int64_t mono_us; /* the worker's clock: rates are by this */
	uint64_t requests[METRICS_OUTCOMES];
	uint64_t value[WATCH_VALUES];
	struct metrics_histogram duration;
};
int watch_put_load(uint8_t *space, const struct watch_load *);
int watch_get_load(const struct ipc_frame *, struct watch_load *);

#endif
