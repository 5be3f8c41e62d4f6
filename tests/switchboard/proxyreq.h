/* SPDX-License-Identifier: MIT */
/*
 * proxyreq: turns a request to /call/<path_id>/… into the payloads that
 * Plugboard would push (PROTOCOL 3 and 5).  Pure.
 */
#ifndef SWITCHBOARD_PROXYREQ_H
#define SWITCHBOARD_PROXYREQ_H

#include <stdbool.h>

#include "buf.h"
#include "request.h"

enum proxyreq_result {
	PROXYREQ_OK,
	PROXYREQ_BAD_PATH,
	PROXYREQ_NOT_UTF8
};

/*
 * The path_id, decoded, for the caller to free, and the raw rest of the path
 * behind it (within the request).  NULL when the path is not below /call/.
 */
char *proxyreq_mount(const struct request *, const char **rest);

/*
 * Append a proxy_req payload: segments percent-decoded as Phoenix does, //
 * collapsed, trailing slash kept.  swallow: Plug's parsers eat JSON, form and
 * multipart bodies.  On an error the buffer holds a part.
 */
enum proxyreq_result proxyreq_put(struct buf *, const char *id,
    const struct request *, const char *rest, bool swallow);

/* Append a ws_check or ws_connect payload; id_name names its id. */
enum proxyreq_result proxyreq_put_ws(struct buf *, const char *id_name,
    const char *id, const struct request *, const char *rest);

#endif
