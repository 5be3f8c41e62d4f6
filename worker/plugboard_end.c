/* SPDX-License-Identifier: MIT */
/*
 * Why a connection ended: libwebsockets closes without a word, but TLS and the
 * socket, which are still there, know.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <libwebsockets.h>

#include "plugboard_parts.h"
#include "tls.h"

/* What TLS says about the end of an attempt, or NULL. */
static const char *
why_tls(struct plugboard *pb)
{
	return pb->link == NULL || pb->link->peer == NULL
	    ? NULL
	    : tls_peer_why(pb->link->peer);
}

/* What is known when an attempt fails before the 101. */
void
plugboard_judge_failure(struct plugboard *pb, const char *text)
{
	const char *why = why_tls(pb);

	if (pb->end.reason != PROTO_REASON_NONE)
		return; /* an HTTP status */
	pb->end.reason = why != NULL ? tls_peer_reason(pb->link->peer)
				     : PROTO_REASON_HANDSHAKE;
	pb->end.text = why != NULL ? why : text;
}

/* A reset leaves in the queue what was not read yet, and its error goes to the
 * first call that asks, which may be libwebsockets': then only the state
 * tells. */
static bool
is_dead(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_state == TCP_CLOSE;
}

static int
error_of(int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return 0;
	return error == 0 && is_dead(fd) ? ECONNRESET : error;
}

static bool
has_input(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 || (n == -1 && errno == EAGAIN);
}

/* libwebsockets closes without a word; TLS and the socket, which is still
 * there, know who began it. */
void
plugboard_judge_end(struct plugboard *pb)
{
	struct lws *wsi = pb->link == NULL ? NULL : pb->link->wsi;
	struct tls_peer *peer = pb->link == NULL ? NULL : pb->link->peer;
	int fd = wsi == NULL ? -1 : lws_get_socket_fd(wsi),
	    error = error_of(fd);
	uint16_t code;

	pb->end.reason = PROTO_REASON_EOF;
	pb->end.text = "end of stream";
	if (peer != NULL && tls_peer_why_broken(peer) != NULL) {
		pb->end.reason = PROTO_REASON_TLS;
		pb->end.text = tls_peer_why_broken(peer);
	} else if (error == ECONNRESET) {
		pb->end.text = "reset by the peer";
	} else if (error == ETIMEDOUT) {
		pb->end.text = "the peer acknowledges nothing any more";
	} else if (error != 0) {
		pb->end.text = strerror(error);
	} else if (fd != -1 && has_input(fd)) {
		pb->end.reason = PROTO_REASON_PROTOCOL;
		pb->end.text = "plugboard sent what is no WebSocket frame";
	}
	if (wsi == NULL || (code = plugboard_last_code(pb)) == 0)
		return;
	pb->end.reason = PROTO_REASON_CLOSED;
	pb->end.detail = code;
	pb->end.text = NULL;
}
