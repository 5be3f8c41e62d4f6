/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's state, and what every part of it may ask of it: which
 * children there are, with what configuration, and whether all of it is about
 * to end. dispatch.c answers the children, reload.c and control.c the
 * operator.
 */
#ifndef SUPERVISOR_SERVICE_H
#define SUPERVISOR_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "conf.h"
#include "config.h"
#include "inspect.h"
#include "levels.h"
#include "notify.h"
#include "walls.h"

struct control;
struct event;
struct event_base;
struct reload;

/* Generations of the worker alive at the same time: one serves, one is
 * coming, the others drain. */
#define SERVICE_WORKERS_MAX 4

struct service {
	struct event_base *base;
	struct config *config;
	struct conf conf;
	struct config_secrets secrets;
	int secret_tried; /* of a reload whose tokend ended over it, -1 */
	int listener;	  /* health, -1: none */
	bool root;
	struct child *tokend;
	struct child *worker;			   /* the one that serves */
	struct child *fresh;			   /* the one that is coming */
	struct child *old[SERVICE_WORKERS_MAX];	   /* those that drain */
	struct event *tokend_again, *worker_again; /* respawns */
	unsigned tokend_failures, worker_failures; /* in a row */
	uint32_t tokend_restarts, worker_restarts;
	uint32_t generation; /* of the configuration, from 1 */
	uint32_t last_id;    /* of STATUS */
	unsigned acks_due;   /* configurations that tokend has yet to judge */
	int64_t started_ms;
	struct event *poll;	/* liveness */
	struct event *watchdog; /* systemd's; armed when it wants that */
	struct event *deadline; /* of the end */
	struct event *child_signal;
	struct reload *reload;	    /* under way, or NULL */
	struct event *reload_later; /* a signal came while none could begin */
	struct control *control;    /* NULL before it is open */
	struct walls walls;
	struct notify notify;
	struct levels levels;
	struct inspect inspect;
	bool ready;  /* both children have been READY */
	bool joined; /* so the worker said last */
	bool stopping;
	bool drain_asked; /* … by telephonectl, and by no signal yet */
	int exit_code;
};

/* Never NULL. conf and secrets are taken over. */
struct service *service_create(struct event_base *, struct config *,
    struct conf *, const struct config_secrets *);
void service_free(struct service *);

/* (Re-)arms a one-shot timer. */
void service_set_timer(struct event *, int64_t ms);

/* Starts both children. 0 or -1. */
int service_start(struct service *);

/* Drains, stops all children, ends the loop; `code` is main's. The second
 * call ends everything at once. */
void service_stop(struct service *, int code);

/* The same on behalf of an operator; again and again it is one drain, and the
 * first signal that comes meanwhile only joins it. */
void service_drain(struct service *);

/* Starts a worker of the present configuration beside the one that serves, as
 * `fresh`. 0 or -1. */
int service_start_fresh(struct service *);

/* `fresh` takes the place of the worker that serves, which drains. */
void service_swap(struct service *);

/* Who has the health listener answers there: one worker, the one that serves.
 * One that has yet to say HELLO has it then. */
void service_give_listener(struct service *, struct child *worker);

/* Sends tokend its configuration and secrets (again). */
void service_configure_tokend(
    struct service *, const struct conf *, const struct config_secrets *);

/* The same with what is in force, for a tokend that is being born. One that
 * ended in a reload may have sealed the store with the new secret: that is
 * then given as the previous one. */
void service_configure_new_tokend(struct service *);

/* Asks a running child for its status; on what it answers, control_status is
 * called. False: it cannot answer. */
bool service_ask_status(struct service *, struct child *);

/* By a signal, whose sender hears no answer: at once, or as soon as another
 * one is over and the children are there. Several become one. */
void service_reload(struct service *);

/* The network has changed: the worker tries again at once where it waits, and
 * proves the connections that it has. False: no worker can hear it now. */
bool service_reconnect(struct service *);

/* Tells the workers how the walls stand, for their metrics. */
void service_tell_walls(struct service *);

/* A fresh socket pair between tokend and this worker, if both can take it. */
void service_link(struct service *, struct child *worker);

#endif
