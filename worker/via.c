/* SPDX-License-Identifier: MIT */
/*
 * Sends one request, reads one head. Nothing behind the head is taken from
 * the socket: it would be the server's, and is another one's to read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base64.h"
#include "proxy_url.h"
#include "timer.h"
#include "url.h"
#include "util.h"
#include "via.h"
#include "via_head.h"

#define HEAD_MAX 8192
#define CREDENTIALS_MAX ((PROXY_URL_USER_MAX + 2) / 3 * 4 + 1)
#define REQUEST_MAX (2 * URL_HOST_MAX + CREDENTIALS_MAX + 128)

struct via {
	struct via_params params;
	struct event *readable, *writable, *deadline;
	char request[REQUEST_MAX];
	size_t request_len, sent;
	char head[HEAD_MAX];
	size_t head_len;
};

void
via_cancel(struct via *v)
{
	if (v == NULL)
		return;
	timer_clear(&v->readable);
	timer_clear(&v->writable);
	timer_clear(&v->deadline);
	explicit_bzero(v->request, sizeof(v->request));
	free(v);
}

static void
finish(
    struct via *v, enum proto_reason reason, uint16_t detail, const char *text)
{
	struct via_result result = {reason, detail, text};
	via_cb *cb = v->params.cb;
	void *arg = v->params.arg;

	via_cancel(v);
	cb(&result, arg);
}

static void
fail(struct via *v, const char *text)
{
	finish(v, PROTO_REASON_PROXY_FAILED, 0, text);
}

/* --- the answer
 * --------------------------------------------------------------- */

static void
judge(struct via *v, int status)
{
	uint16_t detail = (uint16_t)status;

	if (status / 100 == 2)
		finish(v, PROTO_REASON_NONE, 0, NULL);
	else if (status != 407)
		finish(v, PROTO_REASON_PROXY_STATUS, detail,
		    "the proxy did not connect to plugboard");
	else if (v->params.user[0] == '\0')
		finish(v, PROTO_REASON_PROXY_AUTH, detail,
		    "the proxy wants a user and a password: write them into "
		    "its URL");
	else
		finish(v, PROTO_REASON_PROXY_AUTH, detail,
		    "the proxy takes neither this user and password nor "
		    "basic authentication at all");
}

/* Looks at what is there, and takes it when it belongs to the head. Returns
 * how much was taken; 0: the connection or the head has ended badly, and v is
 * gone. -1: nothing there. */
static ssize_t
take(struct via *v)
{
	size_t before = v->head_len, whole;
	ssize_t n;

	n = recv(v->params.fd, v->head + before, sizeof(v->head) - before,
	    MSG_PEEK | MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n <= 0) {
		fail(v,
		    n == 0 ? "the proxy hung up before it answered CONNECT"
			   : "the connection to the proxy was reset");
		return 0;
	}
	v->head_len += (size_t)n;
	whole = via_head_len(v->head, v->head_len);
	if (whole > 0)
		v->head_len = whole;
	n = recv(
	    v->params.fd, v->head + before, v->head_len - before, MSG_DONTWAIT);
	if (n == (ssize_t)(v->head_len - before))
		return n;
	fail(v, "the connection to the proxy was lost");
	return 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct via *v = arg;
	int status;

	(void)fd;
	(void)what;
	if (take(v) <= 0)
		return;
	if (via_head_len(v->head, v->head_len) == 0) {
		if (v->head_len == sizeof(v->head))
			fail(v, "the proxy's answer is longer than 8 KiB");
		return;
	}
	status = via_head_status(v->head, v->head_len);
	v->head_len = 0;
	if (status == -1)
		fail(v, "what the proxy answered is no HTTP");
	else if (status >= 200) /* before that: informational */
		judge(v, status);
}

/* --- the request
 * --------------------------------------------------------------- */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct via *v = arg;
	ssize_t n;

	(void)what;
	n = send(fd, v->request + v->sent, v->request_len - v->sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		fail(v, "the proxy hung up before it was asked");
		return;
	}
	if (n > 0)
		v->sent += (size_t)n;
	if (v->sent == v->request_len)
		(void)event_del(v->writable);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg, PROTO_REASON_PROXY_TIMEOUT, 0,
	    "the proxy did not answer CONNECT within CONNECT_TIMEOUT");
}

static bool
make_request(struct via *v)
{
	const struct via_params *p = &v->params;
	const char *open = strchr(p->host, ':') == NULL ? "" : "[";
	const char *close = *open == '\0' ? "" : "]";
	char credentials[CREDENTIALS_MAX] = "";
	bool good;

	good = base64_encode(credentials, sizeof(credentials),
		   (const uint8_t *)p->user, strlen(p->user)) &&
	    util_fmt(v->request, sizeof(v->request),
		"CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s%s%s\r\n",
		open, p->host, close, p->port, open, p->host, close, p->port,
		p->user[0] == '\0' ? "" : "Proxy-Authorization: Basic ",
		credentials, p->user[0] == '\0' ? "" : "\r\n");
	explicit_bzero(credentials, sizeof(credentials));
	v->request_len = strlen(v->request);
	return good;
}

struct via *
via_start(const struct via_params *params)
{
	struct via *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->params = *params;
	v->deadline = timer_create_ms(params->base, on_deadline, v);
	v->readable = event_new(
	    params->base, params->fd, EV_READ | EV_PERSIST, on_readable, v);
	v->writable = event_new(
	    params->base, params->fd, EV_WRITE | EV_PERSIST, on_writable, v);
	if (!make_request(v) || v->readable == NULL || v->writable == NULL ||
	    event_add(v->readable, NULL) == -1 ||
	    event_add(v->writable, NULL) == -1) {
		via_cancel(v);
		return NULL;
	}
	timer_set_ms(v->deadline, params->timeout_ms);
	return v;
}
