/* SPDX-License-Identifier: MIT */
/*
 * Connections to the application that are kept for another request. Bytes that
 * arrive on one of them meanwhile are the answer to no request (RFC 9112 §9.2),
 * and libcurl 7.88 would read them as the answer to the next: such a connection
 * is cut before anybody can take it. Knows descriptors, and no library.
 */
#ifndef WORKER_BACKEND_IDLE_H
#define WORKER_BACKEND_IDLE_H

#define BACKEND_IDLE_MAX 256

struct backend_idle {
	int fd[BACKEND_IDLE_MAX];
	unsigned count;
};

/* Nobody waits for this one any more. One too many is cut. */
void backend_idle_add(struct backend_idle *, int fd);

/* It is used again, or about to be closed. Fine for one that is not here. */
void backend_idle_remove(struct backend_idle *, int fd);

/* Cuts all that have something to read, or have ended. */
void backend_idle_sweep(struct backend_idle *);

#endif
