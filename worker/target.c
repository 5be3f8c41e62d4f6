/* SPDX-License-Identifier: MIT */
/* The text of target.h. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

static bool
is_unreserved(char c) /* RFC 3986 §2.3 */
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
}

char *
target_make(const struct url *url, const char *token)
{
	size_t size =
	    strlen(url->path) + strlen(url->query) + 3 * strlen(token) + 64;
	char *path = malloc(size), *p;

	if (path == NULL)
		return NULL;
	p = path +
	    snprintf(path, size, "%s?%s%stoken=", url->path, url->query,
		url->query[0] == '\0' ? "" : "&");
	for (; *token != '\0'; token++) {
		if (is_unreserved(*token))
			*p++ = *token;
		else
			p += snprintf(p, 4, "%%%02X", (unsigned char)*token);
	}
	memcpy(p, "&vsn=2.0.0", sizeof("&vsn=2.0.0"));
	return path;
}
