/* SPDX-License-Identifier: MIT */
/* Sockets to the application for ws_peer.c. */
#ifndef WORKER_WS_SOCKET_H
#define WORKER_WS_SOCKET_H

#include <stdint.h>

/* A non-blocking connect to a numeric address, under way or done: the
 * descriptor, or -1 with errno. */
int ws_socket_tcp(const char *addr, uint16_t port);
int ws_socket_unix(const char *path);

/* How it went, once writable: 0, or an errno. */
int ws_socket_error(int fd);

#endif
