/* SPDX-License-Identifier: MIT */
/*
 * The payloads of proto.h. Each pair of functions is written against one list
 * of fields, in the order of the struct. An encoder gives -1 rather than
 * write what its decoder refuses, so that a mistake shows where it was made.
 */
#include <string.h>

#include "pack.h"
#include "proto.h"
#include "util.h"
#include "version.h"

/* Raised with every change that an older binary would misread. */
#define IPC_REVISION "ipc1"

/* Length of what was packed, or -1; `valid` is what the caller knows of its
 * values. */
static int
packed(const struct pack *p, bool valid)
{
	return valid && pack_ok(p) ? (int)p->len : -1;
}

static void
unpack_frame(struct unpack *u, const struct ipc_frame *f)
{
	unpack_init(u, f->payload, f->len);
}

/* A byte below count; beyond it the whole payload is malformed. */
static unsigned
unpack_enum(struct unpack *u, unsigned count)
{
	unsigned v = unpack_u8(u);

	if (v >= count) {
		u->failed = true;
		return 0;
	}
	return v;
}

static bool
unpack_bool(struct unpack *u)
{
	return unpack_enum(u, 2) == 1;
}

/* True when s ends within its field of size bytes. */
static bool
fits(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

/* Packs a field of size bytes; one that is not terminated fails. */
static void
pack_field(struct pack *p, const char *s, size_t size)
{
	if (fits(s, size))
		pack_str(p, s);
	else
		p->failed = true;
}

const char *
proto_build(void)
{
	static char build[PROTO_BUILD_MAX];

	if (build[0] == '\0')
		util_fmt(build, sizeof(build), "%.100s " IPC_REVISION, version);
	return build;
}

/* Only the two children introduce themselves. */
static bool
says_hello(unsigned role)
{
	return role == PROTO_WORKER || role == PROTO_TOKEND;
}

int
proto_put_hello(uint8_t *space, enum proto_role self)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u8(&p, (uint8_t)self);
	pack_str(&p, proto_build());
	return packed(&p, says_hello(self));
}

int
proto_get_hello(const struct ipc_frame *f, enum proto_role *role,
    char build[PROTO_BUILD_MAX])
{
	struct unpack u;
	unsigned v;

	unpack_frame(&u, f);
	v = unpack_u8(&u);
	unpack_str(&u, build, PROTO_BUILD_MAX);
	*role = says_hello(v) ? (enum proto_role)v : PROTO_CTL;
	return unpack_done(&u) && says_hello(v) ? 0 : -1;
}

int
proto_put_u8(uint8_t *space, uint8_t v)
{
	space[0] = v;
	return 1;
}

int
proto_get_u8(const struct ipc_frame *f, uint8_t *v)
{
	struct unpack u;

	unpack_frame(&u, f);
	*v = unpack_u8(&u);
	return unpack_done(&u) ? 0 : -1;
}

int
proto_put_text(uint8_t *space, const char *text)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_str(&p, text);
	return packed(&p, strlen(text) < PROTO_TEXT_MAX);
}

int
proto_get_text(const struct ipc_frame *f, char text[PROTO_TEXT_MAX])
{
	struct unpack u;

	unpack_frame(&u, f);
	unpack_str(&u, text, PROTO_TEXT_MAX);
	return unpack_done(&u) ? 0 : -1;
}

/* A token goes with the states that have one, and with no other. */
static bool
token_agrees(const struct proto_token *t)
{
	bool has =
	    t->state == PROTO_TOKEN_VALID || t->state == PROTO_TOKEN_EXPIRED;

	return (unsigned)t->state < PROTO_TOKEN_STATES &&
	    has == (t->token[0] != '\0');
}

int
proto_put_token(uint8_t *space, const struct proto_token *t)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u8(&p, (uint8_t)t->state);
	pack_i64(&p, t->exp_s);
	pack_field(&p, t->path_id, sizeof(t->path_id));
	pack_field(&p, t->jti, sizeof(t->jti));
	pack_field(&p, t->token, sizeof(t->token));
	return packed(&p, token_agrees(t));
}

int
proto_get_token(const struct ipc_frame *f, struct proto_token *t)
{
	struct unpack u;

	unpack_frame(&u, f);
	t->state = unpack_enum(&u, PROTO_TOKEN_STATES);
	t->exp_s = unpack_i64(&u);
	unpack_str(&u, t->path_id, sizeof(t->path_id));
	unpack_str(&u, t->jti, sizeof(t->jti));
	unpack_str(&u, t->token, sizeof(t->token));
	if (unpack_done(&u) && token_agrees(t))
		return 0;
	explicit_bzero(t, sizeof(*t));
	return -1;
}

int
proto_put_refused(uint8_t *space, const struct proto_refused *r)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u16(&p, r->status);
	pack_field(&p, r->jti, sizeof(r->jti));
	return packed(&p, true);
}

int
proto_get_refused(const struct ipc_frame *f, struct proto_refused *r)
{
	struct unpack u;

	unpack_frame(&u, f);
	r->status = unpack_u16(&u);
	unpack_str(&u, r->jti, sizeof(r->jti));
	return unpack_done(&u) ? 0 : -1;
}

static bool
put_agrees(const struct proto_put *r)
{
	return (unsigned)r->outcome < PROTO_REFRESHES &&
	    (r->outcome == PROTO_REFRESH_OK) == (r->token[0] != '\0');
}

int
proto_put_put(uint8_t *space, const struct proto_put *r)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u8(&p, (uint8_t)r->outcome);
	pack_field(&p, r->token, sizeof(r->token));
	return packed(&p, put_agrees(r));
}

int
proto_get_put(const struct ipc_frame *f, struct proto_put *r)
{
	struct unpack u;

	unpack_frame(&u, f);
	r->outcome = unpack_enum(&u, PROTO_REFRESHES);
	unpack_str(&u, r->token, sizeof(r->token));
	if (unpack_done(&u) && put_agrees(r))
		return 0;
	explicit_bzero(r, sizeof(*r));
	return -1;
}

int
proto_put_worker_status(uint8_t *space, const struct proto_worker_status *s)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u8(&p, (uint8_t)s->tunnel);
	pack_u8(&p, (uint8_t)s->last_reason);
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
	return packed(&p,
	    (unsigned)s->tunnel < PROTO_TUNNELS &&
		(unsigned)s->last_reason < PROTO_REASONS);
}

int
proto_get_worker_status(
    const struct ipc_frame *f, struct proto_worker_status *s)
{
	struct unpack u;

	unpack_frame(&u, f);
	s->tunnel = unpack_enum(&u, PROTO_TUNNELS);
	s->last_reason = unpack_enum(&u, PROTO_REASONS);
	s->last_detail = unpack_u16(&u);
	s->ready = unpack_bool(&u);
	s->draining = unpack_bool(&u);
	s->joined_ms = unpack_i64(&u);
	s->heartbeat_ms = unpack_i64(&u);
	s->retry_ms = unpack_i64(&u);
	s->requests = unpack_u64(&u);
	s->failures = unpack_u64(&u);
	s->in_flight = unpack_u64(&u);
	s->reconnects = unpack_u64(&u);
	s->rejoins = unpack_u64(&u);
	return unpack_done(&u) ? 0 : -1;
}

int
proto_put_tokend_status(uint8_t *space, const struct proto_tokend_status *s)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u8(&p, (uint8_t)s->state);
	pack_u8(&p, (uint8_t)s->source);
	pack_i64(&p, s->iat_s);
	pack_i64(&p, s->exp_s);
	pack_i64(&p, s->refresh_in_ms);
	pack_u64(&p, s->refreshes);
	pack_u64(&p, s->refresh_failures);
	pack_u64(&p, s->rows);
	pack_field(&p, s->path_id, sizeof(s->path_id));
	pack_field(&p, s->jti, sizeof(s->jti));
	return packed(&p,
	    (unsigned)s->state < PROTO_TOKEN_STATES &&
		(unsigned)s->source < PROTO_SOURCES);
}

int
proto_get_tokend_status(
    const struct ipc_frame *f, struct proto_tokend_status *s)
{
	struct unpack u;

	unpack_frame(&u, f);
	s->state = unpack_enum(&u, PROTO_TOKEN_STATES);
	s->source = unpack_enum(&u, PROTO_SOURCES);
	s->iat_s = unpack_i64(&u);
	s->exp_s = unpack_i64(&u);
	s->refresh_in_ms = unpack_i64(&u);
	s->refreshes = unpack_u64(&u);
	s->refresh_failures = unpack_u64(&u);
	s->rows = unpack_u64(&u);
	unpack_str(&u, s->path_id, sizeof(s->path_id));
	unpack_str(&u, s->jti, sizeof(s->jti));
	return unpack_done(&u) ? 0 : -1;
}

int
proto_put_supervisor_status(
    uint8_t *space, const struct proto_supervisor_status *s)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_i64(&p, s->uptime_ms);
	pack_u32(&p, s->pid);
	pack_u32(&p, s->worker_pid);
	pack_u32(&p, s->tokend_pid);
	pack_u32(&p, s->generation);
	pack_u32(&p, s->worker_restarts);
	pack_u32(&p, s->tokend_restarts);
	pack_u8(&p, s->root);
	pack_field(&p, s->version, sizeof(s->version));
	pack_field(&p, s->config, sizeof(s->config));
	return packed(&p, true);
}

int
proto_get_supervisor_status(
    const struct ipc_frame *f, struct proto_supervisor_status *s)
{
	struct unpack u;

	unpack_frame(&u, f);
	s->uptime_ms = unpack_i64(&u);
	s->pid = unpack_u32(&u);
	s->worker_pid = unpack_u32(&u);
	s->tokend_pid = unpack_u32(&u);
	s->generation = unpack_u32(&u);
	s->worker_restarts = unpack_u32(&u);
	s->tokend_restarts = unpack_u32(&u);
	s->root = unpack_bool(&u);
	unpack_str(&u, s->version, sizeof(s->version));
	unpack_str(&u, s->config, sizeof(s->config));
	return unpack_done(&u) ? 0 : -1;
}
