/* SPDX-License-Identifier: MIT */
/*
 * The server's last word, when nobody read it. One that does not take what is
 * being sent says so with a close frame and is gone, the rest unread, so that
 * its kernel sends a reset behind it: then libwebsockets' next write fails, and
 * it closes without a look at what came.
 */
#include <sys/socket.h>

#include "plugboard_parts.h"
#include "tls.h"
#include "ws_frame.h"

#define REST_MAX (256 * 1024) /* a few requests may stand before it */

static ssize_t
read_rest(struct plugboard *pb, void *out, size_t len)
{
	struct lws *wsi = pb->link->wsi;

	if (pb->params.url.tls)
		return tls_read_rest(lws_get_ssl(wsi), out, len);
	return recv(lws_get_socket_fd(wsi), out, len, MSG_DONTWAIT);
}

/* Of the frame that libwebsockets was in the middle of. */
static void
skip(const uint8_t **data, size_t *len, size_t *left)
{
	size_t n = *left < *len ? *left : *len;

	*data += n;
	*len -= n;
	*left -= n;
}

/* The code of a close frame in there, 0: none, go on, -1: no WebSocket. */
static int
find_close(struct ws_reader *r, const uint8_t *data, size_t len)
{
	for (;;) {
		switch (ws_reader_take(r, &data, &len)) {
		case WS_READ_MORE:
			return 0;
		case WS_READ_FAULT:
			return -1;
		case WS_READ_CONTROL:
			if (r->opcode == WS_CLOSE)
				return ws_close_code(r->data, r->len);
			break;
		case WS_READ_MESSAGE:
			break;
		}
	}
}

uint16_t
plugboard_last_code(struct plugboard *pb)
{
	size_t left = lws_remaining_packet_payload(pb->link->wsi), len, all;
	uint8_t space[16 * 1024];
	const uint8_t *data;
	struct ws_reader r;
	int code = 0;
	ssize_t n;

	ws_reader_init(&r, REST_MAX);
	for (all = 0; all < REST_MAX && code == 0; all += (size_t)n) {
		n = read_rest(pb, space, sizeof(space));
		if (n <= 0)
			break;
		data = space;
		len = (size_t)n;
		skip(&data, &len, &left);
		code = find_close(&r, data, len);
	}
	ws_reader_clear(&r);
	return code > 0 ? (uint16_t)code : 0;
}
