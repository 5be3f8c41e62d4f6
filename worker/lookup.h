/* SPDX-License-Identifier: MIT */
/*
 * The look-up helper: one small process, forked by the worker before its
 * sandbox, that turns names into addresses with getaddrinfo(3) and so lets
 * the worker live without resolver files. They speak in fixed records over a
 * SOCK_SEQPACKET pair. Each look-up runs in a fork of its own, because
 * getaddrinfo blocks and cannot be cancelled.
 */
#ifndef WORKER_LOOKUP_H
#define WORKER_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox.h"

#define LOOKUP_HOST_MAX 256
#define LOOKUP_ADDRS_MAX 16
#define LOOKUP_ADDR_MAX 64 /* an IPv6 literal with its scope */
/* Look-ups at the same time; more wait their turn, as many as the worker asks
 * for at once, and of more the oldest is forgotten. More than there can be
 * names that are asked for at once (TUNNELS and the application), so that a
 * dead resolver of one does not delay the other, which may stand in /etc/hosts.
 */
#define LOOKUP_FORKS_MAX 16
#define LOOKUP_WAITING_MAX 64

struct lookup_question {
	uint32_t id;
	uint32_t life_ms;	    /* nobody waits for the answer any longer */
	char host[LOOKUP_HOST_MAX]; /* "": are you there? answered at once */
};

struct lookup_answer {
	uint32_t id;
	int32_t error; /* EAI_*, 0: found */
	uint32_t count;
	char addr[LOOKUP_ADDRS_MAX][LOOKUP_ADDR_MAX]; /* numeric, in order */
};

struct lookup_params {
	/* This process's argv[0], where the helper writes its own name for
	 * ps(1), or NULL. */
	char *argv0;
	enum sandbox_mode mode;
	bool own_user; /* the worker's user is nobody else's */
};

/* Forks the helper and returns the worker's end of its socket (non-blocking,
 * close-on-exec), or -1 with errno. */
int lookup_fork(const struct lookup_params *);

/* The helper's walls; worker/sandbox.c. */
void sandbox_enter_lookup(enum sandbox_mode, bool own_user);
/* And, inside them, those of the fork that asks name servers: it makes no
 * process of its own. 0, or -1: it had better not ask. */
int sandbox_enter_question(enum sandbox_mode);

#endif
