/* SPDX-License-Identifier: MIT */
/*
 * ws: the server side of WebSocket connections (RFC 6455): the upgrade,
 * frames in, frames out.  It knows no message format.  Pings are answered
 * here.  A peer that breaks the protocol is closed with the fitting code.
 */
#ifndef SWITCHBOARD_WS_H
#define SWITCHBOARD_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "http.h"

enum ws_opcode {
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10
};
enum ws_end {
	WS_END_PEER,  /* the peer sent CLOSE; it was answered */
	WS_END_FAULT, /* the peer broke the protocol; CLOSE was sent */
	WS_END_EOF,   /* the connection went away without CLOSE */
};

struct ws_closed {
	enum ws_end how;
	int code; /* 1005 for none, 1006 for EOF */
	const uint8_t *reason;
	size_t reason_len;
};

struct ws_handlers {
	/* A whole message or a ping or pong; the bytes stay with ws. */
	void (*message)(
	    void *, enum ws_opcode, const struct buf *, size_t frames);
	/* The end, whoever caused it but the owner; the ws is gone. */
	void (*closed)(void *, const struct ws_closed *);
};

struct ws;

/* "text", "ping", … */
const char *ws_opcode_name(int opcode);

/* May this code stand in a CLOSE frame (RFC 6455 7.4)? */
bool ws_is_wire_code(int code);

/* Does this request ask for an upgrade (well formed or not)? */
bool ws_is_upgrade(const struct request *);
/* 0, or the status that refuses it: 400, 426. */
int ws_judge_upgrade(const struct request *);

/*
 * Answer 101 (protocol may be NULL) and take the connection over; the http is
 * gone.  What the client pipelined behind its request is thrown away, as
 * Bandit does, and counted in *discarded.  max points to a setting: the
 * largest message, 0 for no limit of its own.
 */
struct ws *ws_open(
    struct http *, const char *protocol, const int64_t *max, size_t *discarded);
void ws_set_handlers(struct ws *, const struct ws_handlers *, void *);

/* Send one message or control frame, in fragments of that size if not 0. */
struct ws_out {
	enum ws_opcode opcode;
	const void *data;
	size_t len, fragment;
	bool ping_between;
};
void ws_send(struct ws *, const struct ws_out *);
/* Bytes as they are, framed by nobody. */
void ws_send_raw(struct ws *, const void *, size_t);

/*
 * Three ends by the owner; no callback runs any more and the ws is gone:
 * CLOSE frame and FIN (code 1005: an empty CLOSE), only FIN, RST.
 */
void ws_close(struct ws *, int code, const void *, size_t);
void ws_drop(struct ws *);
void ws_reset(struct ws *);

/* Read at most so many bytes a second from now on, and let the kernel take
 * little more than that in advance. */
void ws_slow(struct ws *, int64_t rate);

/* Stop or start reading and writing. */
void ws_flow(struct ws *, bool reading, bool writing);
/* When bytes last came in; how many wait to go out. */
int64_t ws_last_in_ms(const struct ws *);
size_t ws_queued(const struct ws *);

#endif
