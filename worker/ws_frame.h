/* SPDX-License-Identifier: MIT */
/*
 * Frames of RFC 6455 §5 on the side of a client: bytes from a server to whole
 * messages and control frames, and messages to masked frames. No extension is
 * ever negotiated. Pure.
 */
#ifndef WORKER_WS_FRAME_H
#define WORKER_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "utf8.h"

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

#define WS_CONTROL_MAX 125 /* §5.5 */
#define WS_REASON_MAX 123  /* of a close frame: without the code */
#define WS_HEAD_MAX 14	   /* opcode, length, mask */

/* --- close codes (§7.4) --------------------------------------------------- */

/* True when a code may stand in a close frame. */
bool ws_code_is_wire(int code);

/* What is sent on in place of a code: itself when it may stand on a wire, 1000
 * for 1005 (none was given), 1011 for all else. */
int ws_code_to_wire(int64_t code);

/* --- from the server ------------------------------------------------------ */

enum ws_read {
	WS_READ_MORE,	 /* all bytes were taken */
	WS_READ_MESSAGE, /* opcode, data and len are a whole text or binary */
	WS_READ_CONTROL, /* … a ping, pong or close */
	WS_READ_FAULT,	 /* the server broke the protocol: fault_code, fault */
};

struct ws_reader {
	size_t message_max;
	/* The result of a call, good until the next one. */
	enum ws_opcode opcode;
	uint8_t *data; /* may be changed */
	size_t len;
	int fault_code;
	const char *fault;
	/* The frame under way. */
	uint8_t head[10];
	size_t head_len;
	bool in_payload, fin;
	enum ws_opcode frame;
	uint64_t left;
	uint8_t control[WS_CONTROL_MAX];
	size_t control_len;
	/* The message under way. */
	enum ws_opcode begun; /* WS_CONTINUATION: none */
	struct buf message;
	struct utf8_state utf8;
};

void ws_reader_init(struct ws_reader *, size_t message_max);
void ws_reader_clear(struct ws_reader *);

/* Takes bytes from *data until something is complete or they are used up. A
 * reader that found a fault is of no use any more. */
enum ws_read
ws_reader_take(struct ws_reader *, const uint8_t **data, size_t *len);

/* A close frame's payload: its code, 1005 when there is none, or -1 when it is
 * malformed (one byte, a code that may not stand there, no UTF-8). */
int ws_close_code(const uint8_t *, size_t len);

/* --- to the server -------------------------------------------------------- */

/* The head of a final, masked frame; returns its length. */
size_t ws_put_head(uint8_t head[WS_HEAD_MAX], enum ws_opcode, size_t len,
    const uint8_t mask[4]);

/* Masks a payload, or unmasks it, where it stands (§5.3). */
void ws_mask(uint8_t *, size_t len, const uint8_t mask[4]);

/* A close frame's payload: the code, and as much of the reason as fits and
 * ends with a whole character; none for 1005. Returns its length. */
size_t ws_put_close(uint8_t payload[WS_CONTROL_MAX], int code,
    const char *reason, size_t reason_len);

/* "text", "binary", "ping", "pong", or NULL; and back (WS_CONTINUATION: none
 * of these). */
const char *ws_opcode_name(enum ws_opcode);
enum ws_opcode ws_opcode_of(const uint8_t *name, size_t len);

#endif
