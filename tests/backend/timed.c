/* SPDX-License-Identifier: MIT */
/*
 * Endpoints that take their time.  A client that ends its side meanwhile
 * ends the request (see conn.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "endpoints.h"
#include "query.h"
#include "reply.h"

#define SLOW_MS 50
#define SSE_MS 100
#define SSE_EVENTS 5
#define SSE_MAX 1000000

static bool
step_delay(struct conn *conn, uint64_t i)
{
	(void)i;
	reply_text(conn, 200, "slept %" PRIu64 " ms\n", conn->number);
	return false;
}

void
timed_delay(struct conn *conn, uint64_t n)
{
	reply_after(conn, (int64_t)n, step_delay);
}

/* Byte i of the pattern of /bytes. */
static bool
step_slow(struct conn *conn, uint64_t i)
{
	uint8_t byte;

	if (i < conn->number) {
		pattern_ascii(&byte, 1, i, conn->number);
		reply_data(conn, &byte, 1);
	}
	if (i + 1 < conn->number)
		return true;
	reply_end(conn);
	return false;
}

void
timed_slow(struct conn *conn, uint64_t n)
{
	struct reply reply = {.status = 200, .type = "text/plain", .length = n};

	reply_head(conn, &reply);
	reply_every(conn, SLOW_MS, step_slow);
}

static bool
step_sse(struct conn *conn, uint64_t i)
{
	char event[96];
	uint64_t n;

	snprintf(event, sizeof(event),
	    "id: %" PRIu64 "\nevent: tick\ndata: event %" PRIu64 "\n\n", i, i);
	reply_data(conn, event, strlen(event));
	/* checked by timed_sse */
	query_number(conn->head.query, "n", SSE_MAX, SSE_EVENTS, &n);
	if (n == 0 || i + 1 < n)
		return true;
	reply_end(conn);
	return false;
}

void
timed_sse(struct conn *conn, uint64_t n)
{
	struct reply reply = {.status = 200,
	    .type = "text/event-stream",
	    .fields = "cache-control: no-store\r\n",
	    .length = REPLY_CHUNKED};

	if (query_number(conn->head.query, "n", SSE_MAX, SSE_EVENTS, &n) ==
	    -1) {
		reply_text(conn, 400, "n is 0 to %d\n", SSE_MAX);
		return;
	}
	reply_head(conn, &reply);
	reply_every(conn, SSE_MS, step_sse);
}

void
timed_hang(struct conn *conn, uint64_t n)
{
	(void)conn;
	(void)n;
}
