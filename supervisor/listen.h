/* SPDX-License-Identifier: MIT */
/* The two sockets that anybody may knock at. */
#ifndef SUPERVISOR_LISTEN_H
#define SUPERVISOR_LISTEN_H

#include <stdint.h>

#include "conf.h"

/*
 * The health listener, or -1 with *code 0 (none is configured) or a sysexits
 * code (logged). One that systemd passed ($LISTEN_FDS, a stream socket that
 * listens on an IP address) is taken instead of the configured one; any
 * other descriptor is a fault.
 */
int listen_health(const struct conf *, int *code);

/*
 * The listener as it was made. It is one open description for all workers, and
 * one of them may have shut it down or made it block. -1: there is none.
 */
void listen_renew(int fd);

struct listen_control {
	int fd;
	int lock; /* held as long as the socket is ours */
	char path[108];
};

/*
 * Binds the control socket (SOCK_SEQPACKET, mode 0660, group "telephone" when
 * started by root and there is one). A lock file beside it says whether
 * another telephone is alive; a stale socket is replaced. 0, or a sysexits
 * code (logged).
 */
int listen_control_open(struct listen_control *, const char *path, bool root);
/* Removes the socket and lets go of the lock. */
void listen_control_close(struct listen_control *);

#endif
