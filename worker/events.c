/* SPDX-License-Identifier: MIT */
/* The table of events.h. Of a message that was too long to be held only its
 * ids are left: enough to say so to whoever waits for an answer. */
#include "events.h"
#include "proxy.h"
#include "tunnels.h"
#include "util.h"
#include "ws_event.h"
#include "wsproxy.h"

static void
on_proxy_req(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	proxy_request(e->proxy, tunnel, payload, len);
}

static void
on_long_proxy_req(
    struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	proxy_too_long(e->proxy, tunnel, payload, len);
}

static void
on_ws_check(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_check(e->wsproxy, tunnel, payload, len);
}

static void
on_long_ws_check(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_too_long(e->wsproxy, tunnel, WS_EVENT_CHECK, payload, len);
}

static void
on_ws_connect(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_connect(e->wsproxy, tunnel, payload, len);
}

static void
on_long_ws_connect(
    struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_too_long(e->wsproxy, tunnel, WS_EVENT_CONNECT, payload, len);
}

static void
on_ws_frame(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_frame(e->wsproxy, tunnel, payload, len);
}

static void
on_long_ws_frame(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_too_long(e->wsproxy, tunnel, WS_EVENT_FRAME, payload, len);
}

static void
on_ws_close(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_close(e->wsproxy, tunnel, payload, len);
}

static void
on_long_ws_close(struct tunnel *tunnel, uint8_t *payload, size_t len, void *arg)
{
	const struct events *e = arg;

	wsproxy_too_long(e->wsproxy, tunnel, WS_EVENT_CLOSE, payload, len);
}

static const struct tunnels_event table[] = {
    {"proxy_req", on_proxy_req, on_long_proxy_req, true},
    {"ws_check", on_ws_check, on_long_ws_check, true},
    {"ws_connect", on_ws_connect, on_long_ws_connect, true},
    {"ws_frame", on_ws_frame, on_long_ws_frame, false},
    {"ws_close", on_ws_close, on_long_ws_close, false},
};

const struct tunnels_event *
events_table(size_t *count)
{
	*count = UTIL_COUNT(table);
	return table;
}
