/* SPDX-License-Identifier: MIT */
/*
 * What libcurl hears from the application, and how long it may be silent:
 * BACKEND_FIRST_BYTE_TIMEOUT from the request on, BACKEND_IDLE_TIMEOUT between
 * the bytes of its answer.
 */
#include <string.h>

#include <event2/event.h>

#include "backend_parts.h"
#include "timer.h"
#include "tls.h"
#include "util.h"

/* How long an application that has answered may take nothing of a request that
 * it has not read to its end. */
#define SETTLE_MS 1000

/* --- silence -------------------------------------------------------------- */

static void
await(struct backend_call *c, int64_t ms)
{
	if (ms > 0)
		timer_set_ms(c->timer, ms);
	else
		timer_stop(c->timer);
}

/* Bytes of the request's body. */
static int64_t
sent(const struct backend_call *c)
{
	curl_off_t n = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &n);
	return n;
}

/*
 * The answer is whole, and the application takes no more of the request. One
 * that answers early may want the rest all the same (RFC 9112 §9.3); one that
 * neither reads on nor closes is left alone.
 */
static void
settle(struct backend_call *c)
{
	int64_t now = sent(c);

	if (now > c->sent) {
		c->sent = now;
		await(c, SETTLE_MS);
	} else {
		(void)backend_settle(c);
	}
}

/* Bytes only leave a mark; the timer finds out how old that is. */
static void
on_silence(evutil_socket_t fd, short what, void *arg)
{
	struct backend_call *c = arg;
	int64_t left_ms;

	(void)fd;
	(void)what;
	if (framing_is_whole(&c->framing)) {
		settle(c);
		return;
	}
	if (framing_status(&c->framing) < 200) {
		backend_finish(c, BACKEND_FIRST_BYTE_TIMEOUT);
		return;
	}
	left_ms =
	    c->heard_ms + c->owner->params.idle_timeout_ms - util_mono_ms();
	if (left_ms > 0)
		await(c, left_ms);
	else
		backend_finish(c, BACKEND_IDLE_TIMEOUT);
}

/*
 * libcurl is about to write the request. It does so a second time when a
 * connection that it had kept ends without a byte of answer: whether a request
 * may be sent twice is for the proxy to say (retry.h), never for libcurl.
 */
static int
on_request(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct backend_call *c = arg;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	if (c->begun) {
		c->stale = true;
		return CURL_PREREQFUNC_ABORT;
	}
	c->begun = true;
	/* For who looks on meanwhile; in the end libcurl says it exactly. */
	if (c->connect_us != NULL)
		*c->connect_us = util_mono_us() - c->asked_us;
	await(c, c->owner->params.first_byte_timeout_ms);
	return CURL_PREREQFUNC_OK;
}

/* --- the answer ----------------------------------------------------------- */

/* The head that begins is an interim one, which says that another comes, or
 * the answer's. */
static int
take_status(struct backend_call *c)
{
	const struct backend_params *p = &c->owner->params;
	int status = framing_status(&c->framing);

	if (status < 200) {
		await(c, p->first_byte_timeout_ms);
		return 0;
	}
	await(c, p->idle_timeout_ms);
	return c->ops->on_status(status, c->arg);
}

/* Only its connection's end will end this answer. */
static int
hold_connection(struct backend_call *c)
{
	struct curl_tlssessioninfo *info = NULL;

	if (strcmp(c->owner->params.scheme, "https") != 0)
		return 0;
	if (curl_easy_getinfo(c->easy, CURLINFO_TLS_SSL_PTR, &info) ==
		CURLE_OK &&
	    info != NULL && info->internals != NULL)
		c->tls = tls_hold(info->internals);
	return c->tls == NULL ? -1 : 0;
}

static int
take_line(struct backend_call *c, const char *line, size_t len)
{
	struct framing *f = &c->framing;
	bool begins = f->stage == FRAMING_START;

	if (framing_is_body(f)) /* trailers: framing_decode sees them too */
		return 0;
	c->fault = framing_line(f, line, len);
	if (c->fault != FRAMING_OK)
		return -1;
	if (begins)
		return take_status(c);
	if (framing_is_body(f) && framing_is_until_end(f))
		return hold_connection(c);
	if (framing_status(f) < 200 || framing_is_body(f))
		return 0; /* fields of a 1xx; the end of the head */
	return c->ops->on_field(line, len, c->arg);
}

/* Bytes of the answer were taken, or not: as libcurl's callbacks say it. Once
 * they were the last ones, libcurl goes on with what it has not yet sent of the
 * request. */
static size_t
taken(struct backend_call *c, size_t len, int result)
{
	if (result == -1) {
		c->aborted = true;
		return 0;
	}
	if (c->body_len > 0 && framing_is_whole(&c->framing)) {
		c->sent = sent(c);
		if (c->sent < c->body_len)
			await(c, SETTLE_MS);
	}
	return len;
}

static size_t
on_line(char *line, size_t size, size_t count, void *arg)
{
	struct backend_call *c = arg;
	size_t len = size * count;

	c->heard_ms = util_mono_ms();
	return taken(c, len, take_line(c, line, len));
}

/* As received, with the transfer coding. Pieces are put together, so that an
 * application cannot make each of its octets cost a call. */
static int
take_bytes(struct backend_call *c, const uint8_t *in, size_t len)
{
	uint8_t whole[CURL_MAX_WRITE_SIZE];
	const uint8_t *data;
	size_t n, taken, have = 0;

	while (len > 0) {
		taken =
		    framing_decode(&c->framing, in, len, &data, &n, &c->fault);
		if (c->fault != FRAMING_OK)
			return -1;
		in += taken;
		len -= taken;
		if (have + n > sizeof(whole) || (have == 0 && len == 0)) {
			if (have > 0 &&
			    c->ops->on_body(whole, have, c->arg) == -1)
				return -1;
			have = 0;
			if (n > 0 && c->ops->on_body(data, n, c->arg) == -1)
				return -1;
		} else if (n > 0) {
			memcpy(whole + have, data, n);
			have += n;
		}
	}
	return have == 0 ? 0 : c->ops->on_body(whole, have, c->arg);
}

static size_t
on_bytes(char *data, size_t size, size_t count, void *arg)
{
	struct backend_call *c = arg;
	size_t len = size * count;

	c->heard_ms = util_mono_ms();
	return taken(c, len, take_bytes(c, (const uint8_t *)data, len));
}

/* Bytes behind the answer, in the same packet, are cut off without any other
 * sign than this. Those that come later close a connection that is kept. */
static int
on_remark(CURL *easy, curl_infotype type, char *text, size_t len, void *arg)
{
	static const char excess[] = "Excess found";
	struct backend_call *c = arg;

	(void)easy;
	if (type == CURLINFO_TEXT && len >= sizeof(excess) - 1 &&
	    memcmp(text, excess, sizeof(excess) - 1) == 0)
		c->excess = true;
	return 0;
}

int
backend_listen(struct backend_call *c)
{
	const struct backend_params *p = &c->owner->params;
	CURL *e = c->easy;

	if (p->first_byte_timeout_ms > 0 || p->idle_timeout_ms > 0 ||
	    c->body_len > 0) {
		c->timer = event_new(p->base, -1, 0, on_silence, c);
		if (c->timer == NULL)
			return -1;
	}
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
	curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_remark);
	curl_easy_setopt(e, CURLOPT_DEBUGDATA, c);
	return 0;
}
