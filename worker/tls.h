/* SPDX-License-Identifier: MIT */
/*
 * The worker's one SSL_CTX: the system's CA store, loaded once, and the name
 * of what went wrong, which neither libwebsockets nor libcurl pass on well.
 * Chain and host name are always verified (RFC 6125); TLS 1.2 is the floor.
 */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include <stdbool.h>
#include <stdint.h>

struct ssl_ctx_st;
struct tls;
struct x509_store_ctx_st;

/* An SSL_CTX without any CA yet. NULL when out of memory. */
struct tls *tls_create(void);
void tls_free(struct tls *);

/* For libwebsockets; stays ours. */
struct ssl_ctx_st *tls_ctx(struct tls *);

/* Loads the system's CA bundle. Returns its path, or NULL when there is
 * none that can be read: then every verification fails. */
const char *tls_load_system(struct tls *);

/* Gives another SSL_CTX (libcurl's, for an https backend) the same store and
 * the same floor. 0, or -1. */
int tls_share(struct tls *, struct ssl_ctx_st *other);

/*
 * Who the next connections of tls_ctx() must be, where libwebsockets cannot
 * say it: an IPv6 literal. NULL: nobody in particular.
 */
void tls_expect_address(struct tls *, const char *addr);

/* Judges one certificate of a chain and notes what is wrong with it. ok is
 * OpenSSL's own judgement. libwebsockets puts a verify callback of its own in
 * front of ours, and asks this. */
bool tls_verify(bool ok, struct x509_store_ctx_st *);

/* Forgets the last error; to be called before a connect. */
void tls_forget(struct tls *);

/* Why the last handshake failed, for a log line, such as "unable to get local
 * issuer certificate"; NULL when it did not fail, or never began. Good until
 * tls_forget. */
const char *tls_why(const struct tls *);

#endif
