/* SPDX-License-Identifier: MIT */
/*
 * The WebSocket endpoints.  conn.c calls ws_read for as long as it returns
 * true; a frame's payload is taken as it comes, so a large one needs no
 * large input.  A client that breaks the protocol is told by a close frame
 * and let go.  No extension is negotiated.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter.h"
#include "endpoints.h"
#include "query.h"
#include "reply.h"
#include "utf8.h"
#include "ws.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN 24
#define CONTROL_MAX 125
#define CLOSE_MS 2000 /* for the client's answer to our close */

enum {
	OP_CONTINUE = 0,
	OP_TEXT = 1,
	OP_BINARY = 2,
	OP_CLOSE = 8,
	OP_PING = 9,
	OP_PONG = 10
};

struct ws {
	struct evbuffer *message; /* of the data frames so far */
	int message_op;		  /* 0: no message begun */
	uint8_t control[CONTROL_MAX];
	size_t control_len;
	bool closing; /* our close is out */

	/* the frame under way */
	bool in_frame;
	bool fin;
	int op;
	uint64_t left;
	uint8_t mask[4];
	size_t mask_at;
};

void
ws_free(struct ws *ws)
{
	if (ws == NULL)
		return;
	counter.websockets--;
	evbuffer_free(ws->message);
	free(ws);
}

static struct ws *
ws_create(void)
{
	struct ws *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return NULL;
	ws->message = evbuffer_new();
	if (ws->message == NULL) {
		free(ws);
		return NULL;
	}
	counter.websockets++;
	return ws;
}

/* Writes the head of an unmasked, final frame. */
static void
send_frame_head(struct conn *conn, int op, size_t len)
{
	uint8_t head[10] = {(uint8_t)(0x80 | op)};
	size_t bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;

	head[1] = bytes == 0 ? (uint8_t)len : bytes == 2 ? 126 : 127;
	for (size_t i = 0; i < bytes; i++)
		head[2 + i] = (uint8_t)((uint64_t)len >> (8 * (bytes - 1 - i)));
	bufferevent_write(conn->bev, head, 2 + bytes);
}

static void
send_control(struct conn *conn, int op, const void *data, size_t len)
{
	send_frame_head(conn, op, len);
	bufferevent_write(conn->bev, data, len);
}

/* Sends a close frame; code 0 is one without code and reason. */
static void
send_close(struct conn *conn, uint64_t code, const char *reason, size_t len)
{
	uint8_t payload[CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};

	memcpy(payload + 2, reason, len);
	send_control(conn, OP_CLOSE, payload, code == 0 ? 0 : len + 2);
	conn->ws->closing = true;
}

/* The client broke the protocol; what it sends is not read any more. */
static void
fail(struct conn *conn, uint64_t code, const char *reason)
{
	if (!conn->ws->closing)
		send_close(conn, code, reason, strlen(reason));
	conn_linger(conn);
}

/* May this code stand in a close frame (RFC 6455 section 7.4)? */
static bool
is_close_code(unsigned int code)
{
	if (code >= 1000 && code <= 1014)
		return code != 1004 && code != 1005 && code != 1006;
	return code >= 3000 && code <= 4999;
}

static void
on_close(struct conn *conn)
{
	struct ws *ws = conn->ws;
	const uint8_t *p = ws->control;
	size_t len = ws->control_len;

	if (len == 1 ||
	    (len >= 2 && !is_close_code((unsigned int)(p[0] << 8 | p[1])))) {
		fail(conn, 1002, "bad close code");
		return;
	}
	if (len > 2 && !utf8_is_valid(p + 2, len - 2)) {
		fail(conn, 1007, "bad close reason");
		return;
	}
	if (!ws->closing)
		send_control(conn, OP_CLOSE, p, len);
	conn_linger(conn);
}

static void
on_message(struct conn *conn)
{
	struct ws *ws = conn->ws;
	size_t len = evbuffer_get_length(ws->message);

	if (ws->message_op == OP_TEXT && len > 0 &&
	    !utf8_is_valid(evbuffer_pullup(ws->message, -1), len)) {
		fail(conn, 1007, "not UTF-8");
		return;
	}
	if (ws->closing)
		evbuffer_drain(ws->message, len);
	else {
		send_frame_head(conn, ws->message_op, len);
		bufferevent_write_buffer(conn->bev, ws->message);
	}
	ws->message_op = 0;
}

static void
end_frame(struct conn *conn)
{
	struct ws *ws = conn->ws;

	ws->in_frame = false;
	if (ws->op == OP_CLOSE)
		on_close(conn);
	else if (ws->op == OP_PING && !ws->closing)
		send_control(conn, OP_PONG, ws->control, ws->control_len);
	else if (ws->op < OP_CLOSE && ws->fin)
		on_message(conn);
}

/* What is wrong with a frame's first bytes; NULL when nothing is. */
static const char *
check_frame(const struct ws *ws, const uint8_t *head)
{
	int op = head[0] & 15;
	size_t len = head[1] & 127;

	if (head[0] & 0x70)
		return "reserved bits";
	if ((head[1] & 0x80) == 0)
		return "not masked";
	if (op > OP_PONG || (op > OP_BINARY && op < OP_CLOSE))
		return "unknown opcode";
	if (op >= OP_CLOSE && (len > CONTROL_MAX || (head[0] & 0x80) == 0))
		return "large or fragmented control frame";
	if (op == OP_CONTINUE && ws->message_op == 0)
		return "nothing to continue";
	if ((op == OP_TEXT || op == OP_BINARY) && ws->message_op != 0)
		return "the last message is not complete";
	return NULL;
}

/* The frame's length in 7, 16 or 64 bits; UINT64_MAX when not shortest. */
static uint64_t
frame_length(const uint8_t *head, size_t bytes)
{
	uint64_t n = 0;

	if (bytes == 0)
		return head[1] & 127;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | head[2 + i];
	if (n < 126 || (bytes == 8 && n < 65536) || n >> 63 != 0)
		return UINT64_MAX;
	return n;
}

static bool
begin_frame(struct conn *conn, struct evbuffer *in)
{
	struct ws *ws = conn->ws;
	uint8_t head[14];
	ssize_t have = evbuffer_copyout(in, head, sizeof(head));
	size_t bytes;
	const char *why;

	if (have < 2)
		return false;
	if ((why = check_frame(ws, head)) != NULL) {
		fail(conn, 1002, why);
		return true;
	}
	bytes = (head[1] & 127) == 126 ? 2 : (head[1] & 127) == 127 ? 8 : 0;
	if ((size_t)have < 6 + bytes)
		return false;
	ws->left = frame_length(head, bytes);
	ws->fin = (head[0] & 0x80) != 0;
	ws->op = head[0] & 15;
	memcpy(ws->mask, head + 2 + bytes, sizeof(ws->mask));
	ws->mask_at = 0;
	ws->control_len = 0;
	ws->in_frame = true;
	evbuffer_drain(in, 6 + bytes);
	if (ws->op == OP_TEXT || ws->op == OP_BINARY)
		ws->message_op = ws->op;
	if (ws->left == UINT64_MAX)
		fail(conn, 1002, "length not in the shortest form");
	else if (ws->op < OP_CLOSE &&
	    ws->left > WS_MESSAGE_MAX - evbuffer_get_length(ws->message))
		fail(conn, 1009, "the message is too large");
	return true;
}

/* Takes what has arrived of the payload. */
static void
take_payload(struct ws *ws, struct evbuffer *in)
{
	uint8_t part[4096];
	size_t n = ws->left < sizeof(part) ? (size_t)ws->left : sizeof(part);
	int got = evbuffer_remove(in, part, n);

	n = got < 0 ? 0 : (size_t)got;
	for (size_t i = 0; i < n; i++)
		part[i] ^= ws->mask[ws->mask_at++ & 3];
	if (ws->op >= OP_CLOSE) {
		memcpy(ws->control + ws->control_len, part, n);
		ws->control_len += n;
	} else
		evbuffer_add(ws->message, part, n);
	ws->left -= n;
}

bool
ws_read(struct conn *conn, struct evbuffer *in)
{
	struct ws *ws = conn->ws;
	struct evbuffer *out = bufferevent_get_output(conn->bev);

	/* a client that does not read is not read */
	if (evbuffer_get_length(out) > CONN_OUT_MAX)
		return false;
	if (!ws->in_frame)
		return begin_frame(conn, in);
	if (ws->left > 0) {
		if (evbuffer_get_length(in) == 0)
			return false;
		take_payload(ws, in);
	}
	if (ws->left == 0)
		end_frame(conn);
	return true;
}

/* The handshake's key: 16 bytes in base64. */
static bool
is_key(struct span key)
{
	uint8_t bytes[KEY_LEN];

	return key.len == KEY_LEN && key.p[KEY_LEN - 3] != '=' &&
	    key.p[KEY_LEN - 2] == '=' && key.p[KEY_LEN - 1] == '=' &&
	    EVP_DecodeBlock(bytes, (const uint8_t *)key.p, KEY_LEN) == 18;
}

static int
accept_key(struct span key, char *out)
{
	char text[KEY_LEN + sizeof(GUID)];
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int len;

	memcpy(text, key.p, KEY_LEN);
	memcpy(text + KEY_LEN, GUID, sizeof(GUID));
	if (EVP_Digest(text, strlen(text), hash, &len, EVP_sha1(), NULL) != 1)
		return -1;
	EVP_EncodeBlock((uint8_t *)out, hash, (int)len);
	return 0;
}

/* Refuses what is no handshake (RFC 6455 section 4.2.1). */
static bool
is_handshake(struct conn *conn, struct span *key)
{
	const struct head *h = &conn->head;
	struct reply upgrade = {.status = 426,
	    .type = "text/plain",
	    .fields = "upgrade: websocket\r\nconnection: upgrade\r\n"
		      "sec-websocket-version: 13\r\n"};
	struct span version, more;

	if (h->method.len != 3 || memcmp(h->method.p, "GET", 3) != 0 ||
	    h->minor == 0 || !head_has_token(h, "upgrade", "websocket") ||
	    !head_has_token(h, "connection", "upgrade") ||
	    !head_field(h, "sec-websocket-version", 0, &version) ||
	    !head_span_is(version, "13")) {
		reply_bytes(conn, &upgrade, "a WebSocket endpoint\n", 21);
		return false;
	}
	if (!head_field(h, "sec-websocket-key", 0, key) || !is_key(*key) ||
	    head_field(h, "sec-websocket-key", 1, &more)) {
		reply_refuse(conn, 400, "bad sec-websocket-key");
		return false;
	}
	return true;
}

/* Upgrades; false when the request was answered otherwise. */
static bool
ws_start(struct conn *conn)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	struct span key, list, chosen = {NULL, 0};
	char accepted[64];
	struct ws *ws;

	if (!is_handshake(conn, &key))
		return false;
	ws = ws_create();
	if (ws == NULL || accept_key(key, accepted) == -1) {
		ws_free(ws);
		reply_refuse(conn, 500, "cannot upgrade");
		return false;
	}
	evbuffer_add_printf(out,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "upgrade: websocket\r\nconnection: upgrade\r\n"
	    "sec-websocket-accept: %s\r\n",
	    accepted);
	if (head_field(&conn->head, "sec-websocket-protocol", 0, &list) &&
	    head_next_token(&list, &chosen))
		evbuffer_add_printf(out, "sec-websocket-protocol: %.*s\r\n",
		    (int)chosen.len, chosen.p);
	evbuffer_add(out, "\r\n", 2);
	conn_upgrade(conn, ws);
	return true;
}

void
ws_echo(struct conn *conn, uint64_t n)
{
	(void)n;
	ws_start(conn);
}

void
ws_close(struct conn *conn, uint64_t n)
{
	char reason[CONTROL_MAX - 2 + 1];
	struct span query = conn->head.query;
	ssize_t len = query_get(query, "reason", reason, sizeof(reason));
	uint64_t code, cut;

	(void)n;
	if (query_number(query, "code", 65535, 1000, &code) == -1 ||
	    query_number(query, "cut", 1, 0, &cut) == -1 || len == -2) {
		reply_text(conn, 400, "code=4000, reason=TEXT, cut=1\n");
		return;
	}
	if (!ws_start(conn))
		return;
	if (cut) {
		conn_linger(conn);
		return;
	}
	send_close(conn, code, reason, len < 0 ? 0 : (size_t)len);
	conn_wait(conn, CLOSE_MS);
}
