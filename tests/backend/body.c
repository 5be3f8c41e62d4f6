/* SPDX-License-Identifier: MIT */
/*
 * Strict reader of request bodies for conn.c: CRLF only, no blanks around
 * a chunk size, nothing larger than BODY_MAX.
 */
#include <event2/buffer.h>
#include <stdbool.h>
#include <string.h>

#include "body.h"
#include "head.h"
#include "query.h"

#define LINE_MAX_LEN 4096

enum {
	LENGTH,
	CHUNK_SIZE,
	CHUNK_DATA,
	CHUNK_END,
	TRAILER,
	COMPLETE
};

void
body_init(struct body *body, const struct head *head)
{
	memset(body, 0, sizeof(*body));
	body->state = head->chunked ? CHUNK_SIZE : LENGTH;
	body->left = head->length;
	body->total = head->length;
}

/*
 * Copies one line without its CRLF to line and takes it from in.  DONE,
 * MORE, or BAD when it is too long or holds controls.
 */
static enum body_result
take_line(struct evbuffer *in, char *line, size_t *len)
{
	struct evbuffer_ptr end;
	size_t n, eol;

	end = evbuffer_search_eol(in, NULL, &eol, EVBUFFER_EOL_LF);
	if (end.pos == -1)
		return evbuffer_get_length(in) > LINE_MAX_LEN ? BODY_BAD
							      : BODY_MORE;
	n = (size_t)end.pos + 1;
	if (n < 2 || n > LINE_MAX_LEN)
		return BODY_BAD;
	evbuffer_remove(in, line, n);
	if (line[n - 2] != '\r')
		return BODY_BAD;
	n -= 2;
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') ||
		    line[i] == 0x7f)
			return BODY_BAD;
	line[n] = '\0';
	*len = n;
	return BODY_DONE;
}

/* Moves content of the current length or chunk. */
static void
take_data(struct body *body, struct evbuffer *in, struct evbuffer *out)
{
	size_t n = evbuffer_get_length(in);

	if (n > body->left)
		n = (size_t)body->left;
	if (out == NULL)
		evbuffer_drain(in, n);
	else
		evbuffer_remove_buffer(in, out, n);
	body->left -= n;
}

/* chunk-size [ ";" extension ] */
static enum body_result
read_size(struct body *body, struct evbuffer *in)
{
	char line[LINE_MAX_LEN];
	enum body_result result;
	size_t len, i;
	uint64_t n = 0;

	if ((result = take_line(in, line, &len)) != BODY_DONE)
		return result;
	for (i = 0; i < len && query_hex(line[i]) >= 0; i++) {
		if (i >= 15)
			return BODY_BAD;
		n = n << 4 | (uint64_t)query_hex(line[i]);
	}
	if (i == 0 || (i < len && line[i] != ';'))
		return BODY_BAD;
	body->left = n;
	body->total += n;
	body->state = n == 0 ? TRAILER : CHUNK_DATA;
	return BODY_DONE;
}

static enum body_result
read_trailer(struct body *body, struct evbuffer *in)
{
	char line[LINE_MAX_LEN], *colon;
	enum body_result result;
	size_t len;

	if ((result = take_line(in, line, &len)) != BODY_DONE)
		return result;
	if (len == 0) {
		body->state = COMPLETE;
		return BODY_DONE;
	}
	body->trailer += len;
	colon = memchr(line, ':', len);
	if (colon == NULL || body->trailer > HEAD_MAX ||
	    !head_is_token(line, (size_t)(colon - line)))
		return BODY_BAD;
	return BODY_DONE;
}

/* The CRLF behind the data of a chunk. */
static enum body_result
read_chunk_end(struct body *body, struct evbuffer *in)
{
	char line[2];
	ssize_t n = evbuffer_copyout(in, line, sizeof(line));

	if (n >= 1 && line[0] != '\r')
		return BODY_BAD;
	if (n < 2)
		return BODY_MORE;
	if (line[1] != '\n')
		return BODY_BAD;
	evbuffer_drain(in, sizeof(line));
	body->state = CHUNK_SIZE;
	return BODY_DONE;
}

enum body_result
body_read(struct body *body, struct evbuffer *in, struct evbuffer *out)
{
	enum body_result result = BODY_DONE;

	while (result == BODY_DONE && body->state != COMPLETE) {
		if (body->total > BODY_MAX)
			return BODY_TOO_LARGE;
		switch (body->state) {
		case CHUNK_SIZE:
			result = read_size(body, in);
			break;
		case CHUNK_END:
			result = read_chunk_end(body, in);
			break;
		case TRAILER:
			result = read_trailer(body, in);
			break;
		default:
			take_data(body, in, out);
			if (body->left > 0)
				return BODY_MORE;
			body->state =
			    body->state == LENGTH ? COMPLETE : CHUNK_END;
		}
	}
	return result;
}
