/* SPDX-License-Identifier: MIT */
/* proxyreq: requests as Plugboard's JSON, faults of Phoenix included. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "json.h"
#include "proxyreq.h"
#include "text.h"

static const char mount[] = "/call/";

/* All that Plugboard passes on of a WebSocket handshake. */
static const char *const ws_headers[] = {"sec-websocket-protocol",
    "sec-websocket-extensions", "origin", "cookie", "authorization",
    "x-forwarded-for", "x-real-ip", "x-request-id", NULL};

char *
proxyreq_mount(const struct request *r, const char **rest)
{
	struct buf id = BUF_INIT;
	const char *p = r->path;
	size_t len;

	if (strncmp(p, mount, sizeof(mount) - 1) != 0)
		return NULL;
	p += sizeof(mount) - 1;
	len = strcspn(p, "/");
	if (len == 0 || text_percent_decode(p, len, false, &id) == -1 ||
	    memchr(id.data, 0, id.len) != NULL) {
		buf_clear(&id);
		return NULL;
	}
	*rest = p + len;
	return buf_str(&id);
}

/* /a//b%2Fc/ becomes /a/b/c/ */
static int
decode_path(const char *p, struct buf *out)
{
	bool slash = *p != '\0' && p[strlen(p) - 1] == '/';
	size_t len;

	for (; *p != '\0'; p += len) {
		p += strspn(p, "/");
		if ((len = strcspn(p, "/")) == 0)
			break;
		buf_addc(out, '/');
		if (text_percent_decode(p, len, false, out) == -1)
			return -1;
	}
	if (slash || out->len == 0)
		buf_addc(out, '/');
	return 0;
}

/* Append ,"key":"value"; -1 when the value is not UTF-8. */
static int
put_member(struct buf *out, const char *key, const void *value, size_t len)
{
	if (!text_is_utf8(value, len))
		return -1;
	buf_addf(out, ",\"%s\":", key);
	json_put(out, value, len);
	return 0;
}

static bool
is_wanted(const char *name, const char *const *only)
{
	if (only == NULL)
		return true;
	for (; *only != NULL; only++)
		if (strcmp(*only, name) == 0)
			return true;
	return false;
}

/* The headers as a map: of duplicates only the last is left. */
static int
put_headers(struct buf *out, const struct request *r, const char *const *only)
{
	const struct request_header *h = r->headers;
	bool first = true;

	buf_adds(out, ",\"headers\":{");
	for (size_t i = 0; i < r->headers_len; i++) {
		if (request_header(r, h[i].name) != h[i].value ||
		    !is_wanted(h[i].name, only))
			continue;
		if (!text_is_utf8(h[i].value, strlen(h[i].value)))
			return -1;
		if (!first)
			buf_addc(out, ',');
		first = false;
		json_puts(out, h[i].name);
		buf_addc(out, ':');
		json_puts(out, h[i].value);
	}
	buf_addc(out, '}');
	return 0;
}

static bool
is_swallowed(const struct request *r)
{
	static const char *const types[] = {"application/json",
	    "application/x-www-form-urlencoded", "multipart/"};
	const char *type = request_header(r, "content-type");

	for (size_t i = 0; type != NULL && i < 3; i++)
		if (strncasecmp(type, types[i], strlen(types[i])) == 0)
			return true;
	return false;
}

enum proxyreq_result
proxyreq_put(struct buf *out, const char *id, const struct request *r,
    const char *rest, bool swallow)
{
	bool is_head = strcmp(r->method, "HEAD") == 0;
	size_t body_len = swallow && is_swallowed(r) ? 0 : r->body.len;
	struct buf path = BUF_INIT;
	enum proxyreq_result result = PROXYREQ_NOT_UTF8;

	buf_addf(out, "{\"request_id\":\"%s\",\"method\":", id);
	json_puts(out, is_head ? "GET" : r->method);
	if (decode_path(rest, &path) == -1)
		result = PROXYREQ_BAD_PATH;
	else if (put_member(out, "path", path.data, path.len) == 0 &&
	    put_member(out, "query_string", r->query, strlen(r->query)) == 0 &&
	    put_headers(out, r, NULL) == 0 &&
	    put_member(out, "body", r->body.data, body_len) == 0)
		result = PROXYREQ_OK;
	buf_addc(out, '}');
	buf_clear(&path);
	return result;
}

enum proxyreq_result
proxyreq_put_ws(struct buf *out, const char *id_name, const char *id,
    const struct request *r, const char *rest)
{
	if (*rest == '\0')
		rest = "/";
	buf_addf(out, "{\"%s\":\"%s\"", id_name, id);
	if (put_member(out, "path", rest, strlen(rest)) == -1 ||
	    put_member(out, "query_string", r->query, strlen(r->query)) == -1 ||
	    put_headers(out, r, ws_headers) == -1)
		return PROXYREQ_NOT_UTF8;
	buf_addc(out, '}');
	return PROXYREQ_OK;
}
