/* SPDX-License-Identifier: MIT */
/*
 * wscall: WebSocket clients on /call/<path_id>/…: ws_check, upgrade,
 * ws_connect, frames both ways, closings (PROTOCOL 5).
 */
#ifndef SWITCHBOARD_WSCALL_H
#define SWITCHBOARD_WSCALL_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"
#include "json.h"
#include "phx.h"

/* Serve an upgrade request; it will be answered. */
void wscall_start(struct http *);

/* Events of the telephone; -1 when a field is missing. */
int wscall_check_result(struct phx *, struct json payload);
int wscall_connected(struct phx *, struct json payload);
int wscall_frame(struct phx *, struct json payload);
int wscall_closed(struct phx *, struct json payload);
int wscall_error(struct phx *, struct json payload);

/* The phx is lost: end all its clients. */
void wscall_lost(struct phx *);

size_t wscall_count(void);
void wscall_free_all(void);

#endif
