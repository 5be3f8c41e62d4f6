/* SPDX-License-Identifier: MIT */
/*
 * What is known of each exchange and each WebSocket session, from its
 * beginning to its end, and the one place where an end is told: one record in
 * the log, the counters and histograms, the list of recent ones, and whoever
 * else listens (trace.h). An entry is a part of the exchange itself, and the
 * recent ones are a ring of fixed size: nothing is allocated for any of it.
 *
 * Never in it: a query string, a header field, a body.
 */
#ifndef WORKER_LEDGER_H
#define WORKER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "metrics.h"

#define LEDGER_ID_MAX 129
#define LEDGER_METHOD_MAX 33
#define LEDGER_PATH_MAX 201
#define LEDGER_REASON_MAX 160
#define LEDGER_RECENT_MAX 256 /* that have ended and are remembered */

enum ledger_phase {
	LEDGER_QUEUE,	   /* from its arrival to the first try */
	LEDGER_RETRY,	   /* earlier tries and the waits after them */
	LEDGER_CONNECT,	   /* a connection: a free one, the name, TCP, TLS */
	LEDGER_FIRST_BYTE, /* until the application's answer began */
	LEDGER_BODY,	   /* until it was complete */
	LEDGER_SEND,	   /* until its answer had left to Plugboard */
	LEDGER_PHASES
};
const char *ledger_phase_name(enum ledger_phase);

struct ledger_entry {
	TAILQ_ENTRY(ledger_entry) link; /* of those that run */
	uint64_t number;		/* set at the beginning, from 1 */
	uint64_t seq;			/* set at the end, from 1 */
	bool ws;
	bool quiet; /* one of many alike: told as info */
	char id[LEDGER_ID_MAX];
	char method[LEDGER_METHOD_MAX];
	char path[LEDGER_PATH_MAX];
	unsigned tunnel; /* which one it came by, from 1 */
	int status;	 /* 0: none was answered */
	unsigned tries;
	enum metrics_outcome outcome;
	const char *ws_outcome; /* a constant */
	const char *cause;	/* a stable word, a constant; NULL: none */
	char reason[LEDGER_REASON_MAX];
	int64_t bytes_in, bytes_out; /* of bodies, or of messages */
	uint64_t messages_in, messages_out;
	int64_t wall_ms; /* when it came */
	/* By util_mono_us, 0: not reached. */
	int64_t began_us, tried_us, called_us, heard_us, got_us, ended_us;
	int64_t connect_us; /* how long that took, -1: it did not succeed */
	uint8_t trace_id[16], span_id[8], call_id[8], parent_id[8];
	bool traced;
};

TAILQ_HEAD(ledger_list, ledger_entry);

struct ledger {
	struct metrics *metrics;
	unsigned sample; /* LOG_SAMPLE */
	uint64_t unlogged;
	struct ledger_list running; /* by number */
	struct ledger_entry recent[LEDGER_RECENT_MAX];
	uint64_t begun; /* the newest has number `begun` */
	uint64_t ended; /* … and seq `ended` */
	void (*on_end)(const struct ledger_entry *, void *arg); /* or NULL */
	void *arg;
};

void ledger_init(struct ledger *, struct metrics *, unsigned sample);

/* It has begun; id, method and path may be set before or after. */
void ledger_begin(struct ledger *, struct ledger_entry *);

/* At most what fits, up to a '?': a decoded path may hold what looks like a
 * query. */
void ledger_set_path(struct ledger_entry *, const uint8_t *path, size_t len);

/* Ends it, and tells so. All but ended_us and seq is set. */
void ledger_end(struct ledger *, struct ledger_entry *);

/* It never was: an entry of which nothing is told. */
void ledger_forget(struct ledger *, struct ledger_entry *);

/* How long it was in that phase, of one that runs: until now; -1: not yet, or
 * not at all. */
int64_t
ledger_phase_us(const struct ledger_entry *, enum ledger_phase, int64_t now_us);

/* The one with this number, or NULL: it is too old, or yet to come. */
const struct ledger_entry *ledger_recent(const struct ledger *, uint64_t seq);

/* Whether it is anything but a success. */
bool ledger_failed(const struct ledger_entry *);
const char *ledger_outcome_name(const struct ledger_entry *);

#endif
