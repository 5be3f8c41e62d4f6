/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's callbacks: who the other end is, and what is to be remembered of
 * a handshake. A connection is found by its descriptor, since libwebsockets
 * makes the SSL object when it pleases; there are never more than a few.
 */
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls.h"
#include "tls_parts.h"
#include "util.h"
#include "wipe.h"

static int tls_index = -1; /* where an SSL_CTX keeps its struct tls */

static struct tls_peer *
peer_of(const SSL *ssl)
{
	struct tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index);
	struct tls_peer *p;
	int fd = SSL_get_fd(ssl);

	if (t == NULL)
		return NULL;
	LIST_FOREACH(p, &t->peers, entry)
	if (p->fd == fd)
		return p;
	return NULL;
}

/* --- who it is -------------------------------------------------------------
 */

static bool
is_literal(const char *host)
{
	uint8_t space[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, space) == 1 ||
	    inet_pton(AF_INET6, host, space) == 1;
}

static bool
expect(X509_STORE_CTX *store, const char *host)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);

	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return is_literal(host)
	    ? X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
	    : X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

static bool
is_pinned(const struct tls *t, X509 *cert)
{
	uint8_t digest[PIN_LEN], *der = NULL;
	int i, len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool found = false;

	if (len <= 0)
		return false;
	if (EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1)
		for (i = 0; i < t->pin_count; i++)
			found =
			    found || memcmp(t->pins[i], digest, PIN_LEN) == 0;
	OPENSSL_free(der);
	return found;
}

/* RFC 7469 §2.6: any pin, anywhere in the chain that was verified. */
static bool
has_pin(const struct tls *t, X509_STORE_CTX *store)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
	int i;

	if (t->pin_count == 0)
		return true;
	for (i = 0; i < sk_X509_num(chain); i++)
		if (is_pinned(t, sk_X509_value(chain, i)))
			return true;
	return false;
}

/* In the place of OpenSSL's own: it is this that lets nobody else in, whatever
 * libwebsockets has set up. */
static int
on_verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *p = peer_of(ssl);

	if (p == NULL || !expect(store, p->host)) {
		X509_STORE_CTX_set_error(
		    store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (X509_verify_cert(store) != 1) {
		p->verify_error = X509_STORE_CTX_get_error(store);
		return 0;
	}
	if (has_pin(arg, store))
		return 1;
	p->pin_mismatch = true;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* --- what is seen of a handshake -------------------------------------------
 */

/* RFC 6066 §3: a name, and nothing at all for a literal. libwebsockets sends
 * both, and cuts names at 127 characters. */
static void
set_sni(SSL *ssl, const char *host)
{
	(void)SSL_set_tlsext_host_name(
	    ssl, is_literal(host) ? NULL : (void *)(uintptr_t)host);
}

/* What OpenSSL says while SSL_connect is still on the stack: libwebsockets
 * clears it. */
static void
note_error(struct tls_peer *p)
{
	unsigned long error = ERR_peek_error();

	if (error != 0 && p->reason == 0 && !ERR_SYSTEM_ERROR(error))
		p->reason = ERR_GET_REASON(error);
}

static void
on_info(const SSL *ssl, int where, int value)
{
	struct tls_peer *p = peer_of(ssl);

	if (p == NULL)
		return;
	if ((where & SSL_CB_HANDSHAKE_START) != 0 && !p->begun) {
		p->begun = true;
		set_sni((SSL *)(uintptr_t)ssl, p->host);
	}
	p->done = p->done || (where & SSL_CB_HANDSHAKE_DONE) != 0;
	if ((where & SSL_CB_EXIT) != 0 && value <= 0 && !p->done)
		note_error(p);
	if ((where & SSL_CB_ALERT) == 0 || value >> 8 != SSL3_AL_FATAL)
		return;
	if ((where & SSL_CB_READ) != 0)
		p->received = value & 0xff;
	else
		p->sent = value & 0xff;
}

/* The server asks for a certificate. */
static int
on_cert_asked(SSL *ssl, void *arg)
{
	struct tls_peer *p = peer_of(ssl);

	(void)arg;
	if (p != NULL) {
		p->asked = true;
		p->offered = SSL_get_certificate(ssl) != NULL;
	}
	return 1;
}

/* --- life ------------------------------------------------------------------
 */

static void *
wiping_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

static void *
wiping_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return wipe_realloc(p, size);
}

static void
wiping_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	wipe_free(p);
}

int
tls_prepare(void)
{
	return CRYPTO_set_mem_functions(
		   wiping_malloc, wiping_realloc, wiping_free) == 1
	    ? 0
	    : -1;
}

struct tls *
tls_create(void)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	LIST_INIT(&t->peers);
	if (tls_index == -1)
		tls_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL || tls_index == -1 ||
	    SSL_CTX_set_ex_data(t->ctx, tls_index, t) != 1 ||
	    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1) {
		tls_free(t);
		return NULL;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(t->ctx, on_verify, t);
	SSL_CTX_set_cert_cb(t->ctx, on_cert_asked, NULL);
	SSL_CTX_set_info_callback(t->ctx, on_info);
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

SSL_CTX *
tls_ctx(struct tls *t)
{
	return t->ctx;
}

struct tls_peer *
tls_peer_create(struct tls *t, int fd, const char *host)
{
	struct tls_peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->owner = t;
	p->fd = fd;
	p->received = p->sent = TLS_ALERT_NONE;
	(void)util_strlcpy(p->host, host, sizeof(p->host));
	/* First, so that it hides an older one whose descriptor is closed. */
	LIST_INSERT_HEAD(&t->peers, p, entry);
	return p;
}

void
tls_peer_free(struct tls_peer *p)
{
	if (p == NULL)
		return;
	LIST_REMOVE(p, entry);
	free(p);
}

ssize_t
tls_read_rest(struct ssl_st *ssl, void *out, size_t len)
{
	size_t n;

	ERR_clear_error();
	return SSL_read_ex(ssl, out, len, &n) == 1 ? (ssize_t)n : -1;
}

bool
tls_peer_is_shaking(const struct tls_peer *p)
{
	return p->begun && !p->done;
}
