/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL, as far as the worker speaks to it itself. The verify callback sees
 * every certificate of a chain; what it notes is all that is known later.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls.h"
#include "util.h"

struct tls {
	SSL_CTX *ctx;
	int verify_error;    /* X509_V_*, X509_V_OK: none seen */
	bool begun, done;    /* the handshake */
	bool alert;	     /* the handshake failed otherwise */
	char alert_text[80]; /* static in OpenSSL, but not promised so */
	char address[64];
};

/* The bundles of Debian, Fedora, SUSE, Alpine, in one file each. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static int tls_index = -1; /* where an SSL_CTX keeps its struct tls */

static bool
is_expected(const struct tls *t, X509_STORE_CTX *store)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(store);

	return t->address[0] == '\0' ||
	    (leaf != NULL && X509_check_ip_asc(leaf, t->address, 0) == 1);
}

bool
tls_verify(bool ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index);

	if (t == NULL)
		return ok;
	if (ok && X509_STORE_CTX_get_error_depth(store) == 0 &&
	    !is_expected(t, store)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_IP_ADDRESS_MISMATCH);
		ok = false;
	}
	if (!ok)
		t->verify_error = X509_STORE_CTX_get_error(store);
	return ok;
}

static int
on_verify(int ok, X509_STORE_CTX *store)
{
	return tls_verify(ok == 1, store) ? 1 : 0;
}

static void
on_info(const SSL *ssl, int where, int value)
{
	struct tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index);

	if (t == NULL)
		return;
	t->begun = t->begun || (where & SSL_CB_HANDSHAKE_START) != 0;
	t->done = t->done || (where & SSL_CB_HANDSHAKE_DONE) != 0;
	if ((where & SSL_CB_ALERT) == 0 ||
	    SSL_alert_type_string(value)[0] != 'F' || t->alert)
		return;
	t->alert = true;
	(void)util_fmt(t->alert_text, sizeof(t->alert_text), "%s %s",
	    (where & SSL_CB_READ) != 0 ? "the server sent alert:"
				       : "refused with alert:",
	    SSL_alert_desc_string_long(value));
}

struct tls *
tls_create(void)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	if (tls_index == -1)
		tls_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL || tls_index == -1 ||
	    SSL_CTX_set_ex_data(t->ctx, tls_index, t) != 1 ||
	    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1) {
		tls_free(t);
		return NULL;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, on_verify);
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

const char *
tls_load_system(struct tls *t)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(bundles); i++) {
		if (access(bundles[i], R_OK) == 0 &&
		    SSL_CTX_load_verify_file(t->ctx, bundles[i]) == 1)
			return bundles[i];
	}
	ERR_clear_error();
	return NULL;
}

int
tls_share(struct tls *t, SSL_CTX *other)
{
	SSL_CTX_set1_cert_store(other, SSL_CTX_get_cert_store(t->ctx));
	return SSL_CTX_set_min_proto_version(other, TLS1_2_VERSION) == 1 ? 0
									 : -1;
}

void
tls_expect_address(struct tls *t, const char *addr)
{
	(void)util_strlcpy(
	    t->address, addr == NULL ? "" : addr, sizeof(t->address));
}

void
tls_forget(struct tls *t)
{
	t->verify_error = X509_V_OK;
	t->alert = false;
	t->begun = t->done = false;
}

const char *
tls_why(const struct tls *t)
{
	if (t->verify_error != X509_V_OK)
		return X509_verify_cert_error_string(t->verify_error);
	if (t->done)
		return NULL;
	if (t->alert)
		return t->alert_text;
	return t->begun ? "the handshake was cut off" : NULL;
}
