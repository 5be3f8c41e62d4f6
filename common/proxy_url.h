/* SPDX-License-Identifier: MIT */
/*
 * The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as curl(1) has them.
 * They may hold a password: nothing here gives one back in a text. Pure.
 */
#ifndef COMMON_PROXY_URL_H
#define COMMON_PROXY_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "url.h"

#define PROXY_URL_USER_MAX 512

struct proxy_url {
	char host[URL_HOST_MAX]; /* without brackets */
	uint16_t port;
	char user[PROXY_URL_USER_MAX]; /* "user:password", percent-decoded;
					  "" when there is none */
};

/* [http://][user[:password]@]host[:port][/], port 80 when there is none.
 * NULL, or a static text that says what is wrong. */
const char *proxy_url_parse(struct proxy_url *, const char *text);

/*
 * True when no_proxy has host in it: "*" alone; names, which stand for
 * themselves and all below them, with or without a dot in front; addresses;
 * blocks of addresses (CIDR). Commas or blanks between them. What is none of
 * these is passed over.
 */
bool proxy_url_is_exempt(const char *no_proxy, const char *host);

#endif
