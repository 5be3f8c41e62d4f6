/* SPDX-License-Identifier: MIT */
/* What the files of tls.h share, and nobody else needs. */
#ifndef WORKER_TLS_PARTS_H
#define WORKER_TLS_PARTS_H

#include <stdbool.h>
#include <sys/queue.h>

#include <openssl/ssl.h>

#include "pin.h"
#include "tls.h"
#include "url.h"

#define TLS_ALERT_NONE (-1)
#define TLS_WHY_MAX (URL_HOST_MAX + 160)

/* What was seen of one handshake. */
struct tls_peer {
	LIST_ENTRY(tls_peer) entry;
	struct tls *owner;
	int fd;
	char host[URL_HOST_MAX];
	bool begun, done;
	int verify_error;  /* X509_V_*, X509_V_OK: none */
	bool pin_mismatch; /* the chain itself was fine */
	int received;	   /* a fatal alert, or TLS_ALERT_NONE */
	int sent;
	int reason;   /* ERR_GET_REASON of the library's error, 0: none */
	bool asked;   /* the server asked for a certificate … */
	bool offered; /* … and there was one */
	enum proto_reason why; /* as last judged */
	char text[TLS_WHY_MAX];
};

LIST_HEAD(tls_peers, tls_peer);

struct tls {
	SSL_CTX *ctx;
	struct tls_peers peers;
	uint8_t pins[PIN_MAX][PIN_LEN];
	int pin_count;
};

#endif
