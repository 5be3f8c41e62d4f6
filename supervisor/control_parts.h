/* SPDX-License-Identifier: MIT */
/* What the files of control.h share, and nobody else needs. */
#ifndef SUPERVISOR_CONTROL_PARTS_H
#define SUPERVISOR_CONTROL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "control.h"
#include "peer.h"

/* A client that says nothing, and a child that answers nothing. */
#define CONTROL_IDLE_S 30
#define CONTROL_STATUS_S 2
/* A reload may take both of its own bounds. */
#define CONTROL_RELOAD_S 90

struct client {
	TAILQ_ENTRY(client) entry;
	struct control *control;
	struct peer *peer;
	struct event *timer;
	bool wants_worker, wants_tokend; /* a status not yet come */
	bool reloading;
	bool draining;	   /* waits for the end of the service */
	uint32_t token_id; /* asked of tokend and not yet answered, 0: none */
};

struct control {
	struct service *service;
	struct event *accept;
	struct event *again; /* accepts again */
	int64_t window_ms;   /* when the window of `accepts` began */
	unsigned accepts;
	TAILQ_HEAD(client_list, client) clients;
	unsigned count;
	uint32_t last_id; /* of what is passed on to tokend */
};

/* control.c: the conversation is over; or it goes on elsewhere, with the
 * descriptor that is given back. */
void control_drop(struct client *);
int control_release(struct client *);
void control_set_timer(struct client *, int seconds);
void control_no_timer(struct client *);

/* control_answer.c: answers a question; the client may be gone after it. */
void control_ask(struct client *, struct ipc_frame *);
/* … without the children that have not answered in time. False: nobody was
 * waited for but the client. */
bool control_give_up(struct client *);

#endif
