/* SPDX-License-Identifier: MIT */
#ifndef WS_H
#define WS_H

#include <stdbool.h>

struct conn;
struct evbuffer;
struct ws;

/*
 * A connection after its upgrade to WebSocket (RFC 6455): whole messages
 * are echoed, pings answered, closes echoed.  The endpoints that upgrade
 * are in endpoints.h.
 */

#define WS_MESSAGE_MAX ((size_t)16 << 20)

/* Takes a frame, or a part, from in; false when more input is needed. */
bool ws_read(struct conn *conn, struct evbuffer *in);

void ws_free(struct ws *ws);

#endif
