/* SPDX-License-Identifier: MIT */
/*
 * TLS as far as the worker decides about it: whom it trusts, who it is, and
 * what went wrong, which neither libwebsockets nor libcurl pass on well.
 * Chain and host name are always verified (RFC 5280, RFC 6125); TLS 1.2 is
 * the floor. One struct tls is Plugboard's, another one the application's.
 */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include <stdbool.h>

#include "proto.h"
#include <stdint.h>
#include <sys/types.h>

struct ssl_ctx_st;
struct ssl_st;
struct tls;
struct tls_peer;

/* Once, before anybody uses OpenSSL: what it frees is wiped from then on. 0 or
 * -1. */
int tls_prepare(void);

/* An SSL_CTX that trusts nobody yet. NULL when out of memory. */
struct tls *tls_create(void);
void tls_free(struct tls *); /* its peers are gone; NULL is fine */

/* For libwebsockets; stays ours. Its connections need a tls_peer each. */
struct ssl_ctx_st *tls_ctx(struct tls *);

/* --- files, to be read before privileges are dropped (tls_load.c) ----------
 */

/* Loads the system's CA bundle. Returns its path, or NULL when there is
 * none that can be read: then every verification fails. */
const char *tls_load_system(struct tls *);

/* Trusts whom another one trusts, without a second copy. */
void tls_trust_as(struct tls *, struct tls *other);

/* A file that is named by the key of a configuration, for the log. */
struct tls_file {
	const char *key;
	const char *path;
};

/* Trusts the certificates of a PEM file. 0, or -1 (logged, with a remedy). */
int tls_load_ca(struct tls *, const struct tls_file *);

/* The client's certificate with its chain, and its key; they may be one file.
 * 0, or -1 (logged, with a remedy). */
int tls_load_identity(
    struct tls *, const struct tls_file *cert, const struct tls_file *key);

/* Besides all else, one certificate of a server's chain must have the key of
 * one of these pins (pin.h; RFC 7469 §2.6). 0, or -1: no list of pins. */
int tls_pin(struct tls *, const char *list);

/* Gives another SSL_CTX (libcurl's, for an https backend) the same trust, the
 * same identity and the same floor. 0, or -1. */
int tls_share(struct tls *, struct ssl_ctx_st *other);

/* A connection of such a context is kept for the question below until it is
 * let go (NULL is fine). NULL: it cannot be. */
struct ssl_st *tls_hold(struct ssl_st *);
void tls_let_go(struct ssl_st *);
/* Whether its other end has said that nothing follows: an end without that may
 * be anybody's cut (RFC 9112 §9.8). */
bool tls_was_ended(const struct ssl_st *);

/* --- connections ------------------------------------------------------------
 */

/*
 * The other end of a connection that is to be made over fd with tls_ctx():
 * it must be host (a name, or a literal without brackets). Without one, every
 * handshake fails. NULL when out of memory.
 */
struct tls_peer *tls_peer_create(struct tls *, int fd, const char *host);
void tls_peer_free(struct tls_peer *); /* NULL is fine */

/* Why there is no connection, for a log line, such as "unknown ca: self-signed
 * certificate"; NULL when TLS is not the cause. To be asked when a connection
 * ended before the application's first answer; good until tls_peer_free. */
const char *tls_peer_why(struct tls_peer *);

/* Which of the reasons it is, once tls_peer_why has said why. */
enum proto_reason tls_peer_reason(const struct tls_peer *);

/* The same as tls_peer_why for a connection that was open: what was wrong with
 * its records, or NULL. */
const char *tls_peer_why_broken(struct tls_peer *);

/* What was received on a connection that has failed and was not read yet: its
 * length, or -1 when there is none. */
ssize_t tls_read_rest(struct ssl_st *, void *, size_t);

/* The handshake has begun, and is not done. */
bool tls_peer_is_shaking(const struct tls_peer *);

#endif
