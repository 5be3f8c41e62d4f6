/* SPDX-License-Identifier: MIT */
/*
 * The table of endpoints.  Adding one is adding a line here and a function
 * in the file it belongs to; the page at / is made from the table.
 */
#include <event2/buffer.h>
#include <string.h>

#include "endpoints.h"
#include "query.h"
#include "reply.h"
#include "route.h"

#define BYTES_MAX ((uint64_t)1 << 40)

static void answer_index(struct conn *conn, uint64_t n);

static const struct route routes[] = {
    {"/", 0, 0, answer_index, "this page"},
    {"/bytes/", ROUTE_NUMBER, BYTES_MAX, content_bytes,
	"N bytes of text, a pattern of 61 bytes; ?chunked=1"},
    {"/utf8/", ROUTE_NUMBER, BYTES_MAX, content_utf8,
	"N bytes of UTF-8, characters of 1 to 4 bytes"},
    {"/binary/", ROUTE_NUMBER, BYTES_MAX, content_binary,
	"N bytes, byte i is (i*7 + i/256 + i/65536) &amp; 255"},
    {"/allbytes", 0, 0, content_allbytes, "the bytes 0 to 255"},
    {"/gzip", 0, 0, content_gzip, "a gzip-coded text"},
    {"/png", 0, 0, content_png, "an image of one pixel"},
    {"/echo", ROUTE_CONTENT, 0, mirror_echo,
	"the request's body and content-type"},
    {"/headers", 0, 0, mirror_headers, "the request's head, byte for byte"},
    {"/target", 0, 0, mirror_target, "the request's target"},
    {"/status/", ROUTE_NUMBER, 999, fields_status,
	"this status; 1xx: interim, and then 200"},
    {"/redirect", 0, 0, fields_redirect,
	"302 to /headers; ?to=URL and ?code=301"},
    {"/cookies", 0, 0, fields_cookies, "two set-cookie fields"},
    {"/dup", 0, 0, fields_dup, "a response field twice"},
    {"/latin1", 0, 0, fields_latin1, "a field in ISO-8859-1"},
    {"/hop", 0, 0, fields_hop, "hop-by-hop fields"},
    {"/delay/", ROUTE_NUMBER, 3600000, timed_delay, "answers after so many ms"},
    {"/slow/", ROUTE_NUMBER, 1000000, timed_slow, "N bytes, one each 50 ms"},
    {"/sse", 0, 0, timed_sse,
	"5 events, one each 100 ms; ?n=COUNT, ?n=0: endless"},
    {"/hang", 0, 0, timed_hang, "never answers"},
    {"/close", 0, 0, fault_close, "500 of 1000 bytes"},
    {"/closechunked", 0, 0, fault_closechunked,
	"chunked, without its last chunk"},
    {"/reset", 0, 0, fault_reset, "a TCP reset, no answer"},
    {"/raw", 0, 0, fault_raw, "?hex=BYTES, the whole answer"},
    {"/count", 0, 0, tally_count,
	"requests so far; ?key=K: calls with this key"},
    {"/fail/", ROUTE_NUMBER, 1000000, tally_fail,
	"503 N times for ?key=K, then 200"},
    {"/inflight", ROUTE_UNCOUNTED, 0, tally_inflight,
	"open requests, as JSON; ?reset=1 forgets the maximum"},
    {"/ws", 0, 0, ws_echo, "WebSocket echo"},
    {"/ws/close", 0, 0, ws_close,
	"WebSocket, closed at once; ?code=4000&amp;reason=bye, ?cut=1"},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

const struct route *
route_find(struct span path, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < ROUTES; i++) {
		const struct route *r = &routes[i];
		size_t len = strlen(r->path);

		if (path.len < len || memcmp(path.p, r->path, len) != 0)
			continue;
		if ((r->flags & ROUTE_NUMBER) == 0) {
			if (path.len == len)
				return r;
			continue;
		}
		if (query_digits(
			path.p + len, path.len - len, r->max, number) == 0)
			return r;
	}
	return NULL;
}

static void
answer_index(struct conn *conn, uint64_t n)
{
	struct reply reply = {
	    .status = 200, .type = "text/html; charset=utf-8"};
	struct evbuffer *page = evbuffer_new();

	(void)n;
	if (page == NULL) {
		reply_text(conn, 500, "out of memory\n");
		return;
	}
	evbuffer_add_printf(page,
	    "<!doctype html>\n<title>demo-backend"
	    "</title>\n<h1>It works</h1>\n<p>This is demo-backend, an "
	    "application to try a reverse proxy with.\n<dl>\n");
	for (size_t i = 0; i < ROUTES; i++)
		evbuffer_add_printf(page, "<dt><code>%s%s</code><dd>%s\n",
		    routes[i].path, routes[i].flags & ROUTE_NUMBER ? "N" : "",
		    routes[i].help);
	evbuffer_add_printf(page, "</dl>\n");
	reply_bytes(
	    conn, &reply, evbuffer_pullup(page, -1), evbuffer_get_length(page));
	evbuffer_free(page);
}
