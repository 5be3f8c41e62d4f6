/* SPDX-License-Identifier: MIT */
/* The keys that proxied requests know. */
#include "conf.h"
#include "proxy.h"

void
proxy_configure(struct proxy_params *p, const struct conf *conf)
{
	p->conf = conf;
	p->buffer_max = (size_t)conf_num(conf, CONF_RESPONSE_BUFFER);
	p->chunk_max = (size_t)conf_num(conf, CONF_CHUNK_SIZE);
	p->binary_max = (size_t)conf_num(conf, CONF_BINARY_BODY_MAX);
	p->binary_refuse = conf_num(conf, CONF_BINARY_BODIES) != 0;
	p->event_stream_refuse = conf_num(conf, CONF_EVENT_STREAM) != 0;
	p->accept_encoding = conf_text(conf, CONF_ACCEPT_ENCODING);
	p->send_max_ms = conf_num(conf, CONF_MAX_SEND_TIME);
}
