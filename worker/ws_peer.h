/* SPDX-License-Identifier: MIT */
/*
 * One WebSocket to the application: connect, send (pings too), pause, close;
 * and three callbacks. Knows no event of Plugboard's (wsproxy.h does).
 *
 * It does not use libwebsockets, which is made for the tunnel: as a client,
 * libwebsockets hides a server's pings, renames close codes, cuts a request
 * line at 2048 bytes, adds fields of its own, and its table of descriptors is
 * as long as all sessions together may ever be. Frames are ws_frame.h's, the
 * opening handshake ws_handshake.h's, TLS ws_tls.h's.
 */
#ifndef WORKER_WS_PEER_H
#define WORKER_WS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "ws_frame.h"

struct event_base;
struct memory;
struct resolve;
struct tls;
struct ws_peer;
struct ws_peers;

struct ws_peers_params {
	struct event_base *base;
	struct resolve *resolve;
	struct tls *tls;  /* NULL: no TLS */
	const char *host; /* a name or literal, without brackets; outlives */
	uint16_t port;
	const char *unix_path;	    /* of a socket to connect to instead, "" */
	size_t message_max;	    /* from the application */
	size_t queue_max;	    /* bytes that wait for it */
	int64_t connect_timeout_ms; /* from the name to the answer 101 */
	struct memory *memory;	    /* what they hold is counted there */
};

/* What all of them share. NULL when out of memory. */
struct ws_peers *ws_peers_create(const struct ws_peers_params *);
/* Drops all connections without a word. */
void ws_peers_free(struct ws_peers *);

/* Connections that were closed by us and wait for the application's answer to
 * that, for two seconds at most. */
size_t ws_peers_closing(const struct ws_peers *);

struct ws_end {
	bool opened;  /* it was accepted before */
	int status;   /* of an HTTP answer that refused it, 0: none */
	int code;     /* as received; 1005, 1006; or what we closed with */
	bool by_peer; /* the application ended it, not a fault of it */
	const char *reason; /* UTF-8, of the close frame */
	size_t reason_len;
	const char *text;   /* for the log and the client: no address in it */
	const char *detail; /* for the log alone, or NULL */
};

struct ws_peer_ops {
	/* The application has accepted, with this subprotocol or "". */
	void (*on_open)(const char *protocol, void *arg);
	/* A whole message, or a ping (which was answered) or pong. Of a text
	 * the UTF-8 was judged. data may be changed. */
	void (*on_message)(
	    enum ws_opcode, uint8_t *data, size_t len, void *arg);
	/* Once and last, unless it was closed by us: no connection, refused,
	 * closed by the application, cut, or closed because of a fault. */
	void (*on_gone)(const struct ws_end *, void *arg);
};

/* Begins. request is what ws_handshake_build made, copied. No callback comes
 * from inside. NULL when out of memory. */
struct ws_peer *ws_peer_connect(struct ws_peers *, const struct buf *request,
    const struct ws_peer_ops *, void *arg);

/* Queues one message, ping or pong, also before on_open; the data are masked
 * where they stand. 0, or -1: no memory, or more than queue_max bytes would
 * wait (but one message may, however long), or 16 times as many for all
 * peers; what is queued may be broken then: drop it. */
int ws_peer_send(struct ws_peer *, enum ws_opcode, uint8_t *data, size_t len);

/* While paused no message is delivered or read; an end may go unnoticed. */
void ws_peer_pause(struct ws_peer *, bool paused);

/* Closes after what is queued, with a code that may stand on a wire. No
 * callback comes any more, and the peer is not the caller's any more. May be
 * called from inside on_open and on_message. NULL is fine. */
void ws_peer_close(struct ws_peer *, int code, const char *reason, size_t len);

/* The same at once, without a close frame: to one that takes nothing. */
void ws_peer_drop(struct ws_peer *);

/* Bytes that wait for the application. */
size_t ws_peer_queued(const struct ws_peer *);

#endif
