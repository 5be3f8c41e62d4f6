/* SPDX-License-Identifier: MIT */
/*
 * BACKEND_URL: where the application is, in one word: http://host[:port],
 * https://host[:port] or unix:/path/of/socket. Nothing may stand behind it:
 * each request brings its own path. Pure.
 */
#ifndef COMMON_BACKEND_URL_H
#define COMMON_BACKEND_URL_H

#include <stdint.h>

#define BACKEND_URL_HOST_MAX 254
/* What fits into struct sockaddr_un, with its NUL (unix(7)). */
#define BACKEND_URL_PATH_MAX 108

struct backend_url {
	const char *scheme;		 /* "http" or "https" */
	char host[BACKEND_URL_HOST_MAX]; /* without brackets */
	uint16_t port;
	char path[BACKEND_URL_PATH_MAX]; /* of a socket, or "" */
};

/* NULL, or what is wrong. For a socket: http, localhost and 80, which is what
 * Host and X-Forwarded-* then say. */
const char *backend_url_parse(struct backend_url *, const char *text);

#endif
