/* SPDX-License-Identifier: MIT */
/* The refusals of wsproxy.h. */
#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "channel.h"
#include "json.h"
#include "log.h"
#include "phx.h"
#include "wsproxy.h"

#define ID_MAX 129
#define WS_REASON "this telephone does not proxy WebSockets"

/* Sends {"<id_name>":"<id>",<rest>}. */
static void
refuse(struct channel *c, struct json_str payload, const char *id_name,
    const char *event, const char *rest)
{
	struct buf b;
	char id[ID_MAX];

	if (!phx_get_str(payload, id_name, id, sizeof(id))) {
		log_warnx("a WebSocket event without %s was ignored", id_name);
		return;
	}
	log_info("WebSocket %s: refused, " WS_REASON, id);
	buf_init(&b, 2048);
	(void)buf_printf(&b, "{\"%s\":", id_name);
	(void)json_put_str(&b, id, strlen(id));
	(void)buf_printf(&b, ",%s}", rest);
	(void)buf_putc(&b, '\0');
	if (b.failed || channel_push(c, event, (char *)b.data) == -1)
		log_warnx("WebSocket %s: the refusal could not be sent", id);
	buf_clear(&b);
}

void
wsproxy_check(struct channel *c, uint8_t *payload, size_t len)
{
	struct json_str p = {payload, len};

	refuse(c, p, "check_id", "ws_check_result",
	    "\"supported\":false,\"reason\":\"" WS_REASON "\"");
}

void
wsproxy_connect(struct channel *c, uint8_t *payload, size_t len)
{
	struct json_str p = {payload, len};

	refuse(
	    c, p, "connection_id", "ws_error", "\"reason\":\"" WS_REASON "\"");
}
