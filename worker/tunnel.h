/* SPDX-License-Identifier: MIT */
/*
 * One tunnel: keeps one joined channel over one WebSocket alive for ever.
 * Asks for a token before each attempt, waits between attempts (exponential
 * backoff with jitter, reset only by a connection that proved stable), says
 * in one line why each of them ended.
 */
#ifndef WORKER_TUNNEL_H
#define WORKER_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "plugboard.h"
#include "proto.h"

struct conf;
struct tunnel;

struct tunnel_ops {
	/* Wants a token: answer with tunnel_token, now or whenever there is
	 * somebody to ask. */
	void (*on_need_token)(void *arg);
	/* The server refused the one given last, with this jti; status as in
	 * struct proto_refused. */
	void (*on_token_refused)(uint16_t status, const char *jti, void *arg);
	void (*on_joined)(void *arg);
	/* What was in flight can no longer be answered. */
	void (*on_lost)(void *arg);
	void (*on_refresh)(enum proto_refresh, const char *token, void *arg);
	/* tunnel_leave is done: the socket is closed. */
	void (*on_left)(void *arg);
	/* MAX_RETRIES attempts in a row have failed. True: go on. */
	bool (*on_given_up)(void *arg);
};

struct tunnel_params {
	struct loop *loop;
	struct resolve *resolve;
	struct tls *tls;
	struct metrics *metrics;
	struct ceiling *ceiling; /* all tunnels' */
	const struct conf *conf; /* outlives the tunnel */
	unsigned number;	 /* for the log, from 1 */
	const struct channel_event *events;
	size_t event_count;
	const struct tunnel_ops *ops;
	void *arg;
};

/* NULL when out of memory. Does nothing before tunnel_start. */
struct tunnel *tunnel_create(const struct tunnel_params *);
void tunnel_free(struct tunnel *);

/* Begins with the first attempt. */
void tunnel_start(struct tunnel *);

/* The answer to on_need_token, copied and wiped after use; state NONE: there
 * is none, wait for tunnel_token_news. */
void tunnel_token(struct tunnel *, const struct proto_token *);

/* Whether it has asked for a token and would dial with one. */
bool tunnel_wants_token(const struct tunnel *);

/* There may be a better token than the one that was refused or missing: stop
 * waiting. Does nothing to a tunnel that is connected. */
void tunnel_token_news(struct tunnel *);

/* The network has changed: what waits or is under way is tried anew at once, a
 * connection that is joined is proved by a heartbeat. */
void tunnel_reconnect(struct tunnel *);

/* Asks Plugboard for a new token; on_refresh follows, with PROTO_REFRESH_LOST
 * when the socket went first. False: not joined, or one is under way. */
bool tunnel_refresh(struct tunnel *);

/* No new beginnings: a tunnel that is joined goes on until its end, any other
 * leaves now; on_left follows in both cases. */
void tunnel_drain(struct tunnel *);

/* Leaves the channel, closes the socket (or gives up the attempt), and stays
 * away; on_left follows, not from inside. */
void tunnel_leave(struct tunnel *);

/* As it was given, for the log. */
unsigned tunnel_number(const struct tunnel *);

struct channel *tunnel_channel(struct tunnel *);
struct plugboard *tunnel_plugboard(struct tunnel *);

bool tunnel_is_joined(const struct tunnel *);

/* Fills in what the tunnel knows: state, reasons, ages, counts. */
void tunnel_status(const struct tunnel *, struct proto_worker_status *);

#endif
