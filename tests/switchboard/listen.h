/* SPDX-License-Identifier: MIT */
/* listen: the plain and the TLS listener, and refusing connections a while. */
#ifndef SWITCHBOARD_LISTEN_H
#define SWITCHBOARD_LISTEN_H

#include <stdint.h>

#include "http.h"

/* Who serves the connections of both listeners. */
void listen_set_service(const struct http_service *);

/*
 * Listen on host:port (port 0: any).  Returns the port, or -1 with one line
 * on stderr.
 */
int listen_plain(const char *address);
/* The same with TLS; the files are PEM. */
int listen_tls(const char *address, const char *cert, const char *key);

/* Close the listeners, so that connects are refused, and reopen after ms. */
void listen_refuse(int64_t ms);
void listen_free_all(void);

#endif
