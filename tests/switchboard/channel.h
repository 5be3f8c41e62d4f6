/* SPDX-License-Identifier: MIT */
/*
 * channel: the Phoenix channel telephone:<path_id> of one socket, as Phoenix
 * Channels V2 and Plugboard have it: join, leave, heartbeats, refresh, crash.
 * It knows messages and no frames; phx carries them.
 */
#ifndef SWITCHBOARD_CHANNEL_H
#define SWITCHBOARD_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

struct event;
struct phx;

struct channel {
	bool joined;
	char *join_ref;	     /* NULL: was no string, nothing matches */
	char *join_ref_json; /* as the join wrote it */
	char *topic;
	int64_t heartbeats, last_heartbeat_ms;
	struct event *timer; /* looks for heartbeats */
};

struct channel_message {
	struct json join_ref, ref, topic, event, payload;
};

/* The rest of the events, and what becomes of requests in flight. */
struct channel_hooks {
	/* -1: unknown event or a missing field, the channel crashes. */
	int (*event)(struct phx *, struct json event, struct json payload);
	/*
	 * Requests sent on this channel get no answer any more: fail them,
	 * or, after a second join (detached), leave them to their time-out.
	 */
	void (*lost)(struct phx *, bool detached);
};

void channel_set_hooks(const struct channel_hooks *);

/* One message from the telephone; never frees the phx. */
void channel_input(struct phx *, const struct channel_message *);

/* Push an event with this JSON text as payload; the channel is joined. */
void channel_push(
    struct phx *, const char *event, const void *payload, size_t payload_len);

/* phx_error with this payload; requests in flight fail.  Needs a join. */
void channel_crash(struct phx *, const char *payload, const char *why);
/* phx_close by the server; requests in flight fail. */
void channel_stop(struct phx *);

/* The socket is going: forget the channel, say nothing on the wire. */
void channel_clear(struct phx *);

/* The heartbeat time-out was changed. */
void channel_rearm(struct phx *);

#endif
