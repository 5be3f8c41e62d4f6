/* SPDX-License-Identifier: MIT */
/* A configuration on its way to a child: one key a frame, judged anew there. */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "conf_value.h"
#include "pack.h"
#include "proto.h"

int
conf_put(uint8_t *space, const struct conf *c, enum conf_id id, unsigned to)
{
	struct pack p;

	if ((conf_keys[id].to & to) == 0 || c->value[id].text == NULL)
		return 0;
	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u8(&p, (uint8_t)id);
	pack_str(&p, c->value[id].text);
	return pack_ok(&p) ? (int)p.len : -1;
}

int
conf_get(const struct ipc_frame *frame, struct conf *c, unsigned self)
{
	char text[4096];
	struct unpack u;
	unsigned id;

	unpack_init(&u, frame->payload, frame->len);
	id = unpack_u8(&u);
	unpack_str(&u, text, sizeof(text));
	if (!unpack_done(&u) || id >= CONF_KEYS ||
	    (conf_keys[id].to & self) == 0 ||
	    conf_keys[id].type == CONF_TYPE_SECRET)
		return -1;
	return conf_set(c, (enum conf_id)id, text, CONF_FILE, "supervisor");
}
