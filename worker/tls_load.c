/* SPDX-License-Identifier: MIT */
/*
 * The files of tls.h: read once, while the worker may still read them. Each
 * fault is one line that names the key, the file, and what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "log.h"
#include "tls.h"
#include "tls_parts.h"
#include "util.h"

/* The bundles of Debian, Fedora, SUSE, Alpine, in one file each. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static int
fault(const struct tls_file *f, const char *what)
{
	log_errorx("%s: %s %s", f->key, f->path, what);
	ERR_clear_error();
	return -1;
}

/* What open(2) and stat(2) say is clearer than what OpenSSL makes of it. */
static int
check_file(const struct tls_file *f)
{
	struct stat sb;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = fd == -1 ? -1 : fstat(fd, &sb);

	if (result == -1)
		log_errorx("%s: %s cannot be read: %s; name a PEM file that "
			   "the user who starts telephone may read",
		    f->key, f->path, strerror(errno));
	else if (!S_ISREG(sb.st_mode))
		result = fault(f, "is not a regular file");
	util_close(&fd);
	return result;
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

void
tls_trust_as(struct tls *t, struct tls *other)
{
	SSL_CTX_set1_cert_store(t->ctx, SSL_CTX_get_cert_store(other->ctx));
}

int
tls_load_ca(struct tls *t, const struct tls_file *f)
{
	if (check_file(f) == -1)
		return -1;
	if (SSL_CTX_load_verify_file(t->ctx, f->path) != 1)
		return fault(f,
		    "holds no certificate in PEM form; from DER it is made by: "
		    "openssl x509 -inform der -in FILE -out FILE.pem");
	return 0;
}

/* --- identity ---------------------------------------------------------------
 */

/* Nobody is there to be asked; without this OpenSSL would ask on a terminal. */
static int
on_passphrase(char *space, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)space;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

static int
load_key(struct tls *t, const struct tls_file *f)
{
	bool asked = false;
	int result;

	SSL_CTX_set_default_passwd_cb(t->ctx, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(t->ctx, &asked);
	result = SSL_CTX_use_PrivateKey_file(t->ctx, f->path, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb(t->ctx, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(t->ctx, NULL);
	if (result == 1)
		return 0;
	if (asked)
		return fault(f,
		    "is encrypted, and nobody can be asked for its "
		    "passphrase; decrypt it by: openssl pkey -in FILE -out "
		    "FILE.new");
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return fault(f,
		    "does not belong to the client's certificate; give the "
		    "key that the certificate was made with");
	return fault(f, "holds no private key in PEM form");
}

int
tls_load_identity(
    struct tls *t, const struct tls_file *cert, const struct tls_file *key)
{
	if (check_file(cert) == -1 || check_file(key) == -1)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(t->ctx, cert->path) != 1)
		return fault(cert,
		    "holds no certificate in PEM form, or one that is too "
		    "weak");
	return load_key(t, key);
}

int
tls_pin(struct tls *t, const char *list)
{
	t->pin_count = pin_parse(t->pins, list);
	return t->pin_count == -1 ? -1 : 0;
}

/* --- for libcurl ------------------------------------------------------------
 */

static int
mark(void)
{
	static int index = -1;

	if (index == -1)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

static int
share_identity(struct tls *t, SSL_CTX *other)
{
	X509 *cert = SSL_CTX_get0_certificate(t->ctx);
	STACK_OF(X509) *chain = NULL;

	if (cert == NULL)
		return 0;
	(void)SSL_CTX_get0_chain_certs(t->ctx, &chain);
	return SSL_CTX_use_cert_and_key(
		   other, cert, SSL_CTX_get0_privatekey(t->ctx), chain, 1) == 1
	    ? 0
	    : -1;
}

/* close_notify (RFC 8446 §6.1) leaves a mark of its own: libcurl resets what
 * OpenSSL keeps of it before anybody can ask. */
static void
on_info(const SSL *ssl, int where, int ret)
{
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
	    (ret & 0xff) == SSL_AD_CLOSE_NOTIFY)
		(void)SSL_set_ex_data(
		    (SSL *)(uintptr_t)ssl, mark(), (void *)"ended");
}

bool
tls_was_ended(const struct ssl_st *ssl)
{
	return SSL_get_ex_data(ssl, mark()) != NULL;
}

struct ssl_st *
tls_hold(struct ssl_st *ssl)
{
	return SSL_up_ref(ssl) == 1 ? ssl : NULL;
}

void
tls_let_go(struct ssl_st *ssl)
{
	SSL_free(ssl);
}

int
tls_share(struct tls *t, SSL_CTX *other)
{
	SSL_CTX_set1_cert_store(other, SSL_CTX_get_cert_store(t->ctx));
	SSL_CTX_set_info_callback(other, on_info);
	if (SSL_CTX_set_min_proto_version(other, TLS1_2_VERSION) != 1)
		return -1;
	return share_identity(t, other);
}
