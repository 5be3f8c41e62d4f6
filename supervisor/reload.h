/* SPDX-License-Identifier: MIT */
/*
 * A reload under way: the new configuration is read and judged, tokend is
 * given it (and judges the secrets; it alone may), then a second generation of
 * the worker is started, and takes over when it has joined. Until then all
 * goes on as before, and a fault anywhere leaves it so: but a secret or token
 * that tokend has accepted is in its store, and stays.
 */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include <stdint.h>

struct reload;
struct service;

/* Called with each line worth telling, and once with the exit code (done). */
struct reload_ops {
	void (*on_text)(const char *line, void *arg);
	void (*on_done)(int code, void *arg);
};

/* Starts one; ops may be NULL (SIGHUP). Everything is logged, too. One that
 * is under way already makes this one fail with 69. */
void reload_start(struct service *, const struct reload_ops *, void *arg);

/* Who asked is gone: goes on without telling. */
void reload_forget(struct reload *, void *arg);

/* Ends it; what ran before goes on. NULL is fine. */
void reload_cancel(struct reload *, const char *why);

void reload_on_ack(struct reload *, uint8_t code);
void reload_on_joined(struct reload *);
/* tokend has ended, and with it what it was judging. NULL is fine. */
void reload_on_tokend_end(struct reload *);

#endif
