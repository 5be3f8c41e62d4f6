/* SPDX-License-Identifier: MIT */
/*
 * phx: the sockets of telephones on /telephone/websocket: handshake, the JSON
 * array of five, the queue that delay_ms makes, idle time-out, and the list
 * from which requests pick theirs.
 */
#ifndef SWITCHBOARD_PHX_H
#define SWITCHBOARD_PHX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "buf.h"
#include "channel.h"
#include "http.h"
#include "jwt.h"

struct event;
struct ws;

struct phx_pending;

struct phx {
	TAILQ_ENTRY(phx) entry;
	uint64_t id;
	struct ws *ws;
	struct jwt claims; /* of the token presented */
	char *fresh_jti;   /* last given by a refresh */
	struct channel channel;
	int64_t born_ms;
	uint64_t picked; /* when in the round robin */
	bool stalled;	 /* fault: reads nothing */
	bool frozen;	 /* fault: nor writes */
	bool parked;	 /* was frozen until it was lost */
	struct event *idle_timer, *delay_timer;
	TAILQ_HEAD(, phx_pending) pending; /* messages delayed */
};

enum phx_end {
	PHX_END_CLOSE,
	PHX_END_DROP,
	PHX_END_RESET
};

/* Answer a handshake request. */
void phx_accept(struct http *);

/* Send one text message, after delay_ms, fragmented as set; copies it. */
void phx_send(struct phx *, const void *, size_t);
/* Send bytes that are no frame, now. */
void phx_send_raw(struct phx *, const void *, size_t);

/* End the socket; requests in flight fail, the phx is gone. */
void phx_end(struct phx *, enum phx_end, int code, const char *reason);

/* Stop reading (stall), reading and writing (freeze), or go on. */
void phx_stall(struct phx *, bool freeze);
void phx_resume(struct phx *);

/* The next joined telephone of the path, round robin; NULL: none. */
struct phx *phx_pick(const char *path_id);
/* Walk all sockets: NULL gives the first, the last gives NULL. */
struct phx *phx_next(struct phx *);
struct phx *phx_find(uint64_t id);

/* Settings changed that timers depend on. */
void phx_settings_changed(void);
/* All sockets as a JSON array, appended. */
void phx_put(struct buf *);
void phx_free_all(void);

#endif
