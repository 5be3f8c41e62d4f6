/* SPDX-License-Identifier: MIT */
/*
 * All tunnels of this worker (TUNNELS of them): dialled apart in time, each
 * with a life of its own, all with the current token. One refresh at a time
 * goes over whichever is joined; when its answer is lost with one socket it is
 * asked again on another, before anybody dials with the old token.
 */
#ifndef WORKER_TUNNELS_H
#define WORKER_TUNNELS_H

#include "tunnel.h"

struct tunnels;

struct tunnels_ops {
	/* Answer with tunnels_token. */
	void (*on_need_token)(void *arg);
	void (*on_token_refused)(uint16_t status, const char *jti, void *arg);
	/* One of them is joined. */
	void (*on_joined)(void *arg);
	/* What came by this one and is in flight cannot be answered. */
	void (*on_lost)(struct tunnel *, void *arg);
	/* How tunnels_refresh ended, after all that could be asked were. */
	void (*on_refresh)(enum proto_refresh, const char *token, void *arg);
	/* tunnels_leave is done. */
	void (*on_left)(void *arg);
	/* MAX_RETRIES attempts have failed, and none is joined. */
	void (*on_given_up)(void *arg);
};

/* An event of Plugboard's, and by which tunnel it came. */
struct tunnels_event {
	const char *name;
	void (*on_push)(
	    struct tunnel *, uint8_t *payload, size_t len, void *arg);
	void (*on_too_long)(
	    struct tunnel *, uint8_t *payload, size_t len, void *arg);
	bool is_request; /* as in struct channel_event */
};

struct tunnels_params {
	struct loop *loop;
	struct resolve *resolve;
	struct tls *tls;
	struct metrics *metrics;
	struct ceiling *ceiling; /* theirs together */
	const struct conf *conf;
	const struct tunnels_event *events; /* at most TUNNELS_EVENTS_MAX */
	size_t event_count;
	void *events_arg; /* theirs */
	const struct tunnels_ops *ops;
	void *arg;
};

#define TUNNELS_MAX 8 /* conf.c's bound on TUNNELS */
#define TUNNELS_EVENTS_MAX 8

/* NULL when out of memory. */
struct tunnels *tunnels_create(const struct tunnels_params *);
void tunnels_free(struct tunnels *);

void tunnels_start(struct tunnels *);

/* A token for all that wait for one. */
void tunnels_token(struct tunnels *, const struct proto_token *);
/* There may be a better one: stop waiting. */
void tunnels_news(struct tunnels *);

/* The network has changed: see tunnel_reconnect. */
void tunnels_reconnect(struct tunnels *);

/* Asks for a new token by whichever is joined, or will be next; on_refresh
 * follows. */
void tunnels_refresh(struct tunnels *);

/* No new beginnings: those that are joined go on until tunnels_leave or their
 * own end. on_left follows when none is left. */
void tunnels_drain(struct tunnels *);

void tunnels_leave(struct tunnels *);

/* How many there are in each state. */
void tunnels_states(const struct tunnels *, unsigned states[PROTO_TUNNELS]);

/* That of each; how many there are. */
unsigned tunnels_each(
    const struct tunnels *, struct proto_worker_status each[TUNNELS_MAX]);

/* The state of the best one, counts, and the last end of one that is down. */
void tunnels_status(const struct tunnels *, struct proto_worker_status *);

#endif
