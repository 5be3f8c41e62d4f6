/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL under one WebSocket to the backend: a client's TLS over a
 * non-blocking socket, and the hash of the opening handshake. Chain and host
 * name are always verified (tls.h has the store).
 */
#ifndef WORKER_WS_TLS_H
#define WORKER_WS_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_ctx_st;
struct ssl_st;
struct tls;

/* What keeps a call from going on. */
enum ws_want {
	WS_WANT_NOTHING,
	WS_WANT_READ,
	WS_WANT_WRITE,
};

/* NULL when out of memory. Shares the store of struct tls. */
struct ssl_ctx_st *ws_tls_create(struct tls *);
void ws_tls_free(struct ssl_ctx_st *); /* NULL is fine */

/* A session over a connected socket, which stays the caller's. host is a name
 * or a literal, without brackets. NULL: out of memory. */
struct ssl_st *ws_tls_start(struct ssl_ctx_st *, int fd, const char *host);
void ws_tls_end(struct ssl_st *); /* NULL is fine */

/* 1: done. 0: call again when *want says so. -1: failed; *why is a static
 * text. */
int ws_tls_handshake(struct ssl_st *, enum ws_want *want, const char **why);

/* As read(2) and write(2): bytes, 0 at the end (of reading), or -1: an error,
 * or *want is set. */
ssize_t ws_tls_read(struct ssl_st *, void *, size_t, enum ws_want *want);
ssize_t ws_tls_write(struct ssl_st *, const void *, size_t, enum ws_want *want);

/* Bytes that can be read although the socket has none. */
size_t ws_tls_pending(const struct ssl_st *);

/* RFC 6455 §4.2.2: what Sec-WebSocket-Accept must be for a key; accept has
 * room for WS_ACCEPT_LEN + 1. */
void ws_tls_accept(const char *key, char *accept);

#endif
