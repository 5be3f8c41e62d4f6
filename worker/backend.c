/* SPDX-License-Identifier: MIT */
/*
 * A call is one easy handle in the multi handle, and no handle serves a second
 * call: libcurl before 8.1.1 remembers where the last field of the call before
 * stood, and writes there when the first line of an answer looks folded.
 * Calls that wait for BACKEND_HOST to be resolved, or for one of
 * BACKEND_CONNECTIONS_MAX, stand in `waiting`.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "backend_parts.h"
#include "log.h"
#include "names.h"
#include "timer.h"
#include "tls.h"
#include "util.h"

/* --- the life of a call --------------------------------------------------- */

/* libcurl's bound is on all connections, so that of the idle ones moves with
 * those in use; one is about to become idle when it looks. */
static void
count_running(struct backend *b, int change)
{
	long most;

	b->running_count = (unsigned)((int)b->running_count + change);
	most = (long)b->running_count + (long)b->params.idle_max - 1;
	curl_multi_setopt(b->multi, CURLMOPT_MAXCONNECTS, most > 0 ? most : 1L);
}

static void
note_connect(const struct backend_call *c)
{
	curl_off_t tcp = 0, tls = 0;

	if (c->connect_us == NULL || !c->begun)
		return;
	(void)curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &tcp);
	(void)curl_easy_getinfo(c->easy, CURLINFO_APPCONNECT_TIME_T, &tls);
	*c->connect_us = c->added_us - c->asked_us + (tls > tcp ? tls : tcp);
}

void
backend_cancel(struct backend_call *c)
{
	struct backend *b;

	if (c == NULL)
		return;
	b = c->owner;
	note_connect(c);
	if (c->added) {
		(void)curl_multi_remove_handle(b->multi, c->easy);
		TAILQ_REMOVE(&b->running, c, entry);
		count_running(b, -1);
		if (!TAILQ_EMPTY(&b->waiting))
			timer_set_ms(b->report, 0);
	} else {
		TAILQ_REMOVE(&b->waiting, c, entry);
	}
	curl_easy_cleanup(c->easy); /* NULL is fine */
	curl_slist_free_all(c->fields);
	curl_slist_free_all(c->resolve);
	timer_clear(&c->timer);
	tls_let_go(c->tls);
	free(c);
}

void
backend_finish(struct backend_call *c, enum backend_error error)
{
	const struct backend_ops *ops = c->ops;
	void *arg = c->arg;
	char detail[CURL_ERROR_SIZE];

	memcpy(detail, c->error, sizeof(detail));
	backend_cancel(c);
	ops->on_done(error, detail, arg);
}

bool
backend_is_waiting(const struct backend_call *c)
{
	const struct backend *b = c->owner;

	return !c->added && b->running_count >= b->params.connections_max;
}

bool
backend_settle(struct backend_call *c)
{
	if (!c->added || !framing_is_whole(&c->framing))
		return false;
	backend_finish(c, c->excess ? BACKEND_EXCESS : BACKEND_OK);
	return true;
}

/* --- starting ------------------------------------------------------------- */

static void
fail_later(struct backend_call *c, enum backend_error error)
{
	c->early = error;
	timer_set_ms(c->owner->report, 0);
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
	c->added_us = util_mono_us();
	count_running(b, 1);
}

/* Begins what can begin, in the order of arrival. */
static void
pump(struct backend *b)
{
	struct backend_call *c, *next;
	const char *addresses;

	for (c = TAILQ_FIRST(&b->waiting); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->early != BACKEND_OK)
			continue;
		if (b->running_count >= b->params.connections_max)
			return;
		addresses = names_get(b->names);
		if (addresses != NULL)
			run(c, addresses);
		else if (names_is_asking(b->names))
			return; /* on_names goes on */
		else
			fail_later(c, BACKEND_RESOLVE);
	}
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
			backend_finish(c, c->early);
	} while (c != NULL);
	pump(b);
}

/* The addresses are known, or why not: everybody who waits goes on. */
static void
on_names(const char *addresses, const char *error, void *arg)
{
	struct backend *b = arg;
	struct backend_call *c;

	(void)addresses;
	for (c = TAILQ_FIRST(&b->waiting); error != NULL && c != NULL;
	     c = TAILQ_NEXT(c, entry)) {
		(void)util_strlcpy(c->error, error, sizeof(c->error));
		fail_later(c, BACKEND_RESOLVE);
	}
	pump(b);
}

struct backend_call *
backend_start(struct backend *b, const struct backend_request *request,
    const struct backend_ops *ops, void *arg)
{
	struct backend_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->owner = b;
	c->ops = ops;
	c->arg = arg;
	c->asked_us = util_mono_us();
	c->connect_us = request->connect_us;
	c->body_len = (int64_t)request->body_len;
	framing_init(&c->framing, strcmp(request->method, "HEAD") == 0);
	TAILQ_INSERT_TAIL(&b->waiting, c, entry);
	if (backend_prepare(c, request) == -1) {
		backend_cancel(c);
		return NULL;
	}
	pump(b);
	return c;
}

/* --- the backend ---------------------------------------------------------- */

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
	b->report = timer_create_ms(params->base, on_report, b);
	b->names = names_create(params->resolve, params->host,
	    params->connect_timeout_ms, on_names, b);
	if (backend_attach(b) == -1 || b->names == NULL) {
		backend_free(b);
		return NULL;
	}
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
	if (b->multi != NULL)
		(void)curl_multi_cleanup(b->multi);
	(void)curl_share_cleanup(b->sessions);
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
