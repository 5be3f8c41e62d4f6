/* SPDX-License-Identifier: MIT */
/* dispatch: the two tables of switchboard. */
#include <string.h>

#include "admin.h"
#include "board.h"
#include "call.h"
#include "dispatch.h"
#include "phx.h"
#include "ws.h"
#include "wscall.h"

#define ADMIN_BODY_MAX ((size_t)256 << 20)
#define OTHER_BODY_MAX ((size_t)64 << 10)

static const struct {
	const char *name;
	int (*answer)(struct phx *, struct json payload);
} events[] = {
    {"proxy_res", call_answer},
    {"ws_check_result", wscall_check_result},
    {"ws_connected", wscall_connected},
    {"ws_frame", wscall_frame},
    {"ws_closed", wscall_closed},
    {"ws_error", wscall_error},
};

static int
on_event(struct phx *p, struct json event, struct json payload)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (json_is_string(event, events[i].name))
			return events[i].answer(p, payload);
	return -1;
}

static void
on_lost(struct phx *p, bool detached)
{
	call_lost(p, detached);
	wscall_lost(p);
}

const struct channel_hooks dispatch_hooks = {on_event, on_lost};

static bool
is_below(const struct request *r, const char *prefix)
{
	return strncmp(r->path, prefix, strlen(prefix)) == 0;
}

static void
on_request(struct http *h)
{
	const struct request *r = http_request(h);

	if (strcmp(r->path, "/telephone/websocket") == 0)
		phx_accept(h);
	else if (is_below(r, "/admin/"))
		admin_answer(h);
	else if (is_below(r, "/call/") && ws_is_upgrade(r))
		wscall_start(h);
	else if (is_below(r, "/call/"))
		call_start(h);
	else
		http_reply_text(h, 404, "not found");
}

static size_t
body_max(const struct request *r)
{
	if (is_below(r, "/call/"))
		return (size_t)board.settings.max_body;
	return is_below(r, "/admin/") ? ADMIN_BODY_MAX : OTHER_BODY_MAX;
}

const struct http_service dispatch_service = {on_request, body_max};
