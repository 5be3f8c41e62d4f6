/* SPDX-License-Identifier: MIT */
/*
 * From what was seen of a handshake to what is wrong, and what to do about
 * it. The most telling comes first: a certificate that we refuse says more
 * than the alert that we then send.
 */
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include "tls.h"
#include "tls_parts.h"
#include "util.h"

static const struct {
	int error;
	enum proto_reason reason;
	const char *cause, *hint;
} refusals[] = {
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, PROTO_REASON_TLS_UNKNOWN_CA,
	"unknown ca", NULL},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, PROTO_REASON_TLS_UNKNOWN_CA,
	"unknown ca", NULL},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, PROTO_REASON_TLS_UNKNOWN_CA,
	"unknown ca", NULL},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, PROTO_REASON_TLS_UNKNOWN_CA,
	"unknown ca", "; when it is yours, name it by PLUGBOARD_CA_FILE"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, PROTO_REASON_TLS_UNKNOWN_CA,
	"unknown ca", "; when it is yours, name it by PLUGBOARD_CA_FILE"},
    {X509_V_ERR_CERT_UNTRUSTED, PROTO_REASON_TLS_UNKNOWN_CA, "unknown ca",
	NULL},
    {X509_V_ERR_CERT_HAS_EXPIRED, PROTO_REASON_TLS_EXPIRED, "expired", NULL},
    {X509_V_ERR_CERT_NOT_YET_VALID, PROTO_REASON_TLS_NOT_YET, "not yet valid",
	"; is the clock of this machine right?"},
};

static const char *
why_refused(struct tls_peer *p)
{
	const char *cause = "certificate refused", *hint = NULL;
	size_t i;

	if (p->verify_error == X509_V_ERR_HOSTNAME_MISMATCH ||
	    p->verify_error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		p->why = PROTO_REASON_TLS_NAME;
		(void)util_fmt(p->text, sizeof(p->text),
		    "name mismatch: the certificate is not for %s", p->host);
		return p->text;
	}
	p->why = PROTO_REASON_TLS_CERT;
	for (i = 0; i < UTIL_COUNT(refusals); i++)
		if (refusals[i].error == p->verify_error) {
			p->why = refusals[i].reason;
			cause = refusals[i].cause;
			hint = refusals[i].hint;
		}
	(void)util_fmt(p->text, sizeof(p->text), "%s: %s%s", cause,
	    X509_verify_cert_error_string(p->verify_error),
	    hint == NULL ? "" : hint);
	return p->text;
}

static const char *
with_alert(struct tls_peer *p, const char *cause, int alert)
{
	(void)util_fmt(p->text, sizeof(p->text), "%s: %s", cause,
	    SSL_alert_desc_string_long(alert));
	return p->text;
}

static const char *
because(struct tls_peer *p, enum proto_reason why, const char *text)
{
	p->why = why;
	return text;
}

static const char *
why_version(struct tls_peer *p)
{
	return because(p, PROTO_REASON_TLS_VERSION,
	    "protocol version: the server speaks neither TLS 1.2 nor 1.3");
}

static const char *
why_wanted(struct tls_peer *p)
{
	return because(p, PROTO_REASON_TLS_CLIENT_CERT,
	    "client certificate wanted: set PLUGBOARD_CLIENT_CERT and "
	    "PLUGBOARD_CLIENT_KEY");
}

static const char *
why_alerted(struct tls_peer *p)
{
	switch (p->received) {
	case SSL_AD_PROTOCOL_VERSION:
		return why_version(p);
	case TLS13_AD_CERTIFICATE_REQUIRED:
		return why_wanted(p);
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_BAD_CERTIFICATE:
		if (p->asked && !p->offered)
			return why_wanted(p);
		break;
	default:
		break;
	}
	if (p->asked && p->offered)
		p->why = PROTO_REASON_TLS_CLIENT_CERT;
	if (p->asked && p->offered)
		return with_alert(p,
		    "client certificate refused: the server sent alert",
		    p->received);
	return with_alert(p, "handshake alert: the server sent", p->received);
}

/* A server that closes over what it did not read cuts off its own alert. */
static const char *
why_cut_off(struct tls_peer *p)
{
	if (!p->asked)
		return "the handshake was cut off";
	return because(p, PROTO_REASON_TLS_CLIENT_CERT,
	    p->offered ? "client certificate refused, most likely: the server "
			 "hung up when it had it"
		       : "client certificate wanted: the server asked for one "
			 "and hung up");
}

static const char *
why_failed(struct tls_peer *p)
{
	switch (p->reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return because(p, PROTO_REASON_TLS_PLAIN,
		    "plain text: what answers on this port speaks no TLS");
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return why_cut_off(p);
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNKNOWN_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
		return why_version(p);
	default:
		if (p->sent == TLS_ALERT_NONE)
			return "the handshake failed";
		return with_alert(p, "handshake alert: we sent", p->sent);
	}
}

const char *
tls_peer_why(struct tls_peer *p)
{
	p->why = PROTO_REASON_TLS;
	if (p->pin_mismatch)
		return because(p, PROTO_REASON_TLS_PIN,
		    "pin mismatch: no certificate of the server has a key of "
		    "PLUGBOARD_PIN");
	if (p->verify_error != X509_V_OK)
		return why_refused(p);
	if (p->received != TLS_ALERT_NONE)
		return why_alerted(p);
	if (p->sent != TLS_ALERT_NONE || (p->reason != 0 && !p->done))
		return why_failed(p);
	/* TLS 1.3: we were done when it began to judge our certificate. */
	return tls_peer_is_shaking(p) || p->asked ? why_cut_off(p) : NULL;
}

enum proto_reason
tls_peer_reason(const struct tls_peer *p)
{
	return p->why;
}

const char *
tls_peer_why_broken(struct tls_peer *p)
{
	if (!p->done)
		return NULL;
	if (p->received != TLS_ALERT_NONE)
		return with_alert(p, "the server sent alert", p->received);
	return p->sent == TLS_ALERT_NONE
	    ? NULL
	    : with_alert(p, "broken records: we sent alert", p->sent);
}
