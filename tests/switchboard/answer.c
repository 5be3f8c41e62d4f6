/* SPDX-License-Identifier: MIT */
/*
 * answer: what Plug and Bandit make of a proxy_res.  Headers go out as given
 * where Plug lets them through, hop-by-hop ones too: that the exchange is
 * corrupt then is the point.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "status.h"
#include "text.h"

#define HEADERS_MAX 500

struct header {
	struct buf name, value;
};

struct response {
	int status;
	struct header headers[HEADERS_MAX];
	size_t headers_len;
	struct buf body; /* with its chunked coding if any */
	bool coded;
};

static struct header *
find_header(struct response *r, const void *name, size_t len)
{
	for (size_t i = 0; i < r->headers_len; i++)
		if (r->headers[i].name.len == len &&
		    memcmp(r->headers[i].name.data, name, len) == 0)
			return &r->headers[i];
	return NULL;
}

static bool
is_clean(const struct buf *value)
{
	for (size_t i = 0; i < value->len; i++)
		if (value->data[i] == '\r' || value->data[i] == '\n' ||
		    value->data[i] == '\0')
			return false;
	return true;
}

/* Another spelling of a name overwrites the one before. */
static const char *
add_header(struct response *r, struct json name, struct json value)
{
	struct buf n = BUF_INIT, v = BUF_INIT;
	const char *why = "bad header";
	struct header *h;

	if (json_string(name, &n) == -1 || json_string(value, &v) == -1 ||
	    !text_is_token(n.data, n.len) || !is_clean(&v) ||
	    r->headers_len == HEADERS_MAX) {
		buf_clear(&n);
		buf_clear(&v);
		return why;
	}
	text_lower(buf_str(&n));
	if ((h = find_header(r, n.data, n.len)) == NULL) {
		h = &r->headers[r->headers_len++];
		h->name = n;
	} else {
		buf_clear(&h->value);
		buf_clear(&n);
	}
	h->value = v;
	return NULL;
}

static const char *
read_head(struct response *r, const struct answer *a)
{
	struct json_cursor c = {0};
	struct json name, value;
	int64_t status;
	const char *why;

	if (json_int(a->status, &status) == -1 || status < 200 ||
	    status > 599 || status_reason((int)status) == NULL)
		return "status unknown";
	r->status = (int)status;
	if (json_type(a->headers) != '{')
		return "headers are no map";
	while (json_next(a->headers, &c, &name, &value))
		if ((why = add_header(r, name, value)) != NULL)
			return why;
	return NULL;
}

/* Each element of chunks is iodata; an empty one writes nothing. */
static const char *
read_chunks(struct response *r, const struct answer *a)
{
	struct json_cursor c = {0};
	struct json key, element;
	struct buf one = BUF_INIT;
	const char *why = NULL;

	if (json_type(a->chunks) != '[')
		return "chunks are no list";
	r->coded =
	    find_header(r, "content-length", 14) == NULL && a->minor == 1;
	while (why == NULL && json_next(a->chunks, &c, &key, &element)) {
		one.len = 0;
		if (json_iodata(element, false, &one) == -1)
			why = "chunk is no iodata";
		if (one.len == 0)
			continue;
		if (r->coded)
			buf_addf(&r->body, "%zx\r\n", one.len);
		buf_add(&r->body, one.data, one.len);
		if (r->coded)
			buf_add(&r->body, "\r\n", 2);
	}
	buf_clear(&one);
	return why;
}

static const char *
read_response(struct response *r, const struct answer *a)
{
	bool chunked = json_type(a->chunked) == 't';
	const char *why = read_head(r, a);

	if (why != NULL)
		return why;
	if (chunked)
		why = read_chunks(r, a);
	else if (json_iodata(a->body, true, &r->body) == -1)
		why = "body is no text";
	if (why == NULL && (r->status == 204 || r->status == 304)) {
		if (r->body.len > 0)
			why = "body with 204 or 304";
		r->coded = false;
	} else if (why == NULL && r->coded) {
		buf_adds(&r->body, "0\r\n\r\n");
	}
	return why;
}

static void
put_head(struct buf *out, struct response *r, struct answer *a)
{
	bool chunked = json_type(a->chunked) == 't';
	bool bodiless = r->status == 204 || r->status == 304;

	buf_addf(
	    out, "HTTP/1.1 %d %s\r\n", r->status, status_reason(r->status));
	for (size_t i = 0; i < r->headers_len; i++) {
		struct header *h = &r->headers[i];

		if (!chunked && h->name.len == 14 &&
		    memcmp(h->name.data, "content-length", 14) == 0)
			continue;
		buf_add(out, h->name.data, h->name.len);
		buf_adds(out, ": ");
		buf_add(out, h->value.data, h->value.len);
		buf_adds(out, "\r\n");
	}
	if (!chunked && !bodiless) {
		if (find_header(r, "content-type", 12) == NULL)
			buf_adds(out,
			    "content-type: "
			    "text/plain; charset=utf-8\r\n");
		buf_addf(out, "content-length: %zu\r\n", r->body.len);
	}
	if (r->coded)
		buf_adds(out, "transfer-encoding: chunked\r\n");
	else if (chunked && !bodiless && !a->is_head &&
	    find_header(r, "content-length", 14) == NULL)
		a->close = true; /* HTTP/1.0: the end is the end */
	if (a->close)
		buf_adds(out, "connection: close\r\n");
	buf_adds(out, "\r\n");
}

const char *
answer_put(struct buf *out, struct answer *a)
{
	struct response *r = buf_calloc(sizeof(*r));
	const char *why = read_response(r, a);

	if (why == NULL) {
		put_head(out, r, a);
		if (!a->is_head)
			buf_add(out, r->body.data, r->body.len);
	}
	for (size_t i = 0; i < r->headers_len; i++) {
		buf_clear(&r->headers[i].name);
		buf_clear(&r->headers[i].value);
	}
	buf_clear(&r->body);
	free(r);
	return why;
}
