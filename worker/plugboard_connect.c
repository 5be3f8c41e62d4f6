/* SPDX-License-Identifier: MIT */
/*
 * How a connection begins: a socket from reach.c is put in the place of the
 * one that libwebsockets makes, which goes on with TLS and the upgrade.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <libwebsockets.h>

#include "loop.h"
#include "plugboard.h"
#include "plugboard_parts.h"
#include "reach.h"
#include "target.h"
#include "timer.h"
#include "tls.h"
#include "util.h"

/*
 * libwebsockets can be given no socket, but has begun to connect one of its
 * own and will not look at it before its loop turns: until then ours, which is
 * connected, is put in its place.
 */
static int
put_socket(struct plugboard *pb, struct link *link, int fd)
{
	int place = lws_get_socket_fd(link->wsi);

	if (place < 0 || dup3(fd, place, O_CLOEXEC) == -1)
		return -1;
	if (!pb->params.url.tls)
		return 0;
	link->peer =
	    tls_peer_create(pb->params.tls, place, pb->params.url.host);
	return link->peer == NULL ? -1 : 0;
}

static void
link_settle(struct plugboard *pb, struct link *link, struct lws *wsi, int fd)
{
	link->calling = false;
	if (link->ended && !link->destroyed)
		return; /* on_destroy frees it */
	if (link->destroyed || wsi == NULL) {
		/* Gone already; with or without having said so. */
		if (link->owner != NULL) {
			link->owner = NULL;
			pb->link = NULL;
			plugboard_fail(pb, PROTO_REASON_HANDSHAKE,
			    "the connection could not be set up");
		}
		plugboard_link_free(link);
		return;
	}
	if (link->wsi == NULL)
		link->wsi = wsi;
	if (put_socket(pb, link, fd) == -1)
		plugboard_fail(pb, PROTO_REASON_HANDSHAKE,
		    "the socket could not be handed over");
}

static void
open_link(struct plugboard *pb, const struct reach_result *way)
{
	struct lws_client_connect_info info;
	char host[URL_HOST_MAX + 8];
	struct link *link = calloc(1, sizeof(*link));

	if (link == NULL ||
	    !url_host_header(&pb->params.url, host, sizeof(host))) {
		free(link);
		plugboard_fail(pb, PROTO_REASON_HANDSHAKE, "out of memory");
		return;
	}
	memset(&info, 0, sizeof(info));
	info.context = loop_lws(pb->params.loop);
	info.address = way->addr;
	info.port = way->port;
	info.path = pb->path;
	info.host = host;
	if (pb->params.url.tls) /* the name is verified by tls.c */
		info.ssl_connection =
		    LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	info.alpn = "http/1.1";
	info.local_protocol_name = plugboard_protocols()[0].name;
	info.ietf_version_or_minus_one = -1;
	info.userdata = link;
	info.pwsi = &link->wsi;
	link->owner = pb;
	link->calling = true;
	pb->link = link;
	link_settle(pb, link, lws_client_connect_via_info(&info), way->fd);
	loop_kick(pb->params.loop);
}

static void
on_reached(const struct reach_result *way, void *arg)
{
	struct plugboard *pb = arg;
	int fd = way->fd;

	pb->reach = NULL;
	if (way->reason != PROTO_REASON_NONE) {
		pb->end.detail = way->detail;
		plugboard_fail(pb, way->reason, way->text);
		return;
	}
	open_link(pb, way);
	plugboard_path_wipe(pb);
	util_close(&fd); /* libwebsockets' is a copy */
}

void
plugboard_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct plugboard *pb = arg;
	bool tls = pb->link != NULL && pb->link->peer != NULL &&
	    tls_peer_is_shaking(pb->link->peer);

	(void)fd;
	(void)what;
	plugboard_fail(pb, PROTO_REASON_TIMEOUT,
	    tls ? "no answer to the TLS handshake within CONNECT_TIMEOUT"
		: "no answer to the WebSocket handshake within "
		  "CONNECT_TIMEOUT");
}

void
plugboard_on_failure(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	plugboard_fail(
	    arg, PROTO_REASON_RESOLVE, "the look-up could not be started");
}

int
plugboard_connect(struct plugboard *pb, const char *token)
{
	struct reach_params reach = {
	    .base = loop_base(pb->params.loop),
	    .resolve = pb->params.resolve,
	    .url = &pb->params.url,
	    .proxy = pb->params.proxy,
	    .timeout_ms = pb->params.connect_timeout_ms,
	    .cb = on_reached,
	    .arg = pb,
	};

	pb->path = target_make(&pb->params.url, token);
	if (pb->path == NULL)
		return -1;
	memset(&pb->end, 0, sizeof(pb->end));
	pb->end.retry_after_s = -1;
	/* A little longer than the reach, whose own error says more. */
	timer_set_ms(pb->deadline, pb->params.connect_timeout_ms + 50);
	pb->reach = reach_start(&reach);
	if (pb->reach == NULL)
		timer_set_ms(pb->failure, 0);
	return 0;
}
