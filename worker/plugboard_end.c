/* SPDX-License-Identifier: MIT */
/*
 * Why a connection ended: libwebsockets closes without a word, but TLS and the
 * socket, which are still there, know.
 */
#include <errno.h>
#include <netinet/tcp.h>
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
	pb->end.reason =
	    why != NULL ? PROTO_REASON_TLS : PROTO_REASON_HANDSHAKE;
	pb->end.text = why != NULL ? why : text;
}

/* A reset leaves in the queue what was not read yet, and its error goes to the
 * first call that asks, libwebsockets': only the state tells. */
static bool
was_reset(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_state == TCP_CLOSE;
}

/* libwebsockets closes without a word; the socket, which is still there, knows
 * who began it. */
void
plugboard_judge_end(struct plugboard *pb)
{
	struct lws *wsi = pb->link == NULL ? NULL : pb->link->wsi;
	ssize_t n = 0;
	char c;

	pb->end.reason = PROTO_REASON_EOF;
	pb->end.text = "end of stream";
	if (wsi != NULL)
		n = recv(
		    lws_get_socket_fd(wsi), &c, 1, MSG_PEEK | MSG_DONTWAIT);
	if (wsi != NULL && was_reset(lws_get_socket_fd(wsi))) {
		pb->end.text = "reset by the peer";
	} else if (n > 0 || (n == -1 && errno == EAGAIN)) {
		pb->end.reason = PROTO_REASON_PROTOCOL;
		pb->end.text = "plugboard sent what is no WebSocket frame";
	} else if (n == -1 && errno == ECONNRESET) {
		pb->end.text = "reset by the peer";
	}
}
