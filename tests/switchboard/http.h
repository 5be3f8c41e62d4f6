/* SPDX-License-Identifier: MIT */
/*
 * http: the server side of HTTP/1.1 connections.  It reads one request at a
 * time, hands it to the service and waits for http_reply or http_send; what
 * is pipelined behind stays unread until then.  One request's life:
 * on_request, then exactly one of http_reply, http_send, http_take and
 * http_hold, or the client goes away first and the `gone` callback runs.
 */
#ifndef SWITCHBOARD_HTTP_H
#define SWITCHBOARD_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "request.h"

struct bufferevent;
struct http;

struct http_service {
	/* A complete request; it stays valid until it is answered. */
	void (*on_request)(struct http *);
	/* The largest body for this head. */
	size_t (*body_max)(const struct request *);
};

/* Serve this connection; it owns itself from here on. */
void http_start(struct bufferevent *, const struct http_service *);

/* The request that waits for its answer.  May be changed by nobody. */
const struct request *http_request(const struct http *);

/* Who to tell, once, when the client goes away before its answer. */
void http_on_gone(struct http *, void (*)(void *), void *);

/* Answer with this body; extra is NULL or whole header lines with CRLF. */
void http_reply(
    struct http *, int status, const char *extra, const struct buf *body);
/* The same with a short text. */
void http_reply_text(struct http *, int status, const char *text);

/* Answer with finished bytes of head and body; close afterwards if asked. */
void http_send(struct http *, const struct buf *, bool close);

/* Give the connection away (an upgrade); the http is gone. */
struct bufferevent *http_take(struct http *);

/* Never answer; only the client's leaving ends it. */
void http_hold(struct http *);

void http_free_all(void);

#endif
