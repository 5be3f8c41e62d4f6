/* SPDX-License-Identifier: MIT */
/*
 * The events of Plugboard, and what is refused before anything is begun.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "clients.h"
#include "log.h"
#include "memory.h"
#include "timer.h"
#include "util.h"
#include "wsproxy_parts.h"

#define REQUEST_MAX (98 * 1024)	 /* with the fields of a trace */
#define SESSION_COST (64 * 1024) /* about, with TLS */
/* A flood is one line a second. */
#define REJECTED_LOG_MS 1000
/* How long the last words of all sessions may take, and how often that is
 * looked at. */
#define DRAIN_MS 1000
#define DRAIN_LOOK_MS 20

static const char leaving[] = "telephone leaves";

/* --- refusals ------------------------------------------------------------- */

static void
drop_event(struct wsproxy *w, const char *event, const char *why)
{
	metrics_add(w->params.metrics, METRICS_MESSAGES_DROPPED, 1);
	log_warnx("a %s that cannot be answered: %s", event, why);
}

/* Why nothing new is begun now, or NULL. */
static const char *
why_not(const struct wsproxy *w)
{
	if (w->draining)
		return leaving;
	if (w->count >= w->params.sessions_max)
		return "WS_MAX_SESSIONS WebSockets are open already";
	if (!memory_has(w->params.memory, SESSION_COST)) {
		metrics_add(w->params.metrics, METRICS_MEMORY_REFUSED, 1);
		return "what telephone holds has reached MEMORY_MAX";
	}
	return NULL;
}

static void
log_rejected(struct wsproxy *w, const char *id, const char *why)
{
	int64_t now_ms = util_mono_ms();

	w->rejected++;
	metrics_add(w->params.metrics, METRICS_WS_REJECTED, 1);
	if (w->rejected_ms != 0 && now_ms - w->rejected_ms < REJECTED_LOG_MS)
		return;
	log_warnx("WebSocket %s: refused: %s (%" PRIu64
		  " refused since the last such line)",
	    id, why, w->rejected);
	w->rejected_ms = now_ms;
	w->rejected = 0;
}

static void
reject(struct wsproxy *w, struct tunnel *tunnel, const struct ws_event *e,
    bool is_check, const char *why)
{
	log_rejected(w, e->id, why);
	if (is_check)
		ws_send_check_result(w, tunnel, e->id, NULL, why);
	else
		ws_send_error(w, tunnel, e->id, why);
}

/* --- beginnings ----------------------------------------------------------- */

/* One that was checked for the same question and waits. */
static struct ws_session *
find_kept(
    struct wsproxy *w, const struct tunnel *tunnel, const struct ws_question *q)
{
	struct ws_session *s;

	TAILQ_FOREACH(s, &w->list, link)
	if (s->state == SESSION_KEPT && s->tunnel == tunnel &&
	    s->request.len == q->request->len &&
	    memcmp(s->request.data, q->request->data, q->request->len) == 0 &&
	    trace_has_parent(s->trace, &q->parent))
		return s;
	return NULL;
}

struct asker {
	struct clients *clients;
	struct clients_who who;
};

static void
on_fields(const struct head *fields, void *arg)
{
	struct asker *a = arg;

	clients_who(a->clients, fields, &a->who);
}

/* Why this client may not come, or not now, or NULL. */
static const char *
bars(struct asker *a)
{
	const struct clients_refusal *r = clients_allow(a->clients, &a->who);

	if (r == NULL)
		r = clients_take(a->clients, &a->who, util_mono_ms());
	return r == NULL ? NULL : r->reason;
}

/* A ws_connect that finds its kept one was counted, and allowed, with its
 * ws_check: it asks the same with the same fields. */
static const char *
begin(struct wsproxy *w, struct tunnel *tunnel, struct ws_event *e,
    struct ws_question *q)
{
	struct asker asker = {.clients = w->params.clients};
	struct ws_ask ask = {
	    .path = e->path,
	    .query = e->query,
	    .headers = e->headers,
	    .host = w->params.host_header,
	    .on_fields = on_fields,
	    .arg = &asker,
	    .traced = w->params.trace != NULL,
	};
	struct ws_session *kept;
	const char *why;

	if (ask.traced) /* before it is changed */
		trace_context_read(&q->parent, e->headers);
	why = ws_handshake_build(q->request, &ask);
	if (why != NULL)
		return why;
	kept = q->is_check ? NULL : find_kept(w, tunnel, q);
	if (kept != NULL) {
		ws_session_adopt(kept, e->id);
		return NULL;
	}
	why = bars(&asker);
	if (why == NULL)
		why = why_not(w);
	if (why == NULL && ws_session_create(w, tunnel, q) == NULL)
		why = "out of memory";
	return why;
}

static void
on_request(
    struct wsproxy *w, struct tunnel *tunnel, struct ws_event *e, bool is_check)
{
	struct buf request;
	struct ws_question q = {
	    .id = e->id, .request = &request, .is_check = is_check};
	const char *why;

	buf_init(&request, REQUEST_MAX);
	why = begin(w, tunnel, e, &q);
	if (why != NULL)
		reject(w, tunnel, e, is_check, why);
	buf_wipe(&request);
}

void
wsproxy_check(
    struct wsproxy *w, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	struct ws_event e;
	const char *fault = ws_event_parse(&e, WS_EVENT_CHECK, payload, len);

	if (e.id[0] == '\0')
		drop_event(w, "ws_check", fault);
	else if (fault != NULL)
		reject(w, tunnel, &e, true, fault);
	else
		on_request(w, tunnel, &e, true);
}

void
wsproxy_connect(
    struct wsproxy *w, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	struct ws_event e;
	const char *fault = ws_event_parse(&e, WS_EVENT_CONNECT, payload, len);

	if (e.id[0] == '\0')
		drop_event(w, "ws_connect", fault);
	else if (ws_session_find(w, tunnel, e.id) != NULL)
		/* An error would end the one that there is. */
		log_rejected(
		    w, e.id, "a second ws_connect of this id was ignored");
	else if (fault != NULL)
		reject(w, tunnel, &e, false, fault);
	else
		on_request(w, tunnel, &e, false);
}

/* --- what follows --------------------------------------------------------- */

/* Unknown ids are those that have ended: Plugboard's events and ours cross. */
static struct ws_session *
find(struct wsproxy *w, const struct tunnel *tunnel, const struct ws_event *e)
{
	struct ws_session *s = ws_session_find(w, tunnel, e->id);

	if (s == NULL)
		log_debug("WebSocket %s: an event after its end", e->id);
	return s;
}

void
wsproxy_frame(
    struct wsproxy *w, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	struct ws_event e;
	const char *fault = ws_event_parse(&e, WS_EVENT_FRAME, payload, len);
	struct ws_session *s;

	if (e.id[0] == '\0') {
		drop_event(w, "ws_frame", fault);
		return;
	}
	s = find(w, tunnel, &e);
	if (s == NULL)
		return;
	if (fault != NULL) /* judged as one without opcode and data */
		e.opcode.len = 0;
	ws_session_frame(s, &e);
}

void
wsproxy_close(
    struct wsproxy *w, struct tunnel *tunnel, uint8_t *payload, size_t len)
{
	struct ws_event e;
	const char *fault = ws_event_parse(&e, WS_EVENT_CLOSE, payload, len);
	struct ws_session *s;

	if (e.id[0] == '\0') {
		drop_event(w, "ws_close", fault);
		return;
	}
	s = find(w, tunnel, &e);
	if (s != NULL)
		ws_session_closed(s, &e);
}

/* As far as it goes: what it has no place for is missing, and of an event
 * without an id nothing can be told to anybody. */
void
wsproxy_too_long(struct wsproxy *w, struct tunnel *tunnel,
    enum ws_event_type type, uint8_t *payload, size_t len)
{
	static const char why[] = "the event is longer than MAX_REQUEST_SIZE";
	struct ws_event e;
	struct ws_session *s;

	(void)ws_event_parse(&e, type, payload, len);
	if (e.id[0] == '\0') {
		drop_event(w, "WebSocket event", why);
		return;
	}
	s = type == WS_EVENT_CHECK ? NULL : ws_session_find(w, tunnel, e.id);
	if (s == NULL && (type == WS_EVENT_CHECK || type == WS_EVENT_CONNECT))
		reject(w, tunnel, &e, type == WS_EVENT_CHECK, why);
	else if (s != NULL && type == WS_EVENT_FRAME)
		ws_session_too_long(s);
	else if (s != NULL && type == WS_EVENT_CLOSE)
		ws_session_closed(s, &e);
}

void
wsproxy_lost(struct wsproxy *w, const struct tunnel *tunnel)
{
	struct ws_session *s, *next;

	for (s = TAILQ_FIRST(&w->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->tunnel == tunnel)
			ws_session_stop(
			    s, METRICS_WS_LOST, "the tunnel was lost", false);
	}
}

/* --- the drain ------------------------------------------------------------ */

static bool
is_drained(const struct wsproxy *w)
{
	return w->count == 0 && w->pending == 0 &&
	    ws_peers_closing(w->peers) == 0;
}

static void
on_drained(evutil_socket_t fd, short what, void *arg)
{
	struct wsproxy *w = arg;

	(void)fd;
	(void)what;
	if (is_drained(w) || util_mono_ms() - w->drain_ms >= DRAIN_MS)
		w->on_over(w->on_over_arg);
	else
		timer_set_ms(w->drained, DRAIN_LOOK_MS);
}

bool
wsproxy_drain(struct wsproxy *w, void (*on_over)(void *arg), void *arg)
{
	struct ws_session *s, *next;

	w->draining = true;
	if (is_drained(w))
		return false;
	w->on_over = on_over;
	w->on_over_arg = arg;
	w->drain_ms = util_mono_ms();
	if (w->count > 0)
		log_info("drained: closing %u WebSockets", w->count);
	for (s = TAILQ_FIRST(&w->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		ws_session_stop(s, METRICS_WS_DRAINED, leaving, true);
	}
	timer_set_ms(w->drained, 0);
	return true;
}

/* --- life ----------------------------------------------------------------- */

struct wsproxy *
wsproxy_create(const struct wsproxy_params *params)
{
	struct wsproxy *w = calloc(1, sizeof(*w));
	struct ws_peers_params peers = {
	    .base = params->base,
	    .resolve = params->resolve,
	    .tls = params->tls,
	    .host = params->host,
	    .port = params->port,
	    .unix_path = params->unix_path,
	    .message_max = params->message_max,
	    .queue_max = params->queue_max,
	    .connect_timeout_ms = params->connect_timeout_ms,
	    .memory = params->memory,
	};
	size_t i;

	if (w == NULL)
		return NULL;
	w->params = *params;
	TAILQ_INIT(&w->list);
	for (i = 0; i < WSPROXY_BUCKETS; i++)
		TAILQ_INIT(&w->bucket[i]);
	w->peers = ws_peers_create(&peers);
	if (w->peers == NULL) {
		free(w);
		return NULL;
	}
	w->drained = timer_create_ms(params->base, on_drained, w);
	return w;
}

void
wsproxy_free(struct wsproxy *w)
{
	struct ws_session *s;

	if (w == NULL)
		return;
	while ((s = TAILQ_FIRST(&w->list)) != NULL)
		ws_session_free(s);
	timer_clear(&w->drained);
	ws_peers_free(w->peers);
	free(w);
}
