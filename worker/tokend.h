/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of its conversation with tokend: asks for tokens, reports
 * refused ones, carries refreshes. The other end may be replaced at any time
 * (tokend crashed); what was asked then is asked again.
 */
#ifndef WORKER_TOKEND_H
#define WORKER_TOKEND_H

#include <stdint.h>

#include "proto.h"

struct event_base;
struct metrics;
struct tokend;

struct tokend_ops {
	/* The answer to tokend_ask; never one in state NONE. Borrowed, wiped
	 * after the call. */
	void (*on_token)(const struct proto_token *, void *arg);
	/* There is a newer one than was given last. */
	void (*on_news)(void *arg);
	/* Ask Plugboard for a new token; tokend_put follows. */
	void (*on_refresh_due)(void *arg);
};

/* Never NULL: out of memory is fatal. Silent until tokend_connect. */
struct tokend *tokend_create(struct event_base *, struct metrics *,
    const struct tokend_ops *, void *arg);
void tokend_free(struct tokend *); /* NULL is fine */

/* A (new) socket to tokend, owned from now on. */
void tokend_connect(struct tokend *, int fd);

/* Wants a token: on_token follows as soon as there is one. */
void tokend_ask(struct tokend *);

/* The server refused the token with this jti; status as in
 * struct proto_refused. */
void tokend_refused(struct tokend *, uint16_t status, const char *jti);

/* How the refresh that was due ended; token is NULL unless OK. */
void tokend_put(struct tokend *, enum proto_refresh, const char *token);

/* No further complaint when it goes. */
void tokend_expect_end(struct tokend *);

#endif
