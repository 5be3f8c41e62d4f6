/* SPDX-License-Identifier: MIT */
/*
 * Endpoints that answer with content a test knows: patterns of any size
 * (see pattern.h) and three small files.
 */
#include "endpoints.h"
#include "query.h"
#include "reply.h"

/* "The quick brown fox jumps over the lazy dog.\n", eight times: gzip -9. */
static const uint8_t gzip_data[] = {
    0x1f,
    0x8b,
    0x08,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x02,
    0x03,
    0x0b,
    0xc9,
    0x48,
    0x55,
    0x28,
    0x2c,
    0xcd,
    0x4c,
    0xce,
    0x56,
    0x48,
    0x2a,
    0xca,
    0x2f,
    0xcf,
    0x53,
    0x48,
    0xcb,
    0xaf,
    0x50,
    0xc8,
    0x2a,
    0xcd,
    0x2d,
    0x28,
    0x56,
    0xc8,
    0x2f,
    0x4b,
    0x2d,
    0x52,
    0x28,
    0x01,
    0x4a,
    0xe7,
    0x24,
    0x56,
    0x55,
    0x2a,
    0xa4,
    0xe4,
    0xa7,
    0xeb,
    0x71,
    0x85,
    0x8c,
    0x2a,
    0x26,
    0x57,
    0x31,
    0x00,
    0x86,
    0x7e,
    0x7e,
    0xfb,
    0x68,
    0x01,
    0x00,
    0x00,
};

/* One green pixel. */
static const uint8_t png_data[] = {
    0x89,
    0x50,
    0x4e,
    0x47,
    0x0d,
    0x0a,
    0x1a,
    0x0a,
    0x00,
    0x00,
    0x00,
    0x0d,
    0x49,
    0x48,
    0x44,
    0x52,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x01,
    0x08,
    0x02,
    0x00,
    0x00,
    0x00,
    0x90,
    0x77,
    0x53,
    0xde,
    0x00,
    0x00,
    0x00,
    0x0c,
    0x49,
    0x44,
    0x41,
    0x54,
    0x78,
    0xda,
    0x63,
    0xd0,
    0xeb,
    0x0e,
    0x07,
    0x00,
    0x01,
    0xfb,
    0x01,
    0x11,
    0x4a,
    0xdb,
    0xc7,
    0x45,
    0x00,
    0x00,
    0x00,
    0x00,
    0x49,
    0x45,
    0x4e,
    0x44,
    0xae,
    0x42,
    0x60,
    0x82,
};

static void
stream(struct conn *conn, const char *type, pattern_fill *fill, uint64_t n)
{
	struct reply reply = {.status = 200, .type = type, .length = n};
	uint64_t chunked;

	if (query_number(conn->head.query, "chunked", 1, 0, &chunked) == -1) {
		reply_text(conn, 400, "chunked is 0 or 1\n");
		return;
	}
	if (chunked)
		reply.length = REPLY_CHUNKED;
	reply_head(conn, &reply);
	reply_stream(conn, fill, n);
}

void
content_bytes(struct conn *conn, uint64_t n)
{
	stream(conn, "text/plain", pattern_ascii, n);
}

void
content_utf8(struct conn *conn, uint64_t n)
{
	stream(conn, "text/plain; charset=utf-8", pattern_utf8, n);
}

void
content_binary(struct conn *conn, uint64_t n)
{
	stream(conn, "application/octet-stream", pattern_binary, n);
}

void
content_allbytes(struct conn *conn, uint64_t n)
{
	struct reply reply = {
	    .status = 200, .type = "application/octet-stream"};
	uint8_t all[256];

	(void)n;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	reply_bytes(conn, &reply, all, sizeof(all));
}

void
content_gzip(struct conn *conn, uint64_t n)
{
	struct reply reply = {.status = 200,
	    .type = "text/plain",
	    .fields = "content-encoding: gzip\r\n"};

	(void)n;
	reply_bytes(conn, &reply, gzip_data, sizeof(gzip_data));
}

void
content_png(struct conn *conn, uint64_t n)
{
	struct reply reply = {.status = 200, .type = "image/png"};

	(void)n;
	reply_bytes(conn, &reply, png_data, sizeof(png_data));
}
