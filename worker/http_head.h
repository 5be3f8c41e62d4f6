/* SPDX-License-Identifier: MIT */
/*
 * The head of a request to the health listener (RFC 9112), from anybody who
 * reaches it: GET and HEAD of a short target, and nothing else. Pure.
 */
#ifndef WORKER_HTTP_HEAD_H
#define WORKER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 4096
#define HTTP_PATH_MAX 256
#define HTTP_HOST_MAX 256

struct http_head {
	bool is_head;
	char path[HTTP_PATH_MAX];  /* begins with / */
	char query[HTTP_PATH_MAX]; /* behind the ?, "" without one */
	bool has_host;
	char host[HTTP_HOST_MAX]; /* as it stands in Host */
};

/*
 * 0: there is more to come. 200: *out holds the request. Anything else is the
 * status to refuse it with: 400 for what is no HTTP/1, or has two Hosts or
 * none that could be one (RFC 9112 §3.2), 405 for other methods, 413 for one
 * with a body, 414 for a long target, 431 for a long head, 505.
 */
int http_head_parse(const uint8_t *data, size_t len, struct http_head *out);

/* Whether its Host is a name or an address of this machine's own loopback, with
 * or without a port: a page from elsewhere whose name was bound to our address
 * (DNS rebinding) comes with its own name there. */
bool http_head_is_local(const struct http_head *);

#endif
