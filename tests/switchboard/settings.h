/* SPDX-License-Identifier: MIT */
/*
 * settings: what POST /admin/set can change while switchboard runs.  One
 * table in settings.c names each with its bounds and default.
 */
#ifndef SWITCHBOARD_SETTINGS_H
#define SWITCHBOARD_SETTINGS_H

#include <stdint.h>

#include "buf.h"

enum refresh_style {
	REFRESH_REPLY,
	REFRESH_PUSH,
	REFRESH_SILENT,
	REFRESH_ERROR,
	REFRESH_LOST /* made, and never told */
};
enum join_style {
	JOIN_OK,
	JOIN_MISMATCH,
	JOIN_UNMATCHED,
	JOIN_SILENT
};
/* HANDSHAKE_SILENT answers nothing; the others are in settings.c's words. */
enum handshake_style {
	HANDSHAKE_OK,
	HANDSHAKE_403,
	HANDSHAKE_404,
	HANDSHAKE_429,
	HANDSHAKE_500,
	HANDSHAKE_503,
	HANDSHAKE_SILENT
};

/* All are numbers: milliseconds, bytes, seconds, on/off or an enum above. */
struct settings {
	int64_t refresh_style, join, handshake, ack, swallow, record;
	int64_t retry_after; /* s; 0: no such header */
	int64_t token_ttl;   /* s, of refreshed tokens */
	int64_t request_timeout_ms, heartbeat_timeout_ms, idle_timeout_ms;
	int64_t ws_timeout_ms; /* for ws_check and ws_connect */
	int64_t ws_idle_ms;    /* of proxied clients */
	int64_t delay_ms;      /* of each message to telephones */
	int64_t max_message;   /* from telephones; 0: no limit */
	int64_t max_body;      /* of requests to /call/ */
	int64_t read_rate;     /* bytes/s from new telephones; 0: no limit */
	int64_t ws_max_frame;  /* messages of proxied clients */
	int64_t fragment;      /* bytes a fragment; 0: whole */
	int64_t fragment_ping; /* a ping between fragments */
};

void settings_init(struct settings *);

/* Set one by name; -1 for an unknown name or a value not allowed. */
int settings_set(struct settings *, const char *name, const char *value);

/* All of them as a JSON object, appended. */
void settings_put(const struct settings *, struct buf *);

/* The HTTP status of a handshake setting, 0 for ok and silent. */
int settings_handshake_status(const struct settings *);

#endif
