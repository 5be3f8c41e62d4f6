/* SPDX-License-Identifier: MIT */
/*
 * The payloads of the ws_* events that Plugboard sends (protocol.md §5), taken
 * apart where they stand. Pure.
 */
#ifndef WORKER_WS_EVENT_H
#define WORKER_WS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define WS_ID_MAX 128

/* Which one it is says what must be there. */
enum ws_event_type {
	WS_EVENT_CHECK,	  /* id, path, query, headers */
	WS_EVENT_CONNECT, /* the same */
	WS_EVENT_FRAME,	  /* id, opcode, data */
	WS_EVENT_CLOSE,	  /* id, code, reason */
	WS_EVENTS
};

struct ws_event {
	char id[WS_ID_MAX + 1]; /* printable ASCII; "": there is none */
	struct json_str path, query;
	struct json_str headers; /* raw JSON object */
	struct json_str opcode, data;
	int64_t code; /* 1005 when there is none */
	struct json_str reason;
};

/* NULL, or a static text that says what is wrong; the id is set all the same
 * when it could be read, so that an error has somewhere to go. Strings are
 * unescaped. */
const char *ws_event_parse(
    struct ws_event *, enum ws_event_type, uint8_t *payload, size_t len);

#endif
