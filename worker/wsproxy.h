/* SPDX-License-Identifier: MIT */
/*
 * The ws_* events of Plugboard (protocol.md §5): each connection of a client
 * is a session, with one WebSocket to the application.
 *
 * ws_check asks whether the application speaks WebSocket at this path for this
 * client, and nothing but a real opening handshake can tell: so it is made,
 * with the client's own fields, and when it was accepted the connection is
 * kept, unread, for the ws_connect that follows. That one is known by its
 * tunnel and by asking exactly the same (path, query, fields): two that ask
 * the same are the same to the application, so it does not matter which of
 * them gets which. The application sees one connection for each client, not
 * two. One that nobody fetches within WSPROXY_KEEP_MS is closed with 1001.
 *
 * A session ends with its client, its application, its join (1001 to the
 * application: Plugboard has closed the client already), after WS_IDLE_TIMEOUT
 * without a message, and with the drain: sessions do not hold a drain, which
 * waits for requests only; when it is over they are closed with 1001 on both
 * sides, after what is queued.
 */
#ifndef WORKER_WSPROXY_H
#define WORKER_WSPROXY_H

#include <stddef.h>
#include <stdint.h>

#include "url.h"
#include "ws_event.h"

struct ceiling;
struct clients;
struct conf;
struct event_base;
struct ledger;
struct memory;
struct metrics;
struct resolve;
struct tls;
struct trace;
struct tunnel;
struct wsproxy;

#define WSPROXY_KEEP_MS 5000

struct wsproxy_params {
	struct event_base *base;
	struct resolve *resolve;
	struct tls *tls; /* NULL: the application speaks none */
	struct metrics *metrics;
	struct clients *clients; /* who may come, and how often */
	struct memory *memory;	 /* what is held */
	struct ledger *ledger;	 /* is told of each session */
	struct trace *trace;	 /* as well; NULL: tracing is off */
	const char *host;	 /* of the application, without brackets */
	const struct ceiling *ceiling; /* what plugboard takes */
	uint16_t port;
	const char *unix_path;		    /* of its socket instead, or "" */
	char host_header[URL_HOST_MAX + 8]; /* for clients without a Host */
	unsigned sessions_max;		    /* those of checks among them */
	size_t message_max;		    /* in both directions */
	size_t queue_max; /* bytes of one session, each direction */
	int64_t connect_timeout_ms;
	int64_t idle_timeout_ms; /* 0: none */
};

/* Where the application is and all bounds, of a configuration that outlives
 * them; tls, which was given, becomes NULL when BACKEND_SCHEME is http. */
void wsproxy_configure(struct wsproxy_params *, const struct conf *);

/* NULL when out of memory. The texts outlive it. */
struct wsproxy *wsproxy_create(const struct wsproxy_params *);
/* After the tunnels, whose queues hold messages of it. NULL is fine. */
void wsproxy_free(struct wsproxy *);

/* One event each; the payload may be changed. */
void
wsproxy_check(struct wsproxy *, struct tunnel *, uint8_t *payload, size_t len);
void wsproxy_connect(
    struct wsproxy *, struct tunnel *, uint8_t *payload, size_t len);
void
wsproxy_frame(struct wsproxy *, struct tunnel *, uint8_t *payload, size_t len);
void
wsproxy_close(struct wsproxy *, struct tunnel *, uint8_t *payload, size_t len);

/* What is left of an event whose message was too long (envelope.h): a check or
 * connect is refused, a frame ends its session on both sides with 1009, a
 * close closes. */
void wsproxy_too_long(struct wsproxy *, struct tunnel *, enum ws_event_type,
    uint8_t *payload, size_t len);

/* The tunnel's join is over: ends all that came by it. */
void wsproxy_lost(struct wsproxy *, const struct tunnel *);

/* Closes all sessions with 1001 and refuses new ones. False: there is none.
 * Else on_over is called once, never from inside: when all of that has been
 * sent, or after a second. */
bool wsproxy_drain(struct wsproxy *, void (*on_over)(void *arg), void *arg);

#endif
