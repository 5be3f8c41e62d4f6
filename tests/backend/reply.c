/* SPDX-License-Identifier: MIT */
/*
 * The writing half of a connection; see reply.h.  Output is bounded: a
 * stream is refilled only as the peer takes it, a timed answer skips a
 * beat when it does not.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "reply.h"

#define REFILL_MAX ((size_t)256 << 10)
#define PIECE_LEN ((size_t)64 << 10)
#define TEXT_MAX 512

static const struct {
	int status;
	const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {413, "Content Too Large"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *
reply_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Whatever";
}

static struct evbuffer *
output(struct conn *conn)
{
	return bufferevent_get_output(conn->bev);
}

void
reply_interim(struct conn *conn, int status)
{
	evbuffer_add_printf(output(conn), "HTTP/1.1 %03d %s\r\n\r\n", status,
	    reply_reason(status));
}

void
reply_head(struct conn *conn, const struct reply *reply)
{
	bool bare = reply->status / 100 == 1 || reply->status == 204 ||
	    reply->status == 304;
	struct evbuffer *out = output(conn);

	conn->status = reply->status;
	conn->close_after = reply->close || conn->head.close;
	conn->reply_bodiless = bare || conn->is_head;
	conn->reply_chunked = false;

	evbuffer_add_printf(out, "HTTP/1.1 %03d %s\r\n", reply->status,
	    reply_reason(reply->status));
	if (reply->type != NULL)
		evbuffer_add_printf(out, "content-type: %s\r\n", reply->type);
	if (reply->fields != NULL)
		evbuffer_add(out, reply->fields, strlen(reply->fields));
	if (reply->length != REPLY_CHUNKED && !bare)
		evbuffer_add_printf(
		    out, "content-length: %" PRIu64 "\r\n", reply->length);
	if (reply->length == REPLY_CHUNKED && conn->head.minor == 1) {
		evbuffer_add_printf(out, "transfer-encoding: chunked\r\n");
		conn->reply_chunked = true;
	}
	if (conn->close_after)
		evbuffer_add_printf(out, "connection: close\r\n");
	evbuffer_add(out, "\r\n", 2);
}

void
reply_data(struct conn *conn, const void *data, size_t len)
{
	struct evbuffer *out = output(conn);

	/* an empty chunk would be the last */
	if (conn->reply_bodiless || len == 0)
		return;
	if (conn->reply_chunked)
		evbuffer_add_printf(out, "%zx\r\n", len);
	evbuffer_add(out, data, len);
	if (conn->reply_chunked)
		evbuffer_add(out, "\r\n", 2);
}

void
reply_end(struct conn *conn)
{
	if (conn->reply_chunked && !conn->reply_bodiless)
		evbuffer_add(output(conn), "0\r\n\r\n", 5);
	conn_done(conn);
}

void
reply_cut(struct conn *conn)
{
	conn->close_after = true;
	conn_done(conn);
}

void
reply_reset(struct conn *conn)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(bufferevent_getfd(conn->bev), SOL_SOCKET, SO_LINGER, &linger,
	    sizeof(linger));
	conn->dead = true;
}

void
reply_bytes(
    struct conn *conn, const struct reply *reply, const void *data, size_t len)
{
	struct reply sized = *reply;

	sized.length = len;
	reply_head(conn, &sized);
	reply_data(conn, data, len);
	reply_end(conn);
}

void
reply_text(struct conn *conn, int status, const char *fmt, ...)
{
	struct reply reply = {.status = status, .type = "text/plain"};
	char text[TEXT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		n = (int)strlen(text);
	reply_bytes(conn, &reply, text, (size_t)n);
}

void
reply_refuse(struct conn *conn, int status, const char *why)
{
	struct reply reply = {
	    .status = status, .type = "text/plain", .close = true};
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "%s\n", why);
	reply_bytes(conn, &reply, text, strlen(text));
}

/* Writes the next piece of a stream; false when there was none left. */
static bool
refill_piece(struct conn *conn)
{
	static uint8_t piece[PIECE_LEN];
	uint64_t left = conn->fill_total - conn->fill_off;
	size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);

	if (n == 0)
		return false;
	if (conn->fill_content)
		evbuffer_remove_buffer(conn->content, output(conn), n);
	else {
		conn->fill(piece, n, conn->fill_off, conn->fill_total);
		reply_data(conn, piece, n);
	}
	conn->fill_off += n;
	return true;
}

void
reply_refill(struct conn *conn)
{
	if (conn->fill == NULL && !conn->fill_content)
		return;
	while (evbuffer_get_length(output(conn)) < REFILL_MAX)
		if (!refill_piece(conn)) {
			reply_end(conn);
			return;
		}
}

void
reply_stream(struct conn *conn, pattern_fill *fill, uint64_t total)
{
	conn->fill = fill;
	conn->fill_off = 0;
	conn->fill_total = conn->reply_bodiless ? 0 : total;
	reply_refill(conn);
}

void
reply_content(struct conn *conn)
{
	conn->fill_content = true;
	conn->fill_off = 0;
	conn->fill_total =
	    conn->reply_bodiless ? 0 : evbuffer_get_length(conn->content);
	reply_refill(conn);
}

void
reply_after(struct conn *conn, int64_t ms, conn_step *step)
{
	conn->step = step;
	conn->step_count = 0;
	conn->step_ms = ms;
	conn_wait(conn, ms);
}

void
reply_every(struct conn *conn, int64_t ms, conn_step *step)
{
	if (conn->reply_bodiless) {
		reply_end(conn);
		return;
	}
	reply_after(conn, ms, step);
	reply_tick(conn);
}

void
reply_tick(struct conn *conn)
{
	int64_t ms = conn->step_ms;

	if (conn->step == NULL)
		return;
	/* a step that has ended the answer has also cleared conn->step */
	if (evbuffer_get_length(output(conn)) > CONN_OUT_MAX ||
	    conn->step(conn, conn->step_count++))
		conn_wait(conn, ms);
}
