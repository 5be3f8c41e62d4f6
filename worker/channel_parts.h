/* SPDX-License-Identifier: MIT */
/* What the files of channel.h share, and nobody else needs. */
#ifndef WORKER_CHANNEL_PARTS_H
#define WORKER_CHANNEL_PARTS_H

#include "channel.h"
#include "metrics.h"
#include "phx.h"

struct event;
struct heartbeat;

enum channel_state {
	CHANNEL_IDLE,
	CHANNEL_WAITING, /* for the delay of a rejoin */
	CHANNEL_JOINING,
	CHANNEL_JOINED,
	CHANNEL_LEAVING,
	CHANNEL_LEFT, /* the socket closes */
};

struct channel {
	struct channel_params params;
	enum channel_state state;
	char topic[CHANNEL_TOPIC_MAX];
	char join_ref[CHANNEL_REF_MAX];
	char leave_ref[CHANNEL_REF_MAX];
	char refresh_ref[CHANNEL_REF_MAX]; /* the last one, "": answered */
	bool refreshing;		   /* … whose answer is waited for */
	unsigned refreshes_owed; /* asked in this join, not yet answered */
	uint64_t last_ref;
	uint64_t generation;
	int64_t joined_at_ms;
	unsigned crashes; /* in a row */
	struct event *reply, *refresh, *rejoin;
	struct heartbeat *heartbeat;
};

/* Replies to what we asked, found by their refs. */
void channel_on_join_reply(struct channel *, const struct phx_reply *);
void channel_on_refresh_reply(struct channel *, const struct phx_reply *);

/* The server gives a token by a push instead. */
void channel_on_refresh_push(struct channel *, struct json_str payload);

/* phx_leave is done, by whichever sign comes first. */
void channel_end_leave(struct channel *);

/* The server has no channel for us any more, but the socket is fine. */
void channel_rejoin(struct channel *, const char *why, enum metrics_id metric);

#endif
