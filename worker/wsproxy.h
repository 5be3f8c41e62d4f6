/* SPDX-License-Identifier: MIT */
/*
 * The ws_* events (PROTOCOL.md §5). This version proxies no WebSockets: it
 * says so at once and with a reason, so that Plugboard need not wait.
 */
#ifndef WORKER_WSPROXY_H
#define WORKER_WSPROXY_H

#include <stddef.h>
#include <stdint.h>

struct channel;

/* Answers a ws_check with ws_check_result, a ws_connect with ws_error. */
void wsproxy_check(struct channel *, uint8_t *payload, size_t len);
void wsproxy_connect(struct channel *, uint8_t *payload, size_t len);

#endif
