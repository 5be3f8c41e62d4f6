/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "util.h"
#include "wsproxy.h"

void
wsproxy_configure(struct wsproxy_params *p, const struct conf *conf)
{
	const char *backend = conf_text(conf, CONF_BACKEND_URL);
	struct url url = {
	    .tls = strcmp(conf_text(conf, CONF_BACKEND_SCHEME), "https") == 0,
	    .port = (uint16_t)conf_num(conf, CONF_BACKEND_PORT),
	};

	if (!url.tls)
		p->tls = NULL;
	p->host = conf_text(conf, CONF_BACKEND_HOST);
	p->port = url.port;
	p->unix_path = strncasecmp(backend, "unix:", 5) == 0 ? backend + 5 : "";
	(void)util_strlcpy(url.host, p->host, sizeof(url.host));
	(void)url_host_header(&url, p->host_header, sizeof(p->host_header));
	p->sessions_max = (unsigned)conf_num(conf, CONF_WS_MAX_SESSIONS);
	p->message_max = (size_t)conf_num(conf, CONF_WS_MAX_MESSAGE);
	p->queue_max = (size_t)conf_num(conf, CONF_WS_QUEUE_SIZE);
	p->connect_timeout_ms = conf_num(conf, CONF_WS_CONNECT_TIMEOUT);
	p->idle_timeout_ms = conf_num(conf, CONF_WS_IDLE_TIMEOUT);
}
