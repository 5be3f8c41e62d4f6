/* SPDX-License-Identifier: MIT */
/* The events that Plugboard pushes, and who answers each (protocol.md §2). */
#ifndef WORKER_EVENTS_H
#define WORKER_EVENTS_H

#include <stddef.h>

struct proxy;
struct tunnels_event;
struct wsproxy;

/* The argument of all of them. */
struct events {
	struct proxy *proxy;
	struct wsproxy *wsproxy;
};

const struct tunnels_event *events_table(size_t *count);

#endif
