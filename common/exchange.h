/* SPDX-License-Identifier: MIT */
/*
 * An exchange or a WebSocket session as those outside the worker see it, ended
 * or running, and its form in JSON (RFC 8259): what `telephonectl requests
 * --json` prints and telephonectl(8) documents. Pure.
 *
 * Texts are as they came: whoever shows them elsewhere escapes them.
 */
#ifndef COMMON_EXCHANGE_H
#define COMMON_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

#define EXCHANGE_ID_MAX 129
#define EXCHANGE_METHOD_MAX 33
#define EXCHANGE_PATH_MAX 201
#define EXCHANGE_REASON_MAX 160
#define EXCHANGE_WORD_MAX 48
#define EXCHANGE_TRACE_MAX 33

enum exchange_phase {
	EXCHANGE_QUEUE,
	EXCHANGE_RETRY,
	EXCHANGE_CONNECT,
	EXCHANGE_FIRST_BYTE,
	EXCHANGE_BODY,
	EXCHANGE_SEND,
	EXCHANGE_PHASES
};
const char *exchange_phase_name(enum exchange_phase);

struct exchange {
	uint64_t number; /* by their beginnings, from 1 in each worker */
	uint64_t seq;	 /* by their ends, from 1; 0: it runs */
	bool ws;
	bool failed;	   /* anything but a success */
	uint32_t tunnel;   /* from 1 */
	uint32_t status;   /* HTTP status or close code, 0: none */
	uint32_t tries;	   /* to ask the application */
	int64_t began_ms;  /* wall clock */
	int64_t took_us;   /* until its end, or until now */
	int64_t bytes_in;  /* to the application */
	int64_t bytes_out; /* from it */
	uint64_t messages_in, messages_out; /* of a WebSocket */
	int64_t phase_us[EXCHANGE_PHASES];  /* -1: not reached */
	enum exchange_phase phase;	    /* where one that runs is; a
					       WebSocket: connect, body */
	char id[EXCHANGE_ID_MAX];	    /* request_id, connection_id */
	char trace_id[EXCHANGE_TRACE_MAX];  /* "": not traced */
	char method[EXCHANGE_METHOD_MAX];   /* "WS" for a WebSocket */
	char path[EXCHANGE_PATH_MAX];	    /* perhaps cut; no query */
	char outcome[EXCHANGE_WORD_MAX];    /* "": it runs */
	char cause[EXCHANGE_WORD_MAX];	    /* a stable word, or "" */
	char reason[EXCHANGE_REASON_MAX];   /* for people, or "" */
};

/*
 * Appends one object without white space. Every member is always there, null
 * when there is nothing to tell:
 *
 *   number        by its beginning, from 1 in each worker
 *   seq           by its end, from 1 in each worker; null: it runs
 *   kind          "request" or "websocket"
 *   state         "running" or "ended"
 *   id            request_id or connection_id, as in the log
 *   trace_id      32 hexadecimal digits, or null
 *   began         RFC 3339, UTC, with milliseconds
 *   tunnel        by which it came, from 1
 *   method, path  "WS" for a WebSocket; no query; perhaps cut
 *   status        HTTP status, or the close code of a WebSocket; null: none
 *   outcome       as in the log and in the metrics; null: it runs
 *   failed        true for anything but a success
 *   cause         a stable word; null for a success
 *   reason        a text for people, or null
 *   tries         how often the application was asked
 *   bytes_in, bytes_out        of bodies or messages: to the application,
 *                              from it
 *   messages_in, messages_out  of a WebSocket; null for a request
 *   duration_ms   milliseconds with a fraction: until its end, or until now
 *   phase         where one that runs is: a name from phases_ms (a WebSocket:
 *                 connect, then body); null: it has ended
 *   phases_ms     an object with queue, retry, connect, first_byte, body,
 *                 send: milliseconds, null for those that were not reached
 */
int exchange_json(struct buf *, const struct exchange *);

#endif
