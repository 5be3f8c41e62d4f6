/* SPDX-License-Identifier: MIT */
/* What the files of tunnel.h share, and nobody else needs. */
#ifndef WORKER_TUNNEL_PARTS_H
#define WORKER_TUNNEL_PARTS_H

#include "backoff.h"
#include "tunnel.h"
#include "url.h"

struct event;

/* How long a join or a close handshake (RFC 6455 §7.1.2) may take when
 * leaving. */
#define TUNNEL_CLOSE_MS 2000

struct tunnel {
	struct tunnel_params params;
	struct plugboard *plugboard;
	struct channel *channel;
	struct backoff backoff;
	struct event *retry;
	struct event *close; /* bound on leaving, and its report */
	enum proto_tunnel state;
	enum proto_reason last_reason;
	uint16_t last_detail;
	int64_t retry_at_ms;
	int64_t failures; /* attempts in a row that came to nothing */
	char path_id[PROTO_ID_MAX], jti[PROTO_ID_MAX];
	char where[URL_HOST_MAX + URL_TARGET_MAX]; /* the URL, for the log */
	bool slow;   /* every token was refused: take MAX_BACKOFF */
	bool stable; /* this connection has proved itself */
	bool started;
	bool draining; /* nothing is begun any more … */
	bool left;     /* … and what there is ends */
};

/* An attempt or a connection has ended: says why, counts it, and waits for the
 * next; or gives up; or leaves, in a drain. */
void tunnel_again(struct tunnel *, const struct plugboard_end *);

/* What it does when its socket or its channel reports (tunnel_events.c). */
extern const struct plugboard_ops tunnel_plugboard_ops;
extern const struct channel_ops tunnel_channel_ops;

/* The channel has been left, or there was none: closes the socket. */
void tunnel_close(struct tunnel *);

#endif
