/* SPDX-License-Identifier: MIT */
/*
 * Requests that a proxy_req cannot carry: their answer would need what the
 * wire does not have (protocol.md §4). Pure.
 */
#ifndef WORKER_UNSUPPORTED_H
#define WORKER_UNSUPPORTED_H

#include "head.h"

/*
 * NULL, or a static text for a 501: an Upgrade to websocket (RFC 6455 §4.1),
 * which travels as ws_connect, and gRPC, whose outcome stands in trailers.
 * Any other Upgrade may be ignored (RFC 9110 §7.8). The head still has its
 * hop-by-hop fields.
 */
const char *unsupported_request(const struct head *);

#endif
