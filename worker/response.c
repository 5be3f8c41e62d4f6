/* SPDX-License-Identifier: MIT */
/*
 * prefix → body → suffix. The body goes through a window of its bytes, and
 * comes out as a plain string (short text), string chunks (long text, cut at
 * character edges), or iodata chunks (anything else). A message of chunks
 * carries an exact Content-Length, since Plugboard then uses it as it is; and
 * it adds no Content-Type to one, as it does to a plain string.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "phx.h"
#include "response.h"
#include "utf8.h"

#define WINDOW_LEN (16 * 1024)
/* The least room that every step makes progress in. */
#define STEP_LEN 32
/* A string in an array costs three bytes more than what it says; a byte as a
 * number costs 3.6. Shorter runs would only make the list longer. */
#define RUN_MIN 8
/* How far a run is looked for at once: what lies behind its end is looked at
 * again, so a large step would cost a multiple of the body. */
#define RUN_STEP 64
/* With so much of an unfinished body in the window, three bytes can wait. */
#define TEXT_MIN 8
#define PREFIX_MAX (2 * 1024 * 1024)

enum mode {
	MODE_PLAIN,
	MODE_TEXT_CHUNKS,
	MODE_BINARY
};
enum stage {
	STAGE_PREFIX,
	STAGE_BODY,
	STAGE_SUFFIX,
	STAGE_DONE
};

struct response {
	enum mode mode;
	enum stage stage;
	struct buf prefix;
	size_t sent; /* of the prefix */
	struct body *body;
	uint64_t offset; /* body bytes that went into the window */
	int error;	 /* why the body cannot be read, 0 */
	size_t chunk_max;
	size_t chunk_left; /* body bytes that still go into this chunk */
	bool begun;	   /* a chunk was opened before */
	bool in_chunk;
	bool first;	 /* element of this array */
	size_t run_left; /* of a string in it that was begun */
	size_t at, len;
	uint8_t window[WINDOW_LEN];
	uint8_t staged[STEP_LEN]; /* for a reader with less room than that */
	size_t staged_at, staged_len;
};

/* --- the prefix ----------------------------------------------------------- */

static void
put_field(struct buf *b, const char *name, const char *value, bool first)
{
	if (!first)
		(void)buf_putc(b, ',');
	(void)json_put_str(b, name, strlen(name));
	(void)buf_putc(b, ':');
	(void)json_put_str(b, value, strlen(value));
}

static void
put_fields(struct response *r, const struct head *head, uint64_t len)
{
	struct buf *b = &r->prefix;
	char length[24];
	size_t i, count = head == NULL ? 0 : head_count(head);

	(void)buf_puts(b, "\"headers\":{");
	for (i = 0; i < count; i++) {
		const struct head_field *f = head_field(head, i);

		put_field(b, f->name, f->value, i == 0);
	}
	if (r->mode != MODE_PLAIN) {
		(void)snprintf(length, sizeof(length), "%" PRIu64, len);
		put_field(b, "content-length", length, count == 0);
	}
	(void)buf_puts(b, "},");
}

static int
put_prefix(struct response *r, const struct response_params *p)
{
	struct phx_names names = {p->join_ref, p->ref, p->topic, "proxy_res"};
	struct buf *b = &r->prefix;

	(void)phx_put_head(b, &names);
	(void)buf_puts(b, "{\"request_id\":");
	(void)json_put_str(b, p->request_id, strlen(p->request_id));
	(void)buf_printf(b, ",\"status\":%d,", p->status);
	put_fields(r, p->head, r->body == NULL ? 0 : body_len(r->body));
	(void)buf_puts(b,
	    r->mode == MODE_PLAIN
		? "\"chunked\":false,\"body\":\""
		: "\"body\":\"\",\"chunked\":true,\"chunks\":[");
	return b->failed ? -1 : 0;
}

/* --- the body ------------------------------------------------------------- */

/* Bytes not yet encoded, at least want of them unless the body ends. */
static size_t
fill_window(struct response *r, size_t want)
{
	size_t left = r->len - r->at;
	ssize_t n;

	if (left >= want || r->body == NULL)
		return left;
	memmove(r->window, r->window + r->at, left);
	r->at = 0;
	r->len = left;
	n = body_read(r->body, r->offset, r->window + left, WINDOW_LEN - left);
	if (n == -1) {
		r->error = errno;
		return left;
	}
	r->len += (size_t)n;
	r->offset += (uint64_t)n;
	return r->len;
}

static bool
is_body_over(struct response *r)
{
	return fill_window(r, 1) == 0;
}

/*
 * Text that may be encoded now: whole characters of this chunk; 0 when the
 * chunk takes no more. The body is known to be valid, so only the end of the
 * window can cut a character, one that lacks three bytes at most.
 */
static size_t
text_len(struct response *r)
{
	size_t len = fill_window(r, TEXT_MIN), max = len;

	if (r->offset < body_len(r->body))
		max -= 3;
	if (r->mode == MODE_TEXT_CHUNKS && max > r->chunk_left)
		max = r->chunk_left;
	return utf8_cut(r->window + r->at, len, max);
}

static size_t
close_chunk(struct response *r, uint8_t *out)
{
	out[0] = r->mode == MODE_BINARY ? ']' : '"';
	r->in_chunk = false;
	return 1;
}

static size_t
put_text(struct response *r, uint8_t *out, size_t cap)
{
	size_t len = text_len(r), taken, n; /* first: it moves the window */

	if (len == 0)
		return close_chunk(r, out);
	n = json_escape(r->window + r->at, len, &taken, out, cap);
	r->at += taken;
	if (r->mode == MODE_TEXT_CHUNKS)
		r->chunk_left -= taken;
	return n;
}

/* The run of bytes at p that goes into a string without any escape, 0 when it
 * would not pay. Looks hardly further than the run is long. */
static size_t
run_len(const uint8_t *p, size_t len)
{
	size_t run = 0, n, plain;

	if (len < RUN_MIN || json_plain_len(p, RUN_MIN) < RUN_MIN)
		return 0;
	do {
		n = len - run < RUN_STEP ? len - run : RUN_STEP;
		plain = json_plain_len(p + run, n);
		n = utf8_valid_len(p + run, plain);
		run += n;
	} while (n > 0);
	return run < RUN_MIN ? 0 : run;
}

/* More of the string that was begun. */
static size_t
put_run(struct response *r, uint8_t *out, size_t cap)
{
	size_t n = r->run_left < cap - 1 ? r->run_left : cap - 1;

	memcpy(out, r->window + r->at, n);
	r->at += n;
	r->chunk_left -= n;
	r->run_left -= n;
	if (r->run_left == 0)
		out[n++] = '"';
	return n;
}

/* One element of an array of bytes and strings, or the quote that begins one.
 * What is chosen must not depend on the reader's room. */
static size_t
put_element(struct response *r, uint8_t *out)
{
	size_t len = fill_window(r, STEP_LEN), n = 0;
	const uint8_t *p = r->window + r->at;

	if (len > r->chunk_left)
		len = r->chunk_left;
	if (!r->first)
		out[n++] = ',';
	r->first = false;
	r->run_left = run_len(p, len);
	if (r->run_left > 0) {
		out[n++] = '"';
		return n;
	}
	if (*p >= 100)
		out[n++] = (uint8_t)('0' + *p / 100);
	if (*p >= 10)
		out[n++] = (uint8_t)('0' + *p / 10 % 10);
	out[n++] = (uint8_t)('0' + *p % 10);
	r->at++;
	r->chunk_left--;
	return n;
}

static size_t
put_bytes(struct response *r, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (r->chunk_left > 0 && cap - n >= STEP_LEN && !is_body_over(r))
		n += r->run_left > 0 ? put_run(r, out + n, cap - n)
				     : put_element(r, out + n);
	return n > 0 ? n : close_chunk(r, out);
}

static size_t
open_chunk(struct response *r, uint8_t *out)
{
	size_t n = 0;

	if (r->begun)
		out[n++] = ',';
	r->begun = true;
	out[n++] = r->mode == MODE_BINARY ? '[' : '"';
	r->in_chunk = true;
	r->first = true;
	r->chunk_left = r->chunk_max;
	return n;
}

static size_t
put_chunk(struct response *r, uint8_t *out, size_t cap)
{
	if (!r->in_chunk)
		return open_chunk(r, out);
	return r->mode == MODE_BINARY ? put_bytes(r, out, cap)
				      : put_text(r, out, cap);
}

/* --- the message ---------------------------------------------------------- */

static size_t
step_prefix(struct response *r, uint8_t *out, size_t cap)
{
	size_t n = r->prefix.len - r->sent;

	if (n > cap)
		n = cap;
	memcpy(out, r->prefix.data + r->sent, n);
	r->sent += n;
	if (r->sent == r->prefix.len)
		r->stage = STAGE_BODY;
	return n;
}

static size_t
step_body(struct response *r, uint8_t *out, size_t cap)
{
	if (is_body_over(r)) {
		r->stage = STAGE_SUFFIX;
		return r->in_chunk ? close_chunk(r, out) : 0;
	}
	return r->mode == MODE_PLAIN ? put_text(r, out, cap)
				     : put_chunk(r, out, cap);
}

static size_t
step_suffix(struct response *r, uint8_t *out, size_t cap)
{
	const char *suffix = r->mode == MODE_PLAIN ? "\"}]" : "]}]";

	(void)cap; /* STEP_LEN at least */
	memcpy(out, suffix, 3);
	r->stage = STAGE_DONE;
	return 3;
}

/* Fills as much of out as steps allow; cap is STEP_LEN at least. */
static size_t
produce(struct response *r, uint8_t *out, size_t cap)
{
	static size_t (*const steps[])(struct response *, uint8_t *, size_t) = {
	    [STAGE_PREFIX] = step_prefix,
	    [STAGE_BODY] = step_body,
	    [STAGE_SUFFIX] = step_suffix,
	};
	size_t n = 0;

	while (r->stage != STAGE_DONE && cap - n >= STEP_LEN) {
		n += steps[r->stage](r, out + n, cap - n);
		if (r->error != 0)
			r->stage = STAGE_DONE; /* see response_read */
	}
	return n;
}

size_t
response_read(struct response *r, uint8_t *out, size_t cap, bool *done)
{
	size_t n = 0, len;

	for (;;) {
		len = r->staged_len - r->staged_at;
		if (len > cap - n)
			len = cap - n;
		memcpy(out + n, r->staged + r->staged_at, len);
		r->staged_at += len;
		n += len;
		if (n == cap || r->stage == STAGE_DONE)
			break;
		if (cap - n >= STEP_LEN) {
			n += produce(r, out + n, cap - n);
			continue;
		}
		r->staged_at = 0;
		r->staged_len = produce(r, r->staged, STEP_LEN);
	}
	*done = r->stage == STAGE_DONE && r->staged_at == r->staged_len;
	return n;
}

int
response_failure(const struct response *r)
{
	return r->error;
}

/* --- life ----------------------------------------------------------------- */

void
response_free(struct response *r)
{
	if (r == NULL)
		return;
	buf_clear(&r->prefix);
	body_free(r->body);
	free(r);
}

size_t
response_estimate(const struct response *r)
{
	uint64_t len = r->body == NULL ? 0 : body_len(r->body);

	/* Bytes as numbers: 3.6 each, when they are random. */
	return r->prefix.len +
	    (size_t)(r->mode == MODE_BINARY ? len * 18 / 5 : len);
}

/* More than that it cannot be: an octet is three digits and a comma, a control
 * in a string six, and what opens and closes a chunk three. */
static uint64_t
len_most(const struct response *r)
{
	uint64_t len = r->body == NULL ? 0 : body_len(r->body);

	return r->prefix.len + 3 + len * (r->mode == MODE_BINARY ? 4 : 6) +
	    3 * (len / (r->chunk_max - 3) + 1);
}

/* Back to before the first byte. */
static void
begin_again(struct response *r)
{
	r->stage = STAGE_PREFIX;
	r->sent = 0;
	r->offset = 0;
	r->at = r->len = 0;
	r->begun = r->in_chunk = false;
	r->run_left = r->chunk_left = 0;
}

bool
response_fits(struct response *r, uint64_t max)
{
	uint8_t space[8192];
	uint64_t len = 0;

	if (len_most(r) <= max)
		return true;
	if (r->prefix.len + (r->body == NULL ? 0 : body_len(r->body)) > max)
		return false;
	while (r->stage != STAGE_DONE && len <= max)
		len += produce(r, space, sizeof(space));
	begin_again(r);
	return len <= max;
}

static bool
has_type(const struct head *head)
{
	return head != NULL && head_find(head, "content-type") != NULL;
}

static enum mode
mode_of(const struct response *r, const struct head *head)
{
	if (r->body == NULL || body_len(r->body) == 0)
		return MODE_PLAIN;
	if (!body_is_text(r->body))
		return MODE_BINARY;
	return body_len(r->body) > r->chunk_max || !has_type(head)
	    ? MODE_TEXT_CHUNKS
	    : MODE_PLAIN;
}

struct response *
response_create(const struct response_params *params)
{
	struct response *r = calloc(1, sizeof(*r));
	struct body *body = params->body;

	if (r == NULL || head_status_is_bodiless(params->status)) {
		body_free(body);
		body = NULL;
	}
	if (r == NULL)
		return NULL;
	r->body = body;
	r->chunk_max = params->chunk_max;
	r->mode = mode_of(r, params->head);
	buf_init(&r->prefix, PREFIX_MAX);
	if (put_prefix(r, params) == -1) {
		response_free(r);
		return NULL;
	}
	return r;
}
