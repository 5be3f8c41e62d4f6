/* SPDX-License-Identifier: MIT */
/*
 * What the files of plugboard.h share, and nobody else needs.
 *
 * A `link` is what one libwebsockets connection knows of us. It outlives a
 * drop: libwebsockets closes when it pleases, and its late callbacks find a
 * link without a plugboard.
 */
#ifndef WORKER_PLUGBOARD_PARTS_H
#define WORKER_PLUGBOARD_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libwebsockets.h>

#include "ceiling.h"
#include "inbox.h"
#include "plugboard.h"

struct event;
struct reach;
struct sender;
struct tls_peer;

/* One fragment: long enough to be cheap, short enough that a ping is answered
 * between two of them. */
#define FRAGMENT_LEN (128 * 1024)

struct link {
	struct plugboard *owner; /* NULL: dropped */
	struct lws *wsi;
	struct tls_peer *peer; /* NULL: no TLS, or no socket yet */
	bool ended;	       /* it said so: only its WSI_DESTROY is left */
	bool calling;	       /* inside lws_client_connect_via_info */
	bool destroyed;	       /* … which destroyed it before it returned */
};

struct plugboard {
	struct plugboard_params params;
	struct proxy_url proxy;
	struct reach *reach;
	struct link *link;
	struct event *deadline; /* of the attempt */
	struct event *failure;	/* delivers one found in plugboard_connect */
	struct event *farewell; /* the close frame, when all is sent */
	char *path;		/* with the token in it: wiped after use */
	bool open;
	bool closing;
	bool deaf; /* nothing is read until more was sent */
	uint16_t close_code;
	char close_reason[124]; /* RFC 6455 §5.5: 125 with the code */
	struct plugboard_end end;
	struct inbox inbox;
	struct sender *sender;
	struct ceiling_sent sent; /* by this connection, or the last one */
	uint8_t tx[LWS_PRE + FRAGMENT_LEN];
};

/* Back to idle, with this as the end's reason, and text (or NULL) for the log;
 * on_gone runs inside. */
void
plugboard_fail(struct plugboard *, enum proto_reason reason, const char *text);

/* Back to idle; on_gone runs inside, with pb->end as it is. */
void plugboard_gone(struct plugboard *);

/* One that asks, and does not read the answers, is not asked to stop: it is
 * not listened to. Its own connection fills up then, and SEND_TIMEOUT ends
 * it. To be called when the queue has changed. */
void plugboard_set_deaf(struct plugboard *);

/* Fills in the end of an attempt, before the 101 (text: what libwebsockets
 * says, or NULL), and of a connection that ended without a close frame. */
void plugboard_judge_failure(struct plugboard *, const char *text);
void plugboard_judge_end(struct plugboard *);

/* The token stands in it. */
void plugboard_path_wipe(struct plugboard *);

/* The code of a close frame among what was not read of an open connection, 0:
 * none. Reads it. */
uint16_t plugboard_last_code(struct plugboard *);

/* After its connection is destroyed. */
void plugboard_link_free(struct link *);

/* The two timers of an attempt. */
void plugboard_on_deadline(int fd, short what, void *arg);
void plugboard_on_failure(int fd, short what, void *arg);

#endif
