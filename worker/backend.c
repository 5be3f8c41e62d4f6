/* SPDX-License-Identifier: MIT */
/*
 * A call is one easy handle in the multi handle; handles are kept and reused.
 * Each socket of libcurl has one event, its one timer another. Calls that
 * wait for BACKEND_HOST to be resolved stand in `waiting`.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

#include <curl/curl.h>
#include <event2/event.h>

#include "backend.h"
#include "backend_idle.h"
#include "backend_parts.h"
#include "log.h"
#include "names.h"
#include "timer.h"
#include "tls.h"
#include "util.h"

/* Easy handles kept for the next request. */
#define IDLE_MAX 64
#define URL_MAX_EXTRA 300 /* scheme, host and port in front of the target */

TAILQ_HEAD(calls, backend_call);

struct backend_call {
	TAILQ_ENTRY(backend_call) entry;
	struct backend *owner;
	const struct backend_ops *ops;
	void *arg;
	CURL *easy;
	struct curl_slist *fields;
	struct curl_slist *resolve;
	bool added;   /* to the multi handle: in `running`, else `waiting` */
	bool aborted; /* by a callback of ours */
	bool excess;  /* libcurl saw bytes behind the answer */
	struct framing framing;
	enum framing_fault fault;
	enum backend_error early; /* found before libcurl was asked */
	char error[CURL_ERROR_SIZE];
};

struct watch { /* one of libcurl's sockets */
	struct event *event;
};

struct backend {
	struct backend_params params;
	CURLM *multi;
	struct names *names;
	struct event *timer;
	struct event *report; /* of calls that failed early */
	struct calls waiting, running;
	CURL *idle[IDLE_MAX];
	unsigned idle_count;
	struct backend_idle kept; /* connections */
	char host[256];		  /* as it stands in a URL */
};

/* --- the life of a call --------------------------------------------------- */

static void
keep_easy(struct backend *b, CURL *easy)
{
	if (easy == NULL)
		return;
	if (b->idle_count < IDLE_MAX) {
		curl_easy_reset(easy);
		b->idle[b->idle_count++] = easy;
	} else {
		curl_easy_cleanup(easy);
	}
}

void
backend_cancel(struct backend_call *c)
{
	struct backend *b;

	if (c == NULL)
		return;
	b = c->owner;
	if (c->added) {
		(void)curl_multi_remove_handle(b->multi, c->easy);
		TAILQ_REMOVE(&b->running, c, entry);
	} else {
		TAILQ_REMOVE(&b->waiting, c, entry);
	}
	keep_easy(b, c->easy);
	curl_slist_free_all(c->fields);
	curl_slist_free_all(c->resolve);
	free(c);
}

static void
finish(struct backend_call *c, enum backend_error error)
{
	const struct backend_ops *ops = c->ops;
	void *arg = c->arg;
	char detail[CURL_ERROR_SIZE];

	memcpy(detail, c->error, sizeof(detail));
	backend_cancel(c);
	ops->on_done(error, detail, arg);
}

static enum backend_error
judge(const struct backend_call *c, CURLcode result)
{
	enum backend_error error;

	if (c->fault != FRAMING_OK)
		return backend_error_framing(c->fault);
	if (c->aborted)
		return BACKEND_ABORTED;
	error = backend_error_of(result, c->error, &c->framing);
	return error == BACKEND_OK && c->excess ? BACKEND_EXCESS : error;
}

/* libcurl's queue of ended transfers; a callback may start or cancel others,
 * so each is taken off before it is reported. */
static void
reap(struct backend *b)
{
	struct backend_call *c;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(b->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		c = NULL;
		(void)curl_easy_getinfo(
		    m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		finish(c, judge(c, m->data.result));
	}
}

/* --- libcurl in libevent -------------------------------------------------- */

static void
on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;
	int running, mask = 0;

	if ((what & EV_READ) != 0)
		mask |= CURL_CSELECT_IN;
	if ((what & EV_WRITE) != 0)
		mask |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(b->multi, fd, mask, &running);
	reap(b);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;
	int running;

	(void)fd;
	(void)what;
	(void)curl_multi_socket_action(
	    b->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(b);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct backend *b = arg;

	(void)multi;
	if (timeout_ms < 0)
		timer_stop(b->timer);
	else
		timer_set_ms(b->timer, timeout_ms);
	return 0;
}

static void
unwatch(struct backend *b, curl_socket_t fd, struct watch *w)
{
	if (w == NULL)
		return;
	timer_clear(&w->event);
	free(w);
	(void)curl_multi_assign(b->multi, fd, NULL);
}

static int
set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
	struct backend *b = arg;
	struct watch *w = socketp;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		unwatch(b, fd, w);
		backend_idle_add(&b->kept, fd);
		return 0;
	}
	backend_idle_remove(&b->kept, fd);
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -1;
		(void)curl_multi_assign(b->multi, fd, w);
	}
	if ((what & CURL_POLL_IN) != 0)
		events |= EV_READ;
	if ((what & CURL_POLL_OUT) != 0)
		events |= EV_WRITE;
	timer_clear(&w->event);
	w->event = event_new(b->params.base, fd, events, on_socket_event, b);
	return w->event != NULL && event_add(w->event, NULL) == 0 ? 0 : -1;
}

static int
close_socket(void *arg, curl_socket_t fd)
{
	struct backend *b = arg;

	backend_idle_remove(&b->kept, fd);
	return close(fd);
}

/* --- what arrives --------------------------------------------------------- */

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
	if (framing_status(f) < 200 || framing_is_body(f))
		return 0; /* fields of a 1xx; the end of the head */
	return begins ? c->ops->on_status(framing_status(f), c->arg)
		      : c->ops->on_field(line, len, c->arg);
}

static size_t
on_line(char *line, size_t size, size_t count, void *arg)
{
	struct backend_call *c = arg;
	size_t len = size * count;

	if (take_line(c, line, len) == 0)
		return len;
	c->aborted = true;
	return 0;
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

	if (take_bytes(c, (const uint8_t *)data, len) == 0)
		return len;
	c->aborted = true;
	return 0;
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

/* --- what goes out -------------------------------------------------------- */

/* RFC 9110 §9.2.2, and the only ones that may meet a connection which the
 * application is just closing: libcurl sends such a request once more. */
static bool
is_idempotent(const char *method)
{
	static const char *const methods[] = {
	    "GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
	size_t i;

	for (i = 0; i < UTIL_COUNT(methods); i++)
		if (strcmp(method, methods[i]) == 0)
			return true;
	return false;
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	(void)easy;
	return tls_share(arg, ctx) == 0 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static void
set_method(CURL *e, const struct backend_request *r)
{
	if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return; /* as CUSTOMREQUEST it would wait for a body */
	}
	if (r->body_len > 0 || r->send_length) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(
		    e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    r->body_len > 0 ? (const char *)r->body : "");
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	if (!is_idempotent(r->method))
		curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
}

static void
set_transfer(struct backend *b, CURL *e)
{
	const struct backend_params *p = &b->params;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	/* framing.h decodes, and takes nothing but what RFC 9112 allows. */
	curl_easy_setopt(e, CURLOPT_HTTP_TRANSFER_DECODING, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, b);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(
	    e, CURLOPT_CONNECTTIMEOUT_MS, (long)p->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)p->request_timeout_ms);
	if (strcasecmp(p->scheme, "https") != 0)
		return;
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, p->tls);
}

static void
set_callbacks(struct backend_call *c)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->fields);
	curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_remark);
	curl_easy_setopt(e, CURLOPT_DEBUGDATA, c);
}

static int
set_url(struct backend *b, CURL *e, const char *target)
{
	size_t size = strlen(target) + URL_MAX_EXTRA;
	char *url = malloc(size);
	CURLcode code;

	if (url == NULL)
		return -1;
	(void)util_fmt(url, size, "%s://%s:%u%s", b->params.scheme, b->host,
	    b->params.port, target);
	code = curl_easy_setopt(e, CURLOPT_URL, url);
	free(url);
	return code == CURLE_OK ? 0 : -1;
}

static int
prepare(struct backend_call *c, const struct backend_request *r)
{
	struct backend *b = c->owner;

	c->easy =
	    b->idle_count > 0 ? b->idle[--b->idle_count] : curl_easy_init();
	if (c->easy == NULL || (c->fields = backend_fields(r)) == NULL ||
	    set_url(b, c->easy, r->target) == -1)
		return -1;
	set_method(c->easy, r);
	set_transfer(b, c->easy);
	set_callbacks(c);
	return 0;
}

/* --- starting ------------------------------------------------------------- */

static void
fail_later(struct backend_call *c, enum backend_error error)
{
	c->early = error;
	timer_set_ms(c->owner->report, 0);
}

static void
on_report(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;
	struct backend_call *c;

	(void)fd;
	(void)what;
	do {
		for (c = TAILQ_FIRST(&b->waiting);
		     c != NULL && c->early == BACKEND_OK;)
			c = TAILQ_NEXT(c, entry);
		if (c != NULL)
			finish(c, c->early);
	} while (c != NULL);
}

static void
run(struct backend_call *c, const char *addresses)
{
	struct backend *b = c->owner;
	char line[NAMES_LIST_MAX + 300];

	if (addresses[0] != '\0') {
		(void)util_fmt(line, sizeof(line), "+%s:%u:%s", b->params.host,
		    b->params.port, addresses);
		c->resolve = curl_slist_append(NULL, line);
		if (c->resolve == NULL) {
			fail_later(c, BACKEND_MEMORY);
			return;
		}
		curl_easy_setopt(c->easy, CURLOPT_RESOLVE, c->resolve);
	}
	backend_idle_sweep(&b->kept);
	if (curl_multi_add_handle(b->multi, c->easy) != CURLM_OK) {
		fail_later(c, BACKEND_MEMORY);
		return;
	}
	TAILQ_REMOVE(&b->waiting, c, entry);
	TAILQ_INSERT_TAIL(&b->running, c, entry);
	c->added = true;
}

/* The addresses are known, or why not: everybody who waits goes on. */
static void
on_names(const char *addresses, const char *error, void *arg)
{
	struct backend *b = arg;
	struct backend_call *c, *next;

	for (c = TAILQ_FIRST(&b->waiting); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->early != BACKEND_OK)
			continue;
		if (error == NULL) {
			run(c, addresses);
			continue;
		}
		(void)util_strlcpy(c->error, error, sizeof(c->error));
		fail_later(c, BACKEND_RESOLVE);
	}
}

struct backend_call *
backend_start(struct backend *b, const struct backend_request *request,
    const struct backend_ops *ops, void *arg)
{
	struct backend_call *c = calloc(1, sizeof(*c));
	const char *addresses;

	if (c == NULL)
		return NULL;
	c->owner = b;
	c->ops = ops;
	c->arg = arg;
	framing_init(&c->framing, strcmp(request->method, "HEAD") == 0);
	TAILQ_INSERT_TAIL(&b->waiting, c, entry);
	if (prepare(c, request) == -1) {
		backend_cancel(c);
		return NULL;
	}
	addresses = names_get(b->names);
	if (addresses != NULL)
		run(c, addresses);
	else if (!names_is_asking(b->names))
		fail_later(c, BACKEND_RESOLVE);
	return c; /* else on_names goes on with it */
}

static void
set_host(struct backend *b)
{
	const char *host = b->params.host;
	bool v6 = strchr(host, ':') != NULL;

	(void)util_fmt(b->host, sizeof(b->host), "%s%s%s", v6 ? "[" : "", host,
	    v6 ? "]" : "");
}

struct backend *
backend_create(const struct backend_params *params)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->params = *params;
	TAILQ_INIT(&b->waiting);
	TAILQ_INIT(&b->running);
	set_host(b);
	b->multi = curl_multi_init();
	b->timer = timer_create_ms(params->base, on_timer, b);
	b->report = timer_create_ms(params->base, on_report, b);
	b->names = names_create(params->resolve, params->host,
	    params->connect_timeout_ms, on_names, b);
	if (b->multi == NULL || b->names == NULL) {
		backend_free(b);
		return NULL;
	}
	curl_multi_setopt(b->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(b->multi, CURLMOPT_SOCKETDATA, b);
	curl_multi_setopt(b->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(b->multi, CURLMOPT_TIMERDATA, b);
	curl_multi_setopt(b->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_MAX);
	return b;
}

void
backend_free(struct backend *b)
{
	if (b == NULL)
		return;
	while (!TAILQ_EMPTY(&b->waiting))
		backend_cancel(TAILQ_FIRST(&b->waiting));
	while (!TAILQ_EMPTY(&b->running))
		backend_cancel(TAILQ_FIRST(&b->running));
	names_free(b->names);
	while (b->idle_count > 0)
		curl_easy_cleanup(b->idle[--b->idle_count]);
	if (b->multi != NULL)
		(void)curl_multi_cleanup(b->multi);
	timer_clear(&b->timer);
	timer_clear(&b->report);
	free(b);
}

/* --- the process ---------------------------------------------------------- */

int
backend_global_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

void
backend_global_cleanup(void)
{
	curl_global_cleanup();
}
