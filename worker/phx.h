/* SPDX-License-Identifier: MIT */
/*
 * Phoenix Channels, serializer V2: [join_ref, ref, topic, event, payload] as
 * JSON text (protocol.md §2). Parses where the bytes stand. Pure.
 */
#ifndef WORKER_PHX_H
#define WORKER_PHX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"

struct phx_msg {
	struct json_str join_ref, ref; /* data NULL: null */
	struct json_str topic, event;
	struct json_str payload; /* raw JSON text of an object */
};

/* NULL, or a static text that says what is wrong. The strings are unescaped
 * in place, the payload is left as it is. */
const char *phx_parse(struct phx_msg *, uint8_t *data, size_t len);

bool phx_is(struct json_str, const char *text);

struct phx_reply {
	bool ok;
	struct json_str response; /* a raw object, data NULL: none such */
};

/* The payload of a phx_reply. False: it has no status. */
bool phx_parse_reply(struct phx_reply *, struct json_str payload);

/*
 * Members of a raw object. A string is copied, unescaped and terminated, and
 * must neither be longer (escaped) than size - 1 nor hold a NUL. False: there
 * is none such (dst is then "").
 */
bool
phx_get_str(struct json_str object, const char *name, char *dst, size_t size);
bool phx_get_int(struct json_str object, const char *name, int64_t *);

/* What a message of ours carries in front of its payload; valid UTF-8. */
struct phx_names {
	const char *join_ref, *ref, *topic, *event;
};

/* Appends `["join_ref","ref","topic","event",`. 0, or -1. */
int phx_put_head(struct buf *, const struct phx_names *);

/* A whole message around a payload of JSON text. 0, or -1. */
int phx_put_msg(struct buf *, const struct phx_names *, const char *payload);

#endif
