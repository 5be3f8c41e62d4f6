/* SPDX-License-Identifier: MIT */
/*
 * The encodings of proto.h: each pair stands together, and lists the same
 * members in the same order. An encoder gives -1 rather than write what its
 * decoder refuses, so that a mistake shows where it was made.
 */
#include <string.h>

#include "pack.h"
#include "proto.h"

static struct pack
begin(uint8_t *space)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	return p;
}

static int
end(const struct pack *p)
{
	return pack_ok(p) ? (int)p->len : -1;
}

static void
put_enum(struct pack *p, unsigned v, unsigned count)
{
	if (v >= count)
		p->failed = true;
	pack_u8(p, (uint8_t)v);
}

static struct unpack
open_frame(const struct ipc_frame *frame)
{
	struct unpack u;

	unpack_init(&u, frame->payload, frame->len);
	return u;
}

/* An enumeration of `count` values; anything else fails the message. */
static unsigned
get_enum(struct unpack *u, unsigned count)
{
	unsigned v = unpack_u8(u);

	if (v >= count) {
		u->failed = true;
		return 0;
	}
	return v;
}

static bool
get_bool(struct unpack *u)
{
	return get_enum(u, 2) == 1;
}

static int
done(const struct unpack *u)
{
	return unpack_done(u) ? 0 : -1;
}

/* Only children introduce themselves. */
static bool
says_hello(enum proto_role role)
{
	return role == PROTO_WORKER || role == PROTO_TOKEND;
}

int
proto_put_hello(uint8_t *space, enum proto_role self)
{
	struct pack p = begin(space);

	if (!says_hello(self))
		return -1;
	pack_u8(&p, (uint8_t)self);
	pack_str(&p, proto_build());
	return end(&p);
}

int
proto_get_hello(const struct ipc_frame *frame, enum proto_role *role,
    char build[PROTO_BUILD_MAX])
{
	struct unpack u = open_frame(frame);

	*role = get_enum(&u, PROTO_CTL);
	unpack_str(&u, build, PROTO_BUILD_MAX);
	return says_hello(*role) ? done(&u) : -1;
}

int
proto_put_u8(uint8_t *space, uint8_t v)
{
	space[0] = v;
	return 1;
}

int
proto_get_u8(const struct ipc_frame *frame, uint8_t *v)
{
	struct unpack u = open_frame(frame);

	*v = unpack_u8(&u);
	return done(&u);
}

int
proto_put_log(uint8_t *space, const struct proto_log *l)
{
	struct pack p = begin(space);

	put_enum(&p, l->who, PROTO_LOG_WHOS);
	put_enum(&p, l->level, LOG_LEVEL_ERROR + 1);
	pack_u8(&p, l->journal);
	return end(&p);
}

int
proto_get_log(const struct ipc_frame *frame, struct proto_log *l)
{
	struct unpack u = open_frame(frame);

	l->who = get_enum(&u, PROTO_LOG_WHOS);
	l->level = get_enum(&u, LOG_LEVEL_ERROR + 1);
	l->journal = get_bool(&u);
	return done(&u);
}

int
proto_put_text(uint8_t *space, const char *text)
{
	struct pack p = begin(space);
	size_t len = strlen(text);

	pack_bytes(&p, text, len < PROTO_TEXT_MAX ? len : PROTO_TEXT_MAX - 1);
	return end(&p);
}

int
proto_get_text(const struct ipc_frame *frame, char text[PROTO_TEXT_MAX])
{
	struct unpack u = open_frame(frame);

	unpack_str(&u, text, PROTO_TEXT_MAX);
	return done(&u);
}

static bool
is_inspect(const char *token)
{
	return strspn(token, "0123456789abcdef") == PROTO_INSPECT_LEN &&
	    token[PROTO_INSPECT_LEN] == '\0';
}

int
proto_put_inspect(uint8_t *space, const char *token)
{
	struct pack p = begin(space);

	pack_str(&p, token);
	return is_inspect(token) ? end(&p) : -1;
}

int
proto_get_inspect(
    const struct ipc_frame *frame, char token[PROTO_INSPECT_LEN + 1])
{
	struct unpack u = open_frame(frame);

	unpack_str(&u, token, PROTO_INSPECT_LEN + 1);
	return done(&u) == 0 && is_inspect(token) ? 0 : -1;
}

/* There is a token in every state but one. */
static bool
token_agrees(const struct proto_token *t)
{
	return (t->state == PROTO_TOKEN_NONE) == (t->token[0] == '\0');
}

int
proto_put_token(uint8_t *space, const struct proto_token *t)
{
	struct pack p = begin(space);

	if (!token_agrees(t))
		return -1;
	put_enum(&p, t->state, PROTO_TOKEN_STATES);
	pack_i64(&p, t->exp_s);
	pack_str(&p, t->path_id);
	pack_str(&p, t->jti);
	pack_str(&p, t->token);
	return end(&p);
}

int
proto_get_token(const struct ipc_frame *frame, struct proto_token *t)
{
	struct unpack u = open_frame(frame);

	t->state = get_enum(&u, PROTO_TOKEN_STATES);
	t->exp_s = unpack_i64(&u);
	unpack_str(&u, t->path_id, sizeof(t->path_id));
	unpack_str(&u, t->jti, sizeof(t->jti));
	unpack_str(&u, t->token, sizeof(t->token));
	if (done(&u) == 0 && token_agrees(t))
		return 0;
	explicit_bzero(t, sizeof(*t));
	return -1;
}

int
proto_put_refused(uint8_t *space, const struct proto_refused *r)
{
	struct pack p = begin(space);

	pack_u16(&p, r->status);
	pack_str(&p, r->jti);
	return end(&p);
}

int
proto_get_refused(const struct ipc_frame *frame, struct proto_refused *r)
{
	struct unpack u = open_frame(frame);

	r->status = unpack_u16(&u);
	unpack_str(&u, r->jti, sizeof(r->jti));
	return done(&u);
}

/* A refresh that went well, and no other, brings a token. */
static bool
put_agrees(const struct proto_put *t)
{
	return (t->outcome == PROTO_REFRESH_OK) == (t->token[0] != '\0');
}

int
proto_put_put(uint8_t *space, const struct proto_put *t)
{
	struct pack p = begin(space);

	if (!put_agrees(t))
		return -1;
	put_enum(&p, t->outcome, PROTO_REFRESHES);
	pack_str(&p, t->token);
	return end(&p);
}

int
proto_get_put(const struct ipc_frame *frame, struct proto_put *t)
{
	struct unpack u = open_frame(frame);

	t->outcome = get_enum(&u, PROTO_REFRESHES);
	unpack_str(&u, t->token, sizeof(t->token));
	if (done(&u) == 0 && put_agrees(t))
		return 0;
	explicit_bzero(t, sizeof(*t));
	return -1;
}

int
proto_put_worker_status(uint8_t *space, const struct proto_worker_status *s)
{
	struct pack p = begin(space);

	pack_u8(&p, s->tunnels);
	pack_u8(&p, s->tunnels_joined);
	put_enum(&p, s->tunnel, PROTO_TUNNELS);
	put_enum(&p, s->last_reason, PROTO_REASONS);
	pack_u16(&p, s->last_detail);
	pack_u8(&p, s->ready);
	pack_u8(&p, s->draining);
	pack_i64(&p, s->joined_ms);
	pack_i64(&p, s->heartbeat_ms);
	pack_i64(&p, s->retry_ms);
	pack_u64(&p, s->requests);
	pack_u64(&p, s->failures);
	pack_u64(&p, s->in_flight);
	pack_u64(&p, s->reconnects);
	pack_u64(&p, s->rejoins);
	put_enum(&p, s->breaker, PROTO_BREAKERS);
	pack_u64(&p, s->memory);
	pack_u64(&p, s->memory_max);
	pack_u64(&p, s->message_accepted);
	pack_u64(&p, s->message_refused);
	pack_u8(&p, s->tracing);
	pack_u64(&p, s->spans);
	pack_u64(&p, s->spans_lost);
	pack_u64(&p, s->spans_waiting);
	pack_str(&p, s->trace_error);
	return end(&p);
}

int
proto_get_worker_status(
    const struct ipc_frame *frame, struct proto_worker_status *s)
{
	struct unpack u = open_frame(frame);

	s->tunnels = unpack_u8(&u);
	s->tunnels_joined = unpack_u8(&u);
	s->tunnel = get_enum(&u, PROTO_TUNNELS);
	s->last_reason = get_enum(&u, PROTO_REASONS);
	s->last_detail = unpack_u16(&u);
	s->ready = get_bool(&u);
	s->draining = get_bool(&u);
	s->joined_ms = unpack_i64(&u);
	s->heartbeat_ms = unpack_i64(&u);
	s->retry_ms = unpack_i64(&u);
	s->requests = unpack_u64(&u);
	s->failures = unpack_u64(&u);
	s->in_flight = unpack_u64(&u);
	s->reconnects = unpack_u64(&u);
	s->rejoins = unpack_u64(&u);
	s->breaker = get_enum(&u, PROTO_BREAKERS);
	s->memory = unpack_u64(&u);
	s->memory_max = unpack_u64(&u);
	s->message_accepted = unpack_u64(&u);
	s->message_refused = unpack_u64(&u);
	s->tracing = get_bool(&u);
	s->spans = unpack_u64(&u);
	s->spans_lost = unpack_u64(&u);
	s->spans_waiting = unpack_u64(&u);
	unpack_str(&u, s->trace_error, sizeof(s->trace_error));
	return done(&u);
}

int
proto_put_tokend_status(uint8_t *space, const struct proto_tokend_status *s)
{
	struct pack p = begin(space);

	put_enum(&p, s->state, PROTO_TOKEN_STATES);
	put_enum(&p, s->source, PROTO_SOURCES);
	pack_i64(&p, s->iat_s);
	pack_i64(&p, s->exp_s);
	pack_i64(&p, s->refresh_in_ms);
	pack_u64(&p, s->refreshes);
	pack_u64(&p, s->refresh_failures);
	pack_u64(&p, s->rows);
	pack_u64(&p, s->unreadable);
	pack_u32(&p, s->set_aside);
	pack_u8(&p, s->verified);
	pack_u8(&p, s->unsaved);
	pack_str(&p, s->path_id);
	pack_str(&p, s->sub);
	pack_str(&p, s->jti);
	pack_str(&p, s->refusal);
	return end(&p);
}

int
proto_get_tokend_status(
    const struct ipc_frame *frame, struct proto_tokend_status *s)
{
	struct unpack u = open_frame(frame);

	s->state = get_enum(&u, PROTO_TOKEN_STATES);
	s->source = get_enum(&u, PROTO_SOURCES);
	s->iat_s = unpack_i64(&u);
	s->exp_s = unpack_i64(&u);
	s->refresh_in_ms = unpack_i64(&u);
	s->refreshes = unpack_u64(&u);
	s->refresh_failures = unpack_u64(&u);
	s->rows = unpack_u64(&u);
	s->unreadable = unpack_u64(&u);
	s->set_aside = unpack_u32(&u);
	s->verified = get_bool(&u);
	s->unsaved = get_bool(&u);
	unpack_str(&u, s->path_id, sizeof(s->path_id));
	unpack_str(&u, s->sub, sizeof(s->sub));
	unpack_str(&u, s->jti, sizeof(s->jti));
	unpack_str(&u, s->refusal, sizeof(s->refusal));
	return done(&u);
}

int
proto_put_supervisor_status(
    uint8_t *space, const struct proto_supervisor_status *s)
{
	struct pack p = begin(space);

	pack_i64(&p, s->uptime_ms);
	pack_u32(&p, s->pid);
	pack_u32(&p, s->worker_pid);
	pack_u32(&p, s->tokend_pid);
	pack_u32(&p, s->generation);
	pack_u32(&p, s->worker_restarts);
	pack_u32(&p, s->tokend_restarts);
	pack_u8(&p, s->root);
	pack_str(&p, s->version);
	pack_str(&p, s->config);
	pack_str(&p, s->inspect);
	return end(&p);
}

int
proto_get_supervisor_status(
    const struct ipc_frame *frame, struct proto_supervisor_status *s)
{
	struct unpack u = open_frame(frame);

	s->uptime_ms = unpack_i64(&u);
	s->pid = unpack_u32(&u);
	s->worker_pid = unpack_u32(&u);
	s->tokend_pid = unpack_u32(&u);
	s->generation = unpack_u32(&u);
	s->worker_restarts = unpack_u32(&u);
	s->tokend_restarts = unpack_u32(&u);
	s->root = get_bool(&u);
	unpack_str(&u, s->version, sizeof(s->version));
	unpack_str(&u, s->config, sizeof(s->config));
	unpack_str(&u, s->inspect, sizeof(s->inspect));
	return done(&u);
}

int
proto_put_sandbox(uint8_t *space, const struct proto_sandbox *s)
{
	struct pack p = begin(space);

	put_enum(&p, s->process, SANDBOX_PROCESSES);
	pack_u32(&p, sandbox_pack(&s->level));
	pack_u32(&p, s->violations);
	return end(&p);
}

int
proto_put_figures(uint8_t *space, const struct proto_figures *f)
{
	struct pack p = begin(space);
	size_t i;

	pack_i64(&p, f->exp_s);
	for (i = 0; i < PROTO_REFRESHES; i++)
		pack_u64(&p, f->refreshes[i]);
	pack_u64(&p, f->unusable);
	pack_u64(&p, f->refused);
	for (i = 0; i < PROTO_STORE_ERRORS; i++)
		pack_u64(&p, f->errors[i]);
	pack_u64(&p, f->rows);
	pack_u8(&p, f->unsaved);
	return end(&p);
}

int
proto_get_sandbox(const struct ipc_frame *frame, struct proto_sandbox *s)
{
	struct unpack u = open_frame(frame);
	uint32_t level;

	s->process = get_enum(&u, SANDBOX_PROCESSES);
	level = unpack_u32(&u);
	sandbox_unpack(&s->level, level);
	if (sandbox_pack(&s->level) != level)
		u.failed = true; /* bits that nobody sets */
	s->violations = unpack_u32(&u);
	return done(&u);
}

int
proto_get_figures(const struct ipc_frame *frame, struct proto_figures *f)
{
	struct unpack u = open_frame(frame);
	size_t i;

	f->exp_s = unpack_i64(&u);
	for (i = 0; i < PROTO_REFRESHES; i++)
		f->refreshes[i] = unpack_u64(&u);
	f->unusable = unpack_u64(&u);
	f->refused = unpack_u64(&u);
	for (i = 0; i < PROTO_STORE_ERRORS; i++)
		f->errors[i] = unpack_u64(&u);
	f->rows = unpack_u64(&u);
	f->unsaved = get_bool(&u);
	return done(&u);
}

int
proto_put_report(uint8_t *space, const struct proto_report *r)
{
	struct pack p = begin(space);

	pack_u8(&p, r->code);
	pack_u8(&p, r->stored);
	pack_u8(&p, r->current);
	pack_u8(&p, r->previous);
	pack_u64(&p, r->rows);
	pack_u64(&p, r->resealed);
	pack_u64(&p, r->unreadable);
	pack_i64(&p, r->exp_s);
	pack_str(&p, r->path_id);
	pack_str(&p, r->jti);
	pack_str(&p, r->text);
	return end(&p);
}

int
proto_get_report(const struct ipc_frame *frame, struct proto_report *r)
{
	struct unpack u = open_frame(frame);

	r->code = unpack_u8(&u);
	r->stored = get_bool(&u);
	r->current = get_bool(&u);
	r->previous = get_bool(&u);
	r->rows = unpack_u64(&u);
	r->resealed = unpack_u64(&u);
	r->unreadable = unpack_u64(&u);
	r->exp_s = unpack_i64(&u);
	unpack_str(&u, r->path_id, sizeof(r->path_id));
	unpack_str(&u, r->jti, sizeof(r->jti));
	unpack_str(&u, r->text, sizeof(r->text));
	return done(&u);
}
