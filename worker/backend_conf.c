/* SPDX-License-Identifier: MIT */
/* The keys that the backend knows. */
#include <strings.h>

#include "backend.h"
#include "conf.h"

void
backend_configure(struct backend_params *p, const struct conf *conf)
{
	const char *url = conf_text(conf, CONF_BACKEND_URL);

	/* Scheme, host and port of a BACKEND_URL stand in their own keys. */
	p->scheme = conf_text(conf, CONF_BACKEND_SCHEME);
	p->host = conf_text(conf, CONF_BACKEND_HOST);
	p->port = (uint16_t)conf_num(conf, CONF_BACKEND_PORT);
	p->unix_path = strncasecmp(url, "unix:", 5) == 0 ? url + 5 : "";
	p->connect_timeout_ms = conf_num(conf, CONF_BACKEND_CONNECT_TIMEOUT);
	if (p->connect_timeout_ms == 0)
		p->connect_timeout_ms = conf_num(conf, CONF_CONNECT_TIMEOUT);
	p->first_byte_timeout_ms =
	    conf_num(conf, CONF_BACKEND_FIRST_BYTE_TIMEOUT);
	p->idle_timeout_ms = conf_num(conf, CONF_BACKEND_IDLE_TIMEOUT);
	p->connections_max =
	    (unsigned)conf_num(conf, CONF_BACKEND_CONNECTIONS_MAX);
	p->idle_max = (unsigned)conf_num(conf, CONF_BACKEND_CONNECTIONS_IDLE);
}
