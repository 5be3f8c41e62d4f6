/* SPDX-License-Identifier: MIT */
/*
 * What the files of wsproxy.h share with each other, and with nobody else:
 * wsproxy.c has the events of Plugboard, wsproxy_session.c the life of a
 * session, wsproxy_send.c the way back.
 */
#ifndef WORKER_WSPROXY_PARTS_H
#define WORKER_WSPROXY_PARTS_H

#include <stdbool.h>
#include <sys/queue.h>

#include "buf.h"
#include "ledger.h"
#include "metrics.h"
#include "trace.h"
#include "tunnels.h"
#include "ws_event.h"
#include "ws_handshake.h"
#include "ws_peer.h"
#include "wsproxy.h"

#define WSPROXY_BUCKETS 256
#define WSPROXY_PATH_MAX 200 /* of it in a log line */

enum ws_session_state {
	SESSION_CHECKING,   /* for a ws_check */
	SESSION_KEPT,	    /* checked, and waits for its ws_connect */
	SESSION_CONNECTING, /* for a ws_connect */
	SESSION_OPEN,
};

LIST_HEAD(ws_outgoing_list, ws_outgoing);
TAILQ_HEAD(ws_session_list, ws_session);

struct ws_session {
	TAILQ_ENTRY(ws_session) link;
	TAILQ_ENTRY(ws_session) bucket;
	TAILQ_ENTRY(ws_session) waiting; /* in its lane's list, if paused */
	struct wsproxy *owner;
	struct tunnel *tunnel;
	enum ws_session_state state;
	char id[WS_ID_MAX + 1]; /* check_id, then connection_id */
	char path[WSPROXY_PATH_MAX + 1];
	struct ledger_entry entry; /* once it is one of a client */
	bool entered;
	struct trace_exchange *trace; /* NULL: it is not traced */
	struct buf request;	      /* what was asked */
	char protocol[WS_PROTOCOL_MAX];
	struct ws_peer *peer;
	struct event *timer; /* while kept; then the idle one */
	int64_t began_us, active_ms;
	struct ws_outgoing_list outgoing;
	size_t queued; /* bytes of those */
	bool paused;
};

/* What waits in one tunnel's queue. */
struct ws_lane {
	const struct tunnel *tunnel; /* NULL: not in use */
	size_t backlog, counted;
	struct ws_session_list waiting; /* until there is less */
};

struct wsproxy {
	struct wsproxy_params params;
	struct ws_peers *peers;
	struct ws_session_list list;
	struct ws_session_list bucket[WSPROXY_BUCKETS];
	unsigned count;
	struct ws_lane lane[TUNNELS_MAX];
	size_t pending;	     /* messages in tunnels' queues */
	int64_t rejected_ms; /* when that was logged last … */
	uint64_t rejected;   /* … and how often it was since */
	bool draining;
	struct event *drained;
	int64_t drain_ms;
	void (*on_over)(void *arg);
	void *on_over_arg;
};

/* --- wsproxy_session.c ---------------------------------------------------- */

/* A session that begins to connect. NULL: out of memory. All is copied; where
 * it is traced, the request has got the fields of that. */
struct ws_question {
	const char *id;
	struct buf *request;
	struct trace_parent parent; /* where the client comes from */
	bool is_check;
};
struct ws_session *
ws_session_create(struct wsproxy *, struct tunnel *, struct ws_question *);

/* A kept one becomes that of this connection. */
void ws_session_adopt(struct ws_session *, const char *connection_id);

/* A message from the client, in base64. */
void ws_session_frame(struct ws_session *, struct ws_event *);

/* One that was too long to be read: both sides are closed with 1009. */
void ws_session_too_long(struct ws_session *);

/* The client has closed. */
void ws_session_closed(struct ws_session *, const struct ws_event *);

/* Ends whatever state it is in, with 1001 to the application; says so to
 * Plugboard unless the join is over. */
void ws_session_stop(
    struct ws_session *, enum metrics_id outcome, const char *why, bool say);

/* Frees it, without a word. */
void ws_session_free(struct ws_session *);

struct ws_session *
ws_session_find(struct wsproxy *, const struct tunnel *, const char *id);

/* --- wsproxy_send.c ------------------------------------------------------- */

/* A frame of the client's; data are copied. 0, or -1: no memory, or no join. */
int ws_send_frame(
    struct ws_session *, enum ws_opcode, const uint8_t *data, size_t len);

/* Whether plugboard takes a frame with that many bytes, as far as is known. */
bool ws_send_fits(const struct ws_session *, size_t len);

/* Each goes out behind what is queued already. */
void ws_send_check_result(struct wsproxy *, struct tunnel *, const char *id,
    const char *protocol, const char *reason);
void ws_send_connected(struct ws_session *);
void
ws_send_closed(struct ws_session *, int code, const char *reason, size_t len);
void ws_send_error(
    struct wsproxy *, struct tunnel *, const char *id, const char *reason);

/* The session is gone: its messages stay in the queue without it. */
void ws_send_forget(struct ws_session *);

#endif
