/* SPDX-License-Identifier: MIT */
/* Endpoints that show a request as it arrived here. */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

#include "endpoints.h"
#include "reply.h"

/*
 * The content-type goes back byte for byte, so it is written as one of the
 * extra fields: it may be as long as a head.
 */
void
mirror_echo(struct conn *conn, uint64_t n)
{
	const struct head *h = &conn->head;
	struct reply reply = {.status = 200};
	struct span type;
	char *fields;

	(void)n;
	if (!head_field(h, "content-type", 0, &type))
		type = (struct span){"application/octet-stream", 24};
	if (asprintf(&fields, "content-type: %.*s\r\nx-echo-method: %.*s\r\n",
		(int)type.len, type.p, (int)h->method.len, h->method.p) == -1) {
		reply_text(conn, 500, "out of memory\n");
		return;
	}
	reply.fields = fields;
	reply.length = evbuffer_get_length(conn->content);
	reply_head(conn, &reply);
	free(fields);
	reply_content(conn);
}

static void
show(struct conn *conn, struct span span)
{
	struct reply reply = {.status = 200, .type = "text/plain"};

	reply_bytes(conn, &reply, span.p, span.len);
}

void
mirror_headers(struct conn *conn, uint64_t n)
{
	(void)n;
	show(conn, conn->head.raw);
}

void
mirror_target(struct conn *conn, uint64_t n)
{
	(void)n;
	show(conn, conn->head.target);
}
