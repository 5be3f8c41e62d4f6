/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of RFC 6455 §4 on the side of a client: what is sent
 * to the backend for a ws_check or ws_connect (protocol.md §5), and whether
 * its answer accepts it. Pure.
 */
#ifndef WORKER_WS_HANDSHAKE_H
#define WORKER_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"

#define WS_KEY_LEN 24	 /* 16 bytes in base64 */
#define WS_ACCEPT_LEN 28 /* a SHA-1 in base64 */
#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WS_PROTOCOL_MAX 128
#define WS_ANSWER_MAX (64 * 1024) /* bytes of the answer's head */

struct head;

struct ws_ask {
	struct json_str path;	 /* raw: as the client sent it */
	struct json_str query;	 /* raw, without "?" */
	struct json_str headers; /* raw JSON object; is changed */
	const char *host;	 /* of the backend, where headers have none */
	/* Shown the client's fields, before any is taken away; or NULL. */
	void (*on_fields)(const struct head *, void *arg);
	void *arg;
	bool traced; /* traceparent and tracestate are ours to say */
};

/*
 * Appends the request without its key and end: "GET … Host … Upgrade …" and
 * the client's fields but those of its own handshake and of its own hop. Two
 * of the same bytes are the same question. NULL, or a static text that says
 * why there can be none.
 */
const char *ws_handshake_build(struct buf *, struct ws_ask *);

/* Appends the key of this attempt and the end of the head. 0 or -1. */
int ws_handshake_finish(struct buf *, const char key[WS_KEY_LEN + 1]);

struct ws_answer {
	int status; /* of the final answer, 0: none yet */
	size_t len; /* of the head: frames follow */
	char protocol[WS_PROTOCOL_MAX];
	/* NULL: accepted. Else why not, without an address. */
	const char *fault;
};

/*
 * Judges what the backend has said so far to this request, of which accept is
 * what Sec-WebSocket-Accept must be. False: its head is not complete.
 */
bool ws_handshake_judge(struct ws_answer *, const struct buf *request,
    const char *accept, const struct buf *said);

#endif
