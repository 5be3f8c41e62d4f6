/* SPDX-License-Identifier: MIT */
/*
 * The worker's messages: with the supervisor (configuration, descriptors,
 * status, stop) and with tokend (tokens and refreshes); and the joints between
 * them and the tunnel, the requests and the health listener.
 */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

struct dispatch;
struct loop;
struct tls;

struct dispatch_params {
	struct loop *loop;
	struct tls *tls;
	int fd;	     /* the supervisor's channel, owned from now on */
	char *argv0; /* lent to the look-up helper, for ps(1) */
};

/* Never NULL: out of memory is fatal. Says HELLO. */
struct dispatch *dispatch_create(const struct dispatch_params *);

/* Frees everything that was made since; the loop has stopped. */
void dispatch_free(struct dispatch *);

/* What main should return when the loop has stopped. */
int dispatch_exit_code(const struct dispatch *);

#endif
