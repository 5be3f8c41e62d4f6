/* SPDX-License-Identifier: MIT */
/*
 * The Phoenix channel on one open WebSocket (protocol.md §2): join, heartbeat,
 * references and their deadlines, refresh, leave; the events of Plugboard go
 * to whoever is named in the event table. phx_error and phx_close are mended
 * here, by joining again on the same socket.
 */
#ifndef WORKER_CHANNEL_H
#define WORKER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox.h"
#include "proto.h"

struct channel;
struct event_base;
struct metrics;
struct plugboard;

/* Longest text of a reference: a 64 bit number. */
#define CHANNEL_REF_MAX 24
#define CHANNEL_TOPIC_MAX (PROTO_ID_MAX + 16)

struct channel_ops {
	void (*on_joined)(void *arg);
	/* The join is over, the socket is not: what was in flight on it can no
	 * longer be answered. on_joined follows, or on_dead. */
	void (*on_lost)(void *arg);
	/* The server said no to this token's join; reason is its text, cut and
	 * printable. The owner ends the socket. */
	void (*on_refused)(const char *reason, void *arg);
	/* This socket is of no use any more; the owner ends it. */
	void (*on_dead)(enum proto_reason, const char *text, void *arg);
	/* A heartbeat was acknowledged: whatever was sent before it was read.
	 */
	void (*on_ack)(void *arg);
	/* … and the join has lasted long enough to matter (heartbeat.h). */
	void (*on_stable)(void *arg);
	/* How the refresh that channel_refresh asked for ended; token is NULL
	 * unless PROTO_REFRESH_OK. That may follow once more after a
	 * PROTO_REFRESH_TIMEOUT: an answer that came late. */
	void (*on_refresh)(enum proto_refresh, const char *token, void *arg);
	/* phx_leave was answered, or its deadline has passed. */
	void (*on_left)(void *arg);
};

/* One row for each event that Plugboard may push: the payload is raw JSON,
 * may be changed, and is gone after the call. Of one that was too long to be
 * held only its ids are left (envelope.h). */
struct channel_event {
	const char *name;
	void (*on_push)(uint8_t *payload, size_t len, void *arg);
	void (*on_too_long)(uint8_t *payload, size_t len, void *arg);
	void *arg;
	/* Plugboard waits for an answer, and answers itself when we leave. */
	bool is_request;
};

struct channel_params {
	struct event_base *base;
	struct plugboard *plugboard;
	struct metrics *metrics;
	int64_t heartbeat_interval_ms;
	int64_t heartbeat_timeout_ms;
	int64_t reply_timeout_ms; /* join and refresh */
	const struct channel_event *events;
	size_t event_count;
	const struct channel_ops *ops;
	void *arg;
};

/* NULL when out of memory. */
struct channel *channel_create(const struct channel_params *);
void channel_free(struct channel *);

/* The socket is open: joins "telephone:<path_id>". */
void channel_open(struct channel *, const char *path_id);

/* The socket is gone: forgets everything; a refresh under way is reported as
 * lost. */
void channel_closed(struct channel *);

/* One message from the socket, or what is left of one that was too long. */
void
channel_message(struct channel *, uint8_t *data, size_t len, bool too_long);

bool channel_is_joined(const struct channel *);
/* phx_join was sent: the server may hold us for joined already. */
bool channel_is_joining(const struct channel *);

/* A heartbeat now, besides the schedule, unless one is under way or was sent
 * in the last second: before a long message, or when the network changed. */
void channel_beat(struct channel *);

/* Counts joins; what was asked under another number cannot be answered. 0:
 * never joined. */
uint64_t channel_generation(const struct channel *);

/* The reference and topic that every message of the current join must carry;
 * good until the join ends. */
const char *channel_join_ref(const struct channel *);
const char *channel_topic(const struct channel *);

/* A fresh reference, in space. */
const char *channel_next_ref(struct channel *, char space[CHANNEL_REF_MAX]);

/* Sends an event with a payload of JSON text. 0, or -1: not joined, or no
 * memory. */
int channel_push(struct channel *, const char *event, const char *payload);

/* Asks for a new token; on_refresh follows within the deadline. False when
 * not joined or when one is under way. */
bool channel_refresh(struct channel *);

/* Leaves; on_left follows. Does nothing useful unless joined. */
void channel_leave(struct channel *);

/* Milliseconds: since the join, and since the last acknowledged heartbeat of
 * this join; -1 when there is none. */
int64_t channel_joined_ms(const struct channel *);
int64_t channel_heartbeat_ms(const struct channel *);

#endif
