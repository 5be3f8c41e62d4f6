/* SPDX-License-Identifier: MIT */
/*
 * Proves the bridge of worker/loop.h on a real socket: one client sends
 * heartbeats to switchboard, each after the answer to the one before, and
 * ends when all were answered. Run by tests/bridge/run.py.
 *
 * usage: bridge PORT TOKEN COUNT [tls]
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libwebsockets.h>

#include "loop.h"

struct run {
	struct loop *loop;
	unsigned long sent, answered, wanted;
};

static int
send_heartbeat(struct lws *wsi, struct run *run)
{
	unsigned char space[LWS_PRE + 128];
	int len;

	if (run->sent > run->answered)
		return 0; /* one at a time */
	len = snprintf((char *)space + LWS_PRE, sizeof(space) - LWS_PRE,
	    "[null,\"%lu\",\"phoenix\",\"heartbeat\",{}]", ++run->sent);
	return lws_write(wsi, space + LWS_PRE, (size_t)len, LWS_WRITE_TEXT) <
		len
	    ? -1
	    : 0;
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	struct run *run = lws_context_user(lws_get_context(wsi));

	(void)user;
	(void)len;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return lws_callback_on_writable(wsi) == -1 ? -1 : 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return send_heartbeat(wsi, run);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		if (++run->answered >= run->wanted)
			loop_stop(run->loop);
		return lws_callback_on_writable(wsi) == -1 ? -1 : 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		fprintf(stderr, "bridge: %s\n",
		    in != NULL ? (const char *)in : "no connection");
		loop_stop(run->loop);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		loop_stop(run->loop);
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
    {"bridge", on_event, 0, 65536, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static void
dial(struct loop *loop, int port, const char *token, bool tls)
{
	struct lws_client_connect_info info;
	char path[4096];

	snprintf(path, sizeof(path), "/telephone/websocket?token=%s&vsn=2.0.0",
	    token);
	memset(&info, 0, sizeof(info));
	info.context = loop_lws(loop);
	info.address = "127.0.0.1";
	info.port = port;
	info.path = path;
	info.host = "localhost";
	info.local_protocol_name = "bridge";
	if (tls) /* run.py's certificate is of the moment */
		info.ssl_connection = LCCSCF_USE_SSL | LCCSCF_ALLOW_SELFSIGNED |
		    LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	if (lws_client_connect_via_info(&info) == NULL)
		loop_stop(loop);
	loop_kick(loop);
}

int
main(int argc, char **argv)
{
	struct run run = {0};

	if (argc < 4) {
		fprintf(stderr, "usage: bridge PORT TOKEN COUNT [tls]\n");
		return 64;
	}
	run.wanted = strtoul(argv[3], NULL, 10);
	lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
	run.loop = loop_create(protocols, NULL, &run);
	if (run.loop == NULL)
		return 69;
	dial(run.loop, atoi(argv[1]), argv[2], argc > 4);
	loop_run(run.loop);
	loop_free(run.loop);
	printf("%lu of %lu heartbeats answered\n", run.answered, run.wanted);
	return run.answered < run.wanted;
}
