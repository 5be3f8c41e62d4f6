/* SPDX-License-Identifier: MIT */
/*
 * dispatch: who serves what: HTTP requests by path, channel events by name.
 */
#ifndef SWITCHBOARD_DISPATCH_H
#define SWITCHBOARD_DISPATCH_H

#include "channel.h"
#include "http.h"

extern const struct http_service dispatch_service;
extern const struct channel_hooks dispatch_hooks;

#endif
