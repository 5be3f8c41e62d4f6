/* SPDX-License-Identifier: MIT */
/* Endpoints that misbehave on purpose. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "endpoints.h"
#include "query.h"
#include "reply.h"

#define HALF 500

static void
send_half(struct conn *conn, uint64_t length)
{
	struct reply reply = {
	    .status = 200, .type = "text/plain", .length = length};
	uint8_t half[HALF];

	pattern_ascii(half, sizeof(half), 0, sizeof(half));
	reply_head(conn, &reply);
	reply_data(conn, half, sizeof(half));
	reply_cut(conn);
}

void
fault_close(struct conn *conn, uint64_t n)
{
	(void)n;
	send_half(conn, 2 * HALF);
}

void
fault_closechunked(struct conn *conn, uint64_t n)
{
	(void)n;
	send_half(conn, REPLY_CHUNKED);
}

void
fault_reset(struct conn *conn, uint64_t n)
{
	(void)n;
	reply_reset(conn);
}

void
fault_raw(struct conn *conn, uint64_t n)
{
	static char hex[HEAD_MAX];
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	ssize_t len = query_get(conn->head.query, "hex", hex, sizeof(hex));

	(void)n;
	for (ssize_t i = 0; i < len; i++)
		if (query_hex(hex[i]) < 0)
			len = -2;
	if (len < 0 || len % 2 != 0) {
		reply_text(conn, 400, "hex=BYTES, two digits each\n");
		return;
	}
	for (ssize_t i = 0; i < len; i += 2) {
		uint8_t byte =
		    (uint8_t)(query_hex(hex[i]) << 4 | query_hex(hex[i + 1]));

		evbuffer_add(out, &byte, 1);
	}
	reply_cut(conn);
}
