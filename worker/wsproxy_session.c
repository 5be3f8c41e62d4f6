/* SPDX-License-Identifier: MIT */
/*
 * checking → kept → open, or connecting → open; and one end, which takes the
 * application's side along, tells Plugboard, is counted, and is one line in
 * the log.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "log.h"
#include "timer.h"
#include "tunnel.h"
#include "utf8.h"
#include "util.h"
#include "ws_base64.h"
#include "wsproxy_parts.h"

#define REQUEST_MAX (128 * 1024)

/* --- the list ------------------------------------------------------------- */

static struct ws_session_list *
bucket_of(struct wsproxy *w, const char *id)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	for (; *id != '\0'; id++)
		h = (h ^ (uint8_t)*id) * 16777619U;
	return &w->bucket[h % WSPROXY_BUCKETS];
}

/* A check_id is in no bucket: nothing asks for it. */
struct ws_session *
ws_session_find(struct wsproxy *w, const struct tunnel *tunnel, const char *id)
{
	struct ws_session *s;

	TAILQ_FOREACH(s, bucket_of(w, id), bucket)
	if (s->tunnel == tunnel && strcmp(s->id, id) == 0)
		return s;
	return NULL;
}

static bool
is_connection(const struct ws_session *s)
{
	return s->state >= SESSION_CONNECTING;
}

static void
count(struct wsproxy *w, int n)
{
	w->count += (unsigned)n;
	metrics_set(w->params.metrics, METRICS_WS_SESSIONS, w->count);
}

/* One that no ws_connect has made a session: the log and the counters have no
 * record of it, but its trace has. */
static void
note_check(struct ws_session *s)
{
	struct ledger_entry *e = &s->entry;
	bool kept = s->state == SESSION_KEPT;

	e->ws = true;
	(void)util_strlcpy(e->id, s->id, sizeof(e->id));
	ledger_set_path(e, (const uint8_t *)s->path, strlen(s->path));
	e->ended_us = util_mono_us();
	e->heard_us = kept ? e->ended_us : 0;
	e->ws_outcome = kept ? "not_fetched" : "refused";
	e->cause = kept ? NULL : "refused";
}

void
ws_session_free(struct ws_session *s)
{
	struct wsproxy *w = s->owner;

	if (is_connection(s))
		TAILQ_REMOVE(bucket_of(w, s->id), s, bucket);
	TAILQ_REMOVE(&w->list, s, link);
	count(w, -1);
	if (s->entered)
		ledger_end(w->params.ledger, &s->entry);
	else
		note_check(s);
	trace_end(s->trace, &s->entry);
	ws_send_forget(s);
	ws_peer_close(s->peer, 1001, "", 0);
	timer_clear(&s->timer);
	buf_wipe(&s->request);
	free(s);
}

/* --- ends ----------------------------------------------------------------- */

struct outcome {
	enum metrics_id metric;
	const char *text; /* "closed by the client" */
	const char *detail;
	int code; /* 0: none */
};

/* In the order of METRICS_WS's rows; those that are a success have no cause. */
static const struct {
	const char *name, *cause;
} outcomes[] = {
    {"client", NULL},
    {"backend", NULL},
    {"refused", "refused"},
    {"fault", "fault"},
    {"stuck", "stuck"},
    {"idle", NULL},
    {"lost", "tunnel_lost"},
    {"drained", NULL},
};

static void
log_outcome(struct ws_session *s, const struct outcome *o)
{
	struct ledger_entry *e = &s->entry;
	size_t which = (size_t)(o->metric - METRICS_WS_CLIENT);
	char code[24] = "";

	if (o->code != 0)
		(void)util_fmt(code, sizeof(code), " (%d)", o->code);
	(void)util_fmt(e->reason, sizeof(e->reason), "%s%s%s%s", o->text, code,
	    o->detail != NULL ? ": " : "", o->detail != NULL ? o->detail : "");
	e->ws_outcome = outcomes[which].name;
	e->cause = outcomes[which].cause;
	e->status = o->code;
	metrics_add(s->owner->params.metrics, o->metric, 1);
}

/* From here on there is a client, and its end will be a record. */
static void
enter(struct ws_session *s)
{
	struct ledger_entry *e = &s->entry;

	e->ws = true;
	(void)util_strlcpy(e->id, s->id, sizeof(e->id));
	(void)util_strlcpy(e->method, "WS", sizeof(e->method));
	ledger_set_path(e, (const uint8_t *)s->path, strlen(s->path));
	e->tunnel = tunnel_number(s->tunnel);
	e->ws_outcome = e->cause = "lost";
	(void)util_strlcpy(
	    e->reason, "telephone ended before it", sizeof(e->reason));
	ledger_begin(s->owner->params.ledger, e);
	e->called_us = e->tried_us = s->began_us;
	e->tries = 1;
	s->entered = true;
}

/* Of one that was open. The peer was closed or is gone. */
static void
end(struct ws_session *s, const struct outcome *o)
{
	s->peer = NULL;
	log_outcome(s, o);
	ws_session_free(s);
}

/* A fault of one side: both are closed with this code. */
static void
end_both(
    struct ws_session *s, enum metrics_id metric, int code, const char *text)
{
	struct outcome o = {.metric = metric, .text = text, .code = code};

	ws_peer_close(s->peer, code, text, strlen(text));
	ws_send_closed(s, code, text, strlen(text));
	end(s, &o);
}

static void
refuse(struct ws_session *s, const struct ws_end *e)
{
	const char *error = e->status >= 400 ? NULL
	    : e->status != 0		     ? "handshake_refused"
					     : "handshake_failed";
	struct outcome o = {
	    .metric = METRICS_WS_REFUSED,
	    .text = e->text,
	    .detail = e->detail,
	};
	char reason[160];

	(void)util_strlcpy(reason, e->text, sizeof(reason));
	if (e->status != 0)
		(void)util_fmt(reason, sizeof(reason), "%s: status %d", e->text,
		    e->status);
	o.text = reason;
	trace_called(s->trace, e->status, error);
	if (s->state == SESSION_CHECKING) {
		metrics_add(
		    s->owner->params.metrics, METRICS_WS_CHECKS_REFUSED, 1);
		log_info("WebSocket check %s: %s: %s%s%s", s->id, s->path,
		    reason, e->detail != NULL ? ": " : "",
		    e->detail != NULL ? e->detail : "");
		ws_send_check_result(s->owner, s->tunnel, s->id, NULL, reason);
		s->peer = NULL;
		ws_session_free(s);
		return;
	}
	ws_send_error(s->owner, s->tunnel, s->id, reason);
	end(s, &o);
}

void
ws_session_stop(
    struct ws_session *s, enum metrics_id outcome, const char *why, bool say)
{
	struct outcome o = {.metric = outcome, .text = why, .code = 1001};

	ws_peer_close(s->peer, 1001, why, strlen(why));
	s->peer = NULL;
	if (say && s->state == SESSION_CHECKING)
		ws_send_check_result(s->owner, s->tunnel, s->id, NULL, why);
	if (!is_connection(s)) {
		ws_session_free(s);
		return;
	}
	if (say && s->state == SESSION_CONNECTING)
		ws_send_error(s->owner, s->tunnel, s->id, why);
	else if (say)
		ws_send_closed(s, 1001, why, strlen(why));
	end(s, &o);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ws_session *s = arg;
	int64_t left_ms =
	    s->active_ms + s->owner->params.idle_timeout_ms - util_mono_ms();

	(void)fd;
	(void)what;
	if (s->state == SESSION_OPEN && left_ms > 0) {
		timer_set_ms(s->timer, left_ms);
	} else if (s->state == SESSION_OPEN) {
		ws_session_stop(s, METRICS_WS_IDLE,
		    "no message for longer than WS_IDLE_TIMEOUT", true);
	} else {
		log_info("WebSocket check %s: %s: no ws_connect followed",
		    s->id, s->path);
		ws_session_stop(s, METRICS_WS_IDLE, "not wanted", false);
	}
}

/* --- the application's side ----------------------------------------------- */

static void
set_open(struct ws_session *s)
{
	const struct wsproxy_params *p = &s->owner->params;

	s->state = SESSION_OPEN;
	s->entry.heard_us = util_mono_us();
	s->entry.connect_us = s->entry.heard_us - s->began_us;
	s->active_ms = util_mono_ms();
	timer_stop(s->timer);
	if (p->idle_timeout_ms > 0)
		timer_set_ms(s->timer, p->idle_timeout_ms);
	ws_send_connected(s);
	log_debug("WebSocket %s: %s: open", s->id, s->path);
}

static void
on_open(const char *protocol, void *arg)
{
	struct ws_session *s = arg;

	trace_called(s->trace, 101, NULL);
	(void)util_strlcpy(s->protocol, protocol, sizeof(s->protocol));
	if (s->state == SESSION_CONNECTING) {
		buf_wipe(&s->request);
		set_open(s);
		return;
	}
	s->state = SESSION_KEPT;
	ws_peer_pause(s->peer, true);
	timer_set_ms(s->timer, WSPROXY_KEEP_MS);
	metrics_add(s->owner->params.metrics, METRICS_WS_CHECKS_OK, 1);
	ws_send_check_result(s->owner, s->tunnel, s->id, s->protocol, NULL);
}

static void
on_message(enum ws_opcode opcode, uint8_t *data, size_t len, void *arg)
{
	struct ws_session *s = arg;
	struct metrics *m = s->owner->params.metrics;

	if (!ws_send_fits(s, len)) {
		end_both(s, METRICS_WS_FAULT, 1009,
		    "the message is longer than plugboard takes");
		return;
	}
	s->active_ms = util_mono_ms();
	s->entry.messages_out++;
	s->entry.bytes_out += (int64_t)len;
	metrics_add(m, METRICS_WS_MESSAGES_FROM, 1);
	metrics_add(m, METRICS_WS_BYTES_FROM, (int64_t)len);
	if (ws_send_frame(s, opcode, data, len) == -1)
		end_both(
		    s, METRICS_WS_FAULT, 1011, "telephone is out of memory");
}

static void
on_gone(const struct ws_end *e, void *arg)
{
	struct ws_session *s = arg;
	struct outcome o = {
	    .metric = e->by_peer ? METRICS_WS_BACKEND : METRICS_WS_FAULT,
	    .text = e->text,
	    .detail = e->detail,
	    .code = e->code,
	};

	s->peer = NULL;
	if (!e->opened) {
		refuse(s, e);
		return;
	}
	if (!is_connection(s)) { /* kept, and gone before it was wanted */
		ws_session_free(s);
		return;
	}
	if (e->by_peer)
		ws_send_closed(
		    s, ws_code_to_wire(e->code), e->reason, e->reason_len);
	else
		ws_send_closed(s, e->code, e->text, strlen(e->text));
	end(s, &o);
}

static const struct ws_peer_ops peer_ops = {on_open, on_message, on_gone};

/* --- the client's side ---------------------------------------------------- */

/* NULL, or why this is no message. */
static const char *
judge(struct ws_event *e, enum ws_opcode opcode)
{
	if (opcode == WS_CONTINUATION)
		return "a ws_frame of unknown opcode";
	if (!ws_base64_decode(&e->data))
		return "the data of a ws_frame are not base64";
	if (opcode >= WS_CLOSE && e->data.len > WS_CONTROL_MAX)
		return "a ping or pong is longer than 125 bytes";
	return NULL;
}

static void
end_malformed(struct ws_session *s, const char *why)
{
	struct outcome o = {
	    .metric = METRICS_WS_FAULT, .text = why, .code = 1011};

	ws_peer_close(s->peer, 1011, "", 0);
	ws_send_error(s->owner, s->tunnel, s->id, why);
	end(s, &o);
}

static void
end_stuck(struct ws_session *s)
{
	static const char why[] = "the application takes too little of what "
				  "is sent to it";
	struct outcome o = {
	    .metric = METRICS_WS_STUCK, .text = why, .code = 1011};

	ws_peer_drop(s->peer);
	ws_send_closed(s, 1011, why, strlen(why));
	end(s, &o);
}

void
ws_session_frame(struct ws_session *s, struct ws_event *e)
{
	enum ws_opcode opcode = ws_opcode_of(e->opcode.data, e->opcode.len);
	struct metrics *m = s->owner->params.metrics;
	const char *why = judge(e, opcode);

	s->active_ms = util_mono_ms();
	if (why != NULL) {
		end_malformed(s, why);
		return;
	}
	if (e->data.len > s->owner->params.message_max) {
		end_both(s, METRICS_WS_FAULT, 1009,
		    "the message is longer than WS_MAX_MESSAGE");
		return;
	}
	if (opcode == WS_TEXT && !utf8_is_valid(e->data.data, e->data.len)) {
		end_both(s, METRICS_WS_FAULT, 1007, "the text is not UTF-8");
		return;
	}
	s->entry.messages_in++;
	s->entry.bytes_in += (int64_t)e->data.len;
	metrics_add(m, METRICS_WS_MESSAGES_TO, 1);
	metrics_add(m, METRICS_WS_BYTES_TO, (int64_t)e->data.len);
	if (ws_peer_send(s->peer, opcode, e->data.data, e->data.len) == -1)
		end_stuck(s);
}

void
ws_session_too_long(struct ws_session *s)
{
	end_both(s, METRICS_WS_FAULT, 1009,
	    "the message is longer than MAX_REQUEST_SIZE");
}

/* What the application is told of a client's end: its own code; that a client
 * just vanished (1006) is 1001, as for one that navigated away. */
static int
code_to_backend(int64_t code)
{
	return code == 1006 ? 1001 : ws_code_to_wire(code);
}

void
ws_session_closed(struct ws_session *s, const struct ws_event *e)
{
	struct outcome o = {
	    .metric = METRICS_WS_CLIENT,
	    .text = "closed by the client",
	    .code = code_to_backend(e->code),
	};

	ws_peer_close(s->peer, o.code,
	    e->reason.len > 0 ? (const char *)e->reason.data : "",
	    e->reason.len);
	end(s, &o);
}

/* --- beginnings ----------------------------------------------------------- */

/* The path without its query: between "GET " and what may not stand in it. */
static void
name_path(struct ws_session *s)
{
	const char *line = (const char *)s->request.data + 4;
	size_t n = strcspn(line, " ?");

	if (n >= sizeof(s->path))
		n = sizeof(s->path) - 1;
	memcpy(s->path, line, n);
	s->path[n] = '\0';
}

/* The handshake is the call; its own fields are no part of the question. */
static void
begin_trace(struct ws_session *s, struct ws_question *q)
{
	struct trace_fields f;

	s->trace = trace_begin(s->owner->params.trace, &q->parent, &s->entry);
	if (!trace_call(s->trace, &f))
		return;
	(void)buf_printf(q->request, "traceparent: %s\r\n", f.parent);
	if (f.state[0] != '\0')
		(void)buf_printf(q->request, "tracestate: %s\r\n", f.state);
}

struct ws_session *
ws_session_create(
    struct wsproxy *w, struct tunnel *tunnel, struct ws_question *q)
{
	struct ws_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->owner = w;
	s->tunnel = tunnel;
	s->state = q->is_check ? SESSION_CHECKING : SESSION_CONNECTING;
	s->active_ms = util_mono_ms();
	s->began_us = util_mono_us();
	LIST_INIT(&s->outgoing);
	(void)util_strlcpy(s->id, q->id, sizeof(s->id));
	buf_init(&s->request, REQUEST_MAX);
	if (buf_append(&s->request, q->request->data, q->request->len) == 0 &&
	    buf_putc(&s->request, '\0') == 0) {
		s->request.len--;
		begin_trace(s, q);
		if (!q->request->failed)
			s->peer =
			    ws_peer_connect(w->peers, q->request, &peer_ops, s);
	}
	if (s->peer == NULL) {
		trace_forget(s->trace);
		buf_wipe(&s->request);
		free(s);
		return NULL;
	}
	name_path(s);
	s->timer = timer_create_ms(w->params.base, on_timer, s);
	TAILQ_INSERT_TAIL(&w->list, s, link);
	if (!q->is_check) {
		TAILQ_INSERT_TAIL(bucket_of(w, s->id), s, bucket);
		enter(s);
	}
	count(w, 1);
	return s;
}

void
ws_session_adopt(struct ws_session *s, const char *connection_id)
{
	(void)util_strlcpy(s->id, connection_id, sizeof(s->id));
	TAILQ_INSERT_TAIL(bucket_of(s->owner, s->id), s, bucket);
	s->began_us = util_mono_us();
	buf_wipe(&s->request);
	enter(s);
	set_open(s);
	ws_peer_pause(s->peer, false);
}
