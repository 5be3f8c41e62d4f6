/* SPDX-License-Identifier: MIT */
/* The few calls of OpenSSL that ws_tls.h needs. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "log.h"
#include "tls.h"
#include "ws_base64.h"
#include "ws_handshake.h"
#include "ws_tls.h"

SSL_CTX *
ws_tls_create(struct tls *tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	if (tls_share(tls, ctx) == -1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/* What is written lies in a queue that moves between two tries. */
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

void
ws_tls_free(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}

static bool
is_literal(const char *host)
{
	uint8_t space[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, space) == 1 ||
	    inet_pton(AF_INET6, host, space) == 1;
}

/* Who the certificate must be for (RFC 6125); literals send no SNI. */
static bool
set_host(SSL *ssl, const char *host)
{
	if (is_literal(host))
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(ssl), host) == 1;
	return SSL_set_tlsext_host_name(ssl, host) == 1 &&
	    SSL_set1_host(ssl, host) == 1;
}

SSL *
ws_tls_start(SSL_CTX *ctx, int fd, const char *host)
{
	static const uint8_t alpn[] = "\x08http/1.1";
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL)
		return NULL;
	if (!set_host(ssl, host) || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) != 0) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

void
ws_tls_end(SSL *ssl)
{
	SSL_free(ssl);
}

static enum ws_want
want_of(int error)
{
	return error == SSL_ERROR_WANT_READ ? WS_WANT_READ
	    : error == SSL_ERROR_WANT_WRITE ? WS_WANT_WRITE
					    : WS_WANT_NOTHING;
}

int
ws_tls_handshake(SSL *ssl, enum ws_want *want, const char **why)
{
	long verified;
	int rv;

	ERR_clear_error();
	rv = SSL_do_handshake(ssl);
	if (rv == 1)
		return 1;
	*want = want_of(SSL_get_error(ssl, rv));
	if (*want != WS_WANT_NOTHING)
		return 0;
	verified = SSL_get_verify_result(ssl);
	*why = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
				     : "the handshake failed";
	ERR_clear_error();
	return -1;
}

ssize_t
ws_tls_read(SSL *ssl, void *data, size_t len, enum ws_want *want)
{
	size_t n = 0;
	int error;

	ERR_clear_error();
	*want = WS_WANT_NOTHING;
	if (SSL_read_ex(ssl, data, len, &n) == 1)
		return (ssize_t)n;
	error = SSL_get_error(ssl, 0);
	*want = want_of(error);
	/* Whether the end was announced makes no difference here: frames say
	 * where they end. */
	return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t
ws_tls_write(SSL *ssl, const void *data, size_t len, enum ws_want *want)
{
	size_t n = 0;

	ERR_clear_error();
	*want = WS_WANT_NOTHING;
	if (SSL_write_ex(ssl, data, len, &n) == 1)
		return (ssize_t)n;
	*want = want_of(SSL_get_error(ssl, 0));
	return -1;
}

size_t
ws_tls_pending(const SSL *ssl)
{
	return (size_t)SSL_pending(ssl);
}

void
ws_tls_accept(const char *key, char *accept)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char text[WS_KEY_LEN + sizeof(WS_GUID)];
	unsigned len = 0;

	(void)snprintf(text, sizeof(text), "%s%s", key, WS_GUID);
	if (EVP_Digest(text, strlen(text), hash, &len, EVP_sha1(), NULL) != 1)
		fatalx("OpenSSL has no SHA-1");
	ws_base64_encode(hash, len, (uint8_t *)accept);
	accept[WS_ACCEPT_LEN] = '\0';
}
