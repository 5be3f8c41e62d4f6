/* SPDX-License-Identifier: MIT */
/*
 * The files of certificates and keys that the configuration names, read for
 * Plugboard's, the application's and the collector's TLS while the worker still
 * may.
 */
#ifndef WORKER_CERTS_H
#define WORKER_CERTS_H

struct conf;
struct tls;

/* Reads what is needed, and nothing where no TLS is spoken. 0, or -1: the
 * faults are logged, each with key, file and remedy. */
int certs_load(const struct conf *, struct tls *plugboard, struct tls *backend,
    struct tls *collector /* or NULL */);

#endif
