/* SPDX-License-Identifier: MIT */
/* Two checks of a request's head. */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "head_rules.h"
#include "unsupported.h"

static bool
is_websocket(const struct head *h)
{
	const struct head_field *f = head_find(h, "upgrade");

	return f != NULL && head_list_has(f->value, "websocket");
}

/* "application/grpc", "application/grpc+proto"; but application/grpc-web was
 * made for such wires: it carries its trailers in the body. */
static bool
is_grpc(const struct head *h)
{
	static const char type[] = "application/grpc";
	const struct head_field *f = head_find(h, "content-type");

	return f != NULL &&
	    strncasecmp(f->value, type, sizeof(type) - 1) == 0 &&
	    strchr("+; \t", f->value[sizeof(type) - 1]) != NULL;
}

const char *
unsupported_request(const struct head *h)
{
	if (is_websocket(h))
		return "a WebSocket cannot be opened within a plain request";
	if (is_grpc(h))
		return "gRPC cannot be carried: its outcome travels in "
		       "trailers, for which plugboard has no place";
	return NULL;
}
