/* SPDX-License-Identifier: MIT */
/*
 * How loud each process is: LOG_LEVEL, until `telephonectl log` says
 * otherwise, which lasts until the next reload. And whether standard error is
 * the journal, which only the supervisor's environment tells.
 */
#ifndef SUPERVISOR_LEVELS_H
#define SUPERVISOR_LEVELS_H

#include <stdbool.h>

#include "proto.h"

struct child;
struct service;

struct levels {
	bool journal;
	bool given[PROTO_LOG_WHOS]; /* by telephonectl */
	enum log_level level[PROTO_LOG_WHOS];
};

/* Before the first line: asks for JOURNAL_STREAM (systemd.exec(5)). */
void levels_find_journal(struct levels *);

/* What telephonectl says, to all whom it concerns. */
void levels_set(struct service *, const struct proto_log *);

/* The configuration is a new one: LOG_LEVEL holds again. */
void levels_reset(struct service *);

/* Tells a child that has just come, or has been configured anew. */
void levels_tell(const struct service *, struct child *);

#endif
