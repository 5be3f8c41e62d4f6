/* SPDX-License-Identifier: MIT */
/*
 * call: plain HTTP requests to /call/<path_id>/… from their arrival to the
 * telephone's proxy_res, a failure or the time-out.
 */
#ifndef SWITCHBOARD_CALL_H
#define SWITCHBOARD_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"
#include "json.h"
#include "phx.h"

/* Serve a request; it will be answered. */
void call_start(struct http *);

/* proxy_res arrived; -1 when a field is missing. */
int call_answer(struct phx *, struct json payload);

/* The phx answers no more: 502 for all its calls, or wait (detached). */
void call_lost(struct phx *, bool detached);

size_t call_count(void);
void call_free_all(void);

#endif
