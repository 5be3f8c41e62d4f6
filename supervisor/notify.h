/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told (sd_notify(3), as far as it is needed): one
 * datagram to $NOTIFY_SOCKET each. Without such a socket all of it does
 * nothing.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto.h"

/* Sends "READY=1", … */
void notify_send(const char *state);
/* That the configuration is read again; READY=1 says that this is over. By the
 * time in it systemd knows which of its requests it answers. */
void notify_reloading(void);
/* That the end has begun, and may take so long. */
void notify_stopping(int64_t ms);

/* How often WATCHDOG=1 is to be sent: half of $WATCHDOG_USEC, if that is meant
 * for this process ($WATCHDOG_PID); 0: never. */
int64_t notify_watchdog_ms(void);

/* What `systemctl status` shows in its line "Status", from what worker and
 * tokend said last. Only a change is sent. */
struct notify {
	unsigned tunnels, joined;
	enum proto_tunnel tunnel;
	enum proto_token_state token;
	bool worker_known, token_known, draining;
	char last[96]; /* as sent */
};

void notify_init(struct notify *);
void notify_worker(struct notify *, const struct proto_worker_status *);
void notify_token(struct notify *, const struct proto_tokend_status *);

#endif
