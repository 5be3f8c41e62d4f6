/* SPDX-License-Identifier: MIT */
/*
 * One child process: forked and executed with an empty environment, its
 * channel on descriptor 3, in a process group of its own, so that Ctrl-C
 * reaches only the supervisor. Its peer's messages go to the owner; what it
 * means that it ended is the owner's to decide.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "peer.h"

struct child;
struct event_base;

struct child_ops {
	/* It said HELLO with our build and is in PROTO_SETUP: configure it. */
	void (*on_hello)(struct child *, void *arg);
	/* HELLO of another build: the files were replaced under us. */
	void (*on_stranger)(struct child *, const char *build, void *arg);
	/* Every other message. */
	void (*on_frame)(struct child *, struct ipc_frame *, void *arg);
};

struct child_params {
	struct event_base *base;
	enum proto_role role; /* worker or tokend */
	const struct child_ops *ops;
	void *arg;
};

/* NULL when it could not be started (logged). */
struct child *child_start(const struct child_params *);

/* Frees what is known of it; the process has ended or was killed. NULL is
 * fine. */
void child_free(struct child *);

struct peer *child_peer(struct child *);
pid_t child_pid(const struct child *);
enum proto_role child_role(const struct child *);
bool child_is_running(const struct child *); /* READY was said */
void child_set_running(struct child *);
int64_t child_age_ms(const struct child *);

/* Another poll has come round: how many have since anything was heard of it.
 * Polls, not time: while the supervisor itself stood still (SIGSTOP, a paused
 * machine), nobody was asked. */
unsigned child_poll(struct child *);
/* How many that was, without another one. */
unsigned child_unheard(const struct child *);

/* Asks it to leave; false when it cannot hear that yet, and was killed. */
bool child_stop(struct child *, enum proto_stop why);
void child_kill(struct child *, const char *why);

/* "exit code 70", "signal 9 (Killed)", in space. */
const char *child_status_text(int status, char *space, size_t size);

/* Runs `tokend --check` on these descriptors and waits. Its exit code, or
 * 70. */
int child_check_secrets(const struct config_secrets *);

#endif
