/* SPDX-License-Identifier: MIT */
/* sd_notify(3), as far as it is needed: one datagram to $NOTIFY_SOCKET. */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

/* Sends "READY=1", "STOPPING=1", …; nothing when no socket is set. */
void notify_send(const char *state);

#endif
