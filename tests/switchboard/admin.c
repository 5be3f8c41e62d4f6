/* SPDX-License-Identifier: MIT */
/*
 * admin: one function for each path.  Arguments come in the query string, or
 * for a form body (curl -d) in the body, except where the body is a payload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "board.h"
#include "call.h"
#include "fault.h"
#include "json.h"
#include "phx.h"
#include "record.h"
#include "text.h"
#include "tokens.h"
#include "ws.h"
#include "wscall.h"

static void
reply_buf(struct http *h, const char *type, struct buf *body)
{
	char extra[96];

	snprintf(extra, sizeof(extra), "content-type: %s\r\n", type);
	http_reply(h, 200, extra, body);
	buf_clear(body);
}

/* What was done to how many sockets; 404 when it was none. */
static void
reply_sockets(struct http *h, int n)
{
	struct buf body = BUF_INIT;

	if (n == 0) {
		http_reply_text(h, 404, "no such socket");
		return;
	}
	buf_addf(&body, "{\"sockets\":%d}\n", n);
	reply_buf(h, "application/json", &body);
}

/* An integer argument, or def when it is not given; -1 when it is none. */
static int
get_int(const char *args, const char *key, int64_t def, int64_t *out)
{
	char *s = text_query_get(args, key);
	int r = 0;

	*out = def;
	if (s != NULL)
		r = text_int(s, out);
	free(s);
	return r;
}

static char *
get_string(const char *args, const char *key, const char *def)
{
	char *s = text_query_get(args, key);

	return s != NULL ? s : buf_strdup(def);
}

static void
answer_token(struct http *h, const char *args)
{
	struct buf body = BUF_INIT;
	char uuid[TEXT_UUID_SIZE], *token;
	int64_t ttl, iat, now = board_wall_s();
	struct jwt t;

	if (get_int(args, "ttl", 3600, &ttl) == -1 ||
	    get_int(args, "iat", 0, &iat) == -1 || llabs(ttl) > INT32_MAX ||
	    llabs(iat) > INT32_MAX) {
		http_reply_text(h, 400, "ttl and iat are seconds");
		return;
	}
	text_uuid(uuid);
	t.sub = get_string(args, "sub", "telephone");
	t.path_id = get_string(args, "path_id", "demo");
	t.jti = get_string(args, "jti", uuid);
	t.iat = now + iat;
	t.exp = now + ttl;
	if (text_is_utf8(t.sub, strlen(t.sub)) &&
	    text_is_utf8(t.path_id, strlen(t.path_id)) &&
	    text_is_utf8(t.jti, strlen(t.jti))) {
		token = tokens_issue(&t);
		buf_adds(&body, token);
		free(token);
		reply_buf(h, "text/plain", &body);
	} else
		http_reply_text(h, 400, "not UTF-8");
	jwt_clear(&t);
}

static void
answer_state(struct http *h, const char *args)
{
	struct buf body = BUF_INIT;

	(void)args;
	buf_adds(&body, "{\"sockets\":");
	phx_put(&body);
	buf_adds(&body, ",\"counters\":");
	board_put_counts(&body);
	buf_addf(&body,
	    ",\"in_flight\":%zu,\"ws_connections\":%zu,"
	    "\"log_last\":%llu,\"t\":%lld,\"settings\":",
	    call_count(), wscall_count(), (unsigned long long)record_last(),
	    (long long)board_now_ms());
	settings_put(&board.settings, &body);
	buf_adds(&body, "}\n");
	reply_buf(h, "application/json", &body);
}

static void
answer_log(struct http *h, const char *args)
{
	struct buf body = BUF_INIT;
	int64_t since;

	if (get_int(args, "since", 0, &since) == -1 || since < 0) {
		http_reply_text(h, 400, "since is a number");
		return;
	}
	record_put(&body, (uint64_t)since);
	reply_buf(h, "application/x-ndjson", &body);
}

/* One key=value of p into s; -1 when it is unknown or not allowed. */
static int
set_one(struct settings *s, const char *p, size_t len)
{
	struct buf pair = BUF_INIT;
	char *text, *value;
	int r = -1;

	if (text_percent_decode(p, len, true, &pair) == 0) {
		text = buf_str(&pair);
		if ((value = strchr(text, '=')) != NULL) {
			*value++ = '\0';
			r = settings_set(s, text, value);
		}
	}
	buf_clear(&pair);
	return r;
}

/* All or nothing. */
static void
answer_set(struct http *h, const char *args)
{
	struct settings copy = board.settings;
	struct buf body = BUF_INIT;
	size_t len;

	for (const char *p = args; *p != '\0'; p += len) {
		p += strspn(p, "&");
		if ((len = strcspn(p, "&")) > 0 &&
		    set_one(&copy, p, len) == -1) {
			http_reply_text(h, 400, "unknown key or bad value");
			return;
		}
	}
	board.settings = copy;
	phx_settings_changed();
	record_event(0, "set", "%s", args);
	settings_put(&board.settings, &body);
	buf_addc(&body, '\n');
	reply_buf(h, "application/json", &body);
}

static int
read_fault(const char *args, struct fault *f, char **kind, char **reason)
{
	char *bytes = text_query_get(args, "bytes");
	int64_t socket, code;
	int r = 0;

	memset(f, 0, sizeof(*f));
	f->kind = *kind = get_string(args, "kind", "");
	f->reason = *reason = get_string(args, "reason", "");
	if (get_int(args, "socket", 0, &socket) == -1 || socket < 0 ||
	    get_int(args, "code", 1000, &code) == -1 || code < 0 ||
	    code > 65535 || get_int(args, "ms", 0, &f->ms) == -1 || f->ms < 0 ||
	    f->ms > 3600000 ||
	    (bytes != NULL && text_unhex(bytes, &f->bytes) == -1))
		r = -1;
	else {
		f->socket = (uint64_t)socket;
		f->code = (int)code;
	}
	free(bytes);
	return r;
}

static void
answer_fault(struct http *h, const char *args)
{
	struct fault f;
	char *kind, *reason;
	int n = -1;

	if (read_fault(args, &f, &kind, &reason) == 0)
		n = fault_do(&f);
	if (n == -1)
		http_reply_text(h, 400, "unknown kind or bad argument");
	else if (n == 0 && strcmp(kind, "restart") == 0)
		http_reply_text(h, 200, "no sockets");
	else
		reply_sockets(h, n);
	buf_clear(&f.bytes);
	free(kind);
	free(reason);
}

/* Kick: Plugboard closes the sockets of a telephone. */
static void
answer_kick(struct http *h, const char *args)
{
	struct fault f;
	char *kind, *reason;

	if (read_fault(args, &f, &kind, &reason) == 0) {
		f.kind = "close";
		reply_sockets(h, fault_do(&f));
	} else
		http_reply_text(h, 400, "bad argument");
	buf_clear(&f.bytes);
	free(kind);
	free(reason);
}

static void
answer_push(struct http *h, const char *args)
{
	const struct buf *body = &http_request(h)->body;
	char *event = text_query_get(args, "event");
	struct phx *p = NULL;
	int64_t socket;
	int n = 0;

	if (event == NULL || !text_is_utf8(event, strlen(event)) ||
	    get_int(args, "socket", 0, &socket) == -1)
		n = -1;
	while (n >= 0 && (p = phx_next(p)) != NULL) {
		if (!p->channel.joined ||
		    (socket != 0 && p->id != (uint64_t)socket))
			continue;
		if (body->len > 0)
			channel_push(p, event, body->data, body->len);
		else
			channel_push(p, event, "{}", 2);
		n++;
	}
	free(event);
	if (n == -1)
		http_reply_text(h, 400, "event= is needed");
	else
		reply_sockets(h, n);
}

static void
answer_raw(struct http *h, const char *args)
{
	const struct buf *body = &http_request(h)->body;
	struct phx *p = NULL;
	int64_t socket;
	int n = 0;

	if (get_int(args, "socket", 0, &socket) == -1) {
		http_reply_text(h, 400, "bad argument");
		return;
	}
	while ((p = phx_next(p)) != NULL)
		if (socket == 0 || p->id == (uint64_t)socket) {
			phx_send(p, body->data, body->len);
			n++;
		}
	reply_sockets(h, n);
}

static void
answer_revoke(struct http *h, const char *args)
{
	char *jti = text_query_get(args, "jti");

	if (jti == NULL) {
		http_reply_text(h, 400, "jti= is needed");
		return;
	}
	tokens_revoke(jti);
	record_event(0, "revoke", "%s", jti);
	free(jti);
	http_reply_text(h, 200, "revoked");
}

static const struct {
	const char *method, *path;
	void (*answer)(struct http *, const char *args);
	bool is_payload; /* the body is none of arguments */
} table[] = {
    {"POST", "/admin/token", answer_token, false},
    {"GET", "/admin/state", answer_state, false},
    {"GET", "/admin/log", answer_log, false},
    {"POST", "/admin/set", answer_set, false},
    {"POST", "/admin/fault", answer_fault, false},
    {"POST", "/admin/kick", answer_kick, false},
    {"POST", "/admin/push", answer_push, true},
    {"POST", "/admin/raw", answer_raw, true},
    {"POST", "/admin/revoke", answer_revoke, false},
};

void
admin_answer(struct http *h)
{
	const struct request *r = http_request(h);
	struct buf args = BUF_INIT;

	buf_adds(&args, r->query);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].path, r->path) != 0)
			continue;
		if (strcmp(table[i].method, r->method) != 0) {
			http_reply_text(h, 405, table[i].method);
			goto done;
		}
		if (!table[i].is_payload && r->body.len > 0) {
			buf_adds(&args, args.len > 0 ? "&" : "");
			buf_add(&args, r->body.data, r->body.len);
		}
		table[i].answer(h, buf_str(&args));
		goto done;
	}
	http_reply_text(h, 404, "no such admin path");
done:
	buf_clear(&args);
}
