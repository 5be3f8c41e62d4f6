/* SPDX-License-Identifier: MIT */
/*
 * What the two files of ws_peer.h share with each other, and with nobody else:
 * ws_peer.c has the life of a connection, ws_peer_io.c its bytes.
 */
#ifndef WORKER_WS_PEER_PARTS_H
#define WORKER_WS_PEER_PARTS_H

#include <sys/queue.h>
#include <sys/types.h>

#include "lookup.h"
#include "ws_handshake.h"
#include "ws_peer.h"
#include "ws_tls.h"

enum ws_peer_state {
	PEER_DIALLING,	 /* for an address */
	PEER_CONNECTING, /* TCP, or a Unix socket */
	PEER_SECURING,	 /* TLS */
	PEER_ASKING,	 /* the opening handshake */
	PEER_OPEN,
	PEER_CLOSING, /* our close frame is queued or sent; nobody's */
	PEER_DEAD,    /* freed by its timer */
};

struct ws_peer {
	TAILQ_ENTRY(ws_peer) entry;
	struct ws_peers *owner;
	const struct ws_peer_ops *ops; /* NULL: nobody's any more */
	void *arg;
	enum ws_peer_state state;
	int fd;
	struct ssl_st *ssl;
	struct event *readable, *writable;
	struct event *timer; /* the deadline of a state */
	const char *early;   /* a failure that waits for the timer */
	bool retried;	     /* with a fresh address */
	struct buf request;  /* with its key */
	size_t request_sent;
	char accept[WS_ACCEPT_LEN + 1];
	struct buf in; /* the answer's head, then what was not yet parsed */
	struct evbuffer *out;
	struct ws_reader reader;
	bool paused;
	size_t counted;			    /* what it holds, by the memory */
	enum ws_want read_want, write_want; /* of TLS */
};

TAILQ_HEAD(ws_peer_list, ws_peer);

struct ws_peers {
	struct ws_peers_params params;
	struct ws_peer_list list;
	size_t closing;
	size_t queued;		/* bytes that wait in all of them */
	struct ssl_ctx_st *tls; /* NULL: none is spoken */
	struct dial *dial;	/* for all that are DIALLING */
	char addr[LOOKUP_ADDR_MAX];
	int64_t addr_ms; /* when it was found, 0: none known */
};

/* --- ws_peer.c ------------------------------------------------------------ */

/* Before it was open: ends with this text (and status, detail). */
void ws_peer_fail(
    struct ws_peer *, int status, const char *text, const char *detail);

/* The connect failed: once more with a fresh address, or the end. */
void ws_peer_unreachable(struct ws_peer *, int error);

/* While open: reports the end, after queueing a close frame with close_code
 * (0: none, it is dead). */
void ws_peer_end(struct ws_peer *, const struct ws_end *, int close_code);

/* Ends the connection; its timer frees it. */
void ws_peer_die(struct ws_peer *);

/* Queues a frame, whatever else is queued. 0, or -1: no memory. */
int ws_peer_put(struct ws_peer *, enum ws_opcode, uint8_t *data, size_t len);

/* --- ws_peer_io.c --------------------------------------------------------- */

/* Takes a socket that is being connected: 0, or -1: no memory. */
int ws_peer_attach(struct ws_peer *, int fd);
void ws_peer_detach(struct ws_peer *);

/* Waits for what the state and the queues ask for. */
void ws_peer_arm(struct ws_peer *);

/* Looks at the input anew, although the socket has nothing to tell. */
void ws_peer_poke(struct ws_peer *);

/* Counts what it holds. */
void ws_peer_count(struct ws_peer *);

#endif
