/* SPDX-License-Identifier: MIT */
/* Endpoints whose point is the status or the header fields. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoints.h"
#include "query.h"
#include "reply.h"

/*
 * A 1xx is interim: a 200 follows, else the client would wait forever.
 * Except 101, which ends HTTP on the connection, and so the connection.
 */
void
fields_status(struct conn *conn, uint64_t n)
{
	struct reply bare = {.status = (int)n};

	if (n == 101) {
		bare.fields = "upgrade: nothing\r\nconnection: upgrade\r\n";
		reply_head(conn, &bare);
		reply_cut(conn);
	} else if (n / 100 == 1) {
		reply_interim(conn, (int)n);
		reply_text(conn, 200, "after status %d\n", (int)n);
	} else if (n == 204 || n == 304) {
		reply_head(conn, &bare);
		reply_end(conn);
	} else
		reply_text(conn, (int)n, "status %d\n", (int)n);
}

void
fields_redirect(struct conn *conn, uint64_t n)
{
	static char to[HEAD_MAX];
	struct reply reply = {.type = "text/plain"};
	ssize_t len = query_get(conn->head.query, "to", to, sizeof(to));
	uint64_t code;
	char *fields;

	(void)n;
	if (query_number(conn->head.query, "code", 399, 302, &code) == -1 ||
	    code < 300 || len == -2) {
		reply_text(conn, 400, "to=URL or code=300 to 399\n");
		return;
	}
	for (ssize_t i = 0; i < len; i++)
		if ((unsigned char)to[i] < ' ' || to[i] == 0x7f) {
			reply_text(conn, 400, "a control in the URL\n");
			return;
		}
	if (asprintf(&fields, "location: %s\r\n",
		len == -1 ? "/headers" : to) == -1) {
		reply_text(conn, 500, "out of memory\n");
		return;
	}
	reply.status = (int)code;
	reply.fields = fields;
	reply_bytes(conn, &reply, "elsewhere\n", 10);
	free(fields);
}

/* A text that says what it is, under these fields. */
static void
with_fields(struct conn *conn, const char *fields, const char *text)
{
	struct reply reply = {
	    .status = 200, .type = "text/plain", .fields = fields};

	reply.length = strlen(text);
	reply_head(conn, &reply);
	reply_data(conn, text, strlen(text));
	reply_end(conn);
}

void
fields_cookies(struct conn *conn, uint64_t n)
{
	(void)n;
	with_fields(conn,
	    "set-cookie: a=1; Path=/; HttpOnly\r\n"
	    "set-cookie: b=2; Expires=Wed, 21 Oct 2037 07:28:00 GMT\r\n",
	    "two cookies\n");
}

void
fields_dup(struct conn *conn, uint64_t n)
{
	(void)n;
	with_fields(conn, "x-dup: one\r\nx-dup: two\r\n", "x-dup twice\n");
}

/* "café £5" in ISO-8859-1, not valid as UTF-8. */
void
fields_latin1(struct conn *conn, uint64_t n)
{
	(void)n;
	with_fields(conn,
	    "x-latin1: caf\xe9 \xa3"
	    "5\r\n",
	    "x-latin1 is ISO-8859-1\n");
}

void
fields_hop(struct conn *conn, uint64_t n)
{
	static const char text[] = "x-public is the only field to pass on\n";
	struct reply reply = {.status = 200,
	    .type = "text/plain",
	    .fields = "connection: close, x-private\r\n"
		      "x-private: 1\r\nkeep-alive: timeout=5\r\n"
		      "proxy-authenticate: Basic realm=\"demo\"\r\n"
		      "x-public: 1\r\n",
	    .length = sizeof(text) - 1};

	(void)n;
	reply_head(conn, &reply);
	reply_data(conn, text, sizeof(text) - 1);
	reply_cut(conn);
}
