/* SPDX-License-Identifier: MIT */
/*
 * The ws:// and wss:// URLs of RFC 6455 §3, taken apart. Pure.
 */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_MAX 254
#define URL_TARGET_MAX 2048

struct url {
	bool tls; /* wss */
	uint16_t port;
	char host[URL_HOST_MAX];    /* without brackets */
	char path[URL_TARGET_MAX];  /* "/" at least, still percent-encoded */
	char query[URL_TARGET_MAX]; /* without "?", "" when none */
};

/* NULL, or a static text that says what is wrong. User information and
 * fragments are refused. */
const char *url_parse(struct url *, const char *text);

/* A host name (RFC 1123, underscores tolerated), IPv4, or IPv6 literal. */
bool url_is_host(const char *text);

/* True for the addresses and names that stay on this machine. */
bool url_is_local(const char *host);

/* "host:port", with brackets for IPv6, port left out where it is the
 * scheme's: the value of a Host header. False when it does not fit. */
bool url_host_header(const struct url *, char *dst, size_t size);

#endif
