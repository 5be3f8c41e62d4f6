/* SPDX-License-Identifier: MIT */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "head.h"
#include "pattern.h"

struct bufferevent;
struct conn;
struct event;
struct event_base;
struct evbuffer;
struct route;
struct ws;

/*
 * One connection and the request on it.  conn.c reads requests and owns
 * the life, reply.c writes answers, ws.c takes over after an upgrade; only
 * these three touch the fields behind "theirs".  Endpoints read "the
 * request" and call reply_*.
 *
 * Nothing but conn.c frees a conn, and only when its callback has run to
 * the end: others mark it dead.
 */

#define CONN_OUT_MAX ((size_t)1 << 20) /* output before it pauses */

enum conn_state {
	CONN_HEAD,   /* waits for a request */
	CONN_BODY,   /* reads its body */
	CONN_ANSWER, /* the answer is under way */
	CONN_WS,     /* a WebSocket now */
	CONN_LINGER  /* all is answered; waits for EOF */
};

/*
 * Sends piece number i (from 0) of a timed answer and returns true; or
 * sends the last, ends the answer by reply_end or the like, and returns
 * false.
 */
typedef bool conn_step(struct conn *conn, uint64_t i);

struct conn {
	/* the request */
	struct head head;
	const struct route *route; /* NULL: unknown path */
	uint64_t number;	   /* in its path */
	struct evbuffer *content;  /* body, if route keeps it */
	bool is_head;		   /* method HEAD */

	/* theirs */
	struct bufferevent *bev;
	struct event *timer;
	struct conn *next, *prev;
	struct ws *ws;	   /* in CONN_WS */
	uint8_t *head_buf; /* what head points into */
	size_t head_seen;
	enum conn_state state;
	struct body body;
	int status;  /* sent, for the log */
	bool open;   /* counted as in flight */
	size_t held; /* of content, counted */
	bool eof;    /* the peer has ended */
	bool shut;   /* so have we */
	bool dead;   /* free it when unwound */

	/* the answer under way */
	bool close_after;
	bool reply_chunked;
	bool reply_bodiless;
	bool fill_content;  /* reply_content */
	pattern_fill *fill; /* reply_stream */
	uint64_t fill_off, fill_total;
	conn_step *step; /* reply_every */
	uint64_t step_count;
	int64_t step_ms;
};

/* The loop to use; not quiet means a line to stderr for each request. */
void conn_init(struct event_base *base, bool quiet);

/* Takes over an accepted, non-blocking socket; closes it when it fails. */
void conn_accept(int fd);

/* Frees all connections. */
void conn_clear(void);

/* Wakes the timed answer or the end in ms; replaces what was set. */
void conn_wait(struct conn *conn, int64_t ms);

/* The answer is complete: on to the next request, or to the end. */
void conn_done(struct conn *conn);

/* The request became a WebSocket: forgets it and owns ws from now on. */
void conn_upgrade(struct conn *conn, struct ws *ws);

/* Nothing more is sent: flushes, ends our side, waits for the peer's. */
void conn_linger(struct conn *conn);

#endif
