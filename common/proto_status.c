/* SPDX-License-Identifier: MIT */
/* The encodings of what a process says of itself: proto.h, in the manner of
 * proto_code.c. */
#include <string.h>

#include "proto_parts.h"

static void
put_tunnels(struct pack *p, const struct proto_worker_status *s)
{
	const struct proto_tunnel_status *t = s->tunnel_list;
	unsigned i;

	if (s->tunnels > PROTO_TUNNELS_MAX) {
		p->failed = true;
		return;
	}
	for (i = 0; i < s->tunnels; i++, t++) {
		proto_put_enum(p, t->state, PROTO_TUNNELS);
		proto_put_enum(p, t->last_reason, PROTO_REASONS);
		pack_u16(p, t->last_detail);
		pack_i64(p, t->joined_ms);
		pack_i64(p, t->heartbeat_ms);
		pack_i64(p, t->retry_ms);
	}
}

static void
get_tunnels(struct unpack *u, struct proto_worker_status *s)
{
	struct proto_tunnel_status *t = s->tunnel_list;
	unsigned i;

	if (s->tunnels > PROTO_TUNNELS_MAX) {
		u->failed = true;
		return;
	}
	for (i = 0; i < s->tunnels; i++, t++) {
		t->state = proto_get_enum(u, PROTO_TUNNELS);
		t->last_reason = proto_get_enum(u, PROTO_REASONS);
		t->last_detail = unpack_u16(u);
		t->joined_ms = unpack_i64(u);
		t->heartbeat_ms = unpack_i64(u);
		t->retry_ms = unpack_i64(u);
	}
}

int
proto_put_worker_status(uint8_t *space, const struct proto_worker_status *s)
{
	struct pack p = proto_begin(space);

	pack_u8(&p, s->tunnels);
	pack_u8(&p, s->tunnels_joined);
	proto_put_enum(&p, s->tunnel, PROTO_TUNNELS);
	proto_put_enum(&p, s->last_reason, PROTO_REASONS);
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
	proto_put_enum(&p, s->breaker, PROTO_BREAKERS);
	pack_u64(&p, s->memory);
	pack_u64(&p, s->memory_max);
	pack_u64(&p, s->message_accepted);
	pack_u64(&p, s->message_refused);
	pack_u8(&p, s->tracing);
	pack_u64(&p, s->spans);
	pack_u64(&p, s->spans_lost);
	pack_u64(&p, s->spans_waiting);
	pack_str(&p, s->trace_error);
	put_tunnels(&p, s);
	pack_str(&p, s->not_ready);
	proto_put_enum(&p, s->backend, PROTO_HEALTHS);
	pack_u64(&p, s->in_flight_max);
	pack_u64(&p, s->waiting);
	pack_u64(&p, s->sessions);
	pack_u64(&p, s->over_limits);
	return proto_end(&p);
}

int
proto_get_worker_status(
    const struct ipc_frame *frame, struct proto_worker_status *s)
{
	struct unpack u = proto_open_frame(frame);

	s->tunnels = unpack_u8(&u);
	s->tunnels_joined = unpack_u8(&u);
	s->tunnel = proto_get_enum(&u, PROTO_TUNNELS);
	s->last_reason = proto_get_enum(&u, PROTO_REASONS);
	s->last_detail = unpack_u16(&u);
	s->ready = proto_get_bool(&u);
	s->draining = proto_get_bool(&u);
	s->joined_ms = unpack_i64(&u);
	s->heartbeat_ms = unpack_i64(&u);
	s->retry_ms = unpack_i64(&u);
	s->requests = unpack_u64(&u);
	s->failures = unpack_u64(&u);
	s->in_flight = unpack_u64(&u);
	s->reconnects = unpack_u64(&u);
	s->rejoins = unpack_u64(&u);
	s->breaker = proto_get_enum(&u, PROTO_BREAKERS);
	s->memory = unpack_u64(&u);
	s->memory_max = unpack_u64(&u);
	s->message_accepted = unpack_u64(&u);
	s->message_refused = unpack_u64(&u);
	s->tracing = proto_get_bool(&u);
	s->spans = unpack_u64(&u);
	s->spans_lost = unpack_u64(&u);
	s->spans_waiting = unpack_u64(&u);
	unpack_str(&u, s->trace_error, sizeof(s->trace_error));
	get_tunnels(&u, s);
	unpack_str(&u, s->not_ready, sizeof(s->not_ready));
	s->backend = proto_get_enum(&u, PROTO_HEALTHS);
	s->in_flight_max = unpack_u64(&u);
	s->waiting = unpack_u64(&u);
	s->sessions = unpack_u64(&u);
	s->over_limits = unpack_u64(&u);
	return proto_done(&u);
}

int
proto_put_tokend_status(uint8_t *space, const struct proto_tokend_status *s)
{
	struct pack p = proto_begin(space);

	proto_put_enum(&p, s->state, PROTO_TOKEN_STATES);
	proto_put_enum(&p, s->source, PROTO_SOURCES);
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
	return proto_end(&p);
}

int
proto_get_tokend_status(
    const struct ipc_frame *frame, struct proto_tokend_status *s)
{
	struct unpack u = proto_open_frame(frame);

	s->state = proto_get_enum(&u, PROTO_TOKEN_STATES);
	s->source = proto_get_enum(&u, PROTO_SOURCES);
	s->iat_s = unpack_i64(&u);
	s->exp_s = unpack_i64(&u);
	s->refresh_in_ms = unpack_i64(&u);
	s->refreshes = unpack_u64(&u);
	s->refresh_failures = unpack_u64(&u);
	s->rows = unpack_u64(&u);
	s->unreadable = unpack_u64(&u);
	s->set_aside = unpack_u32(&u);
	s->verified = proto_get_bool(&u);
	s->unsaved = proto_get_bool(&u);
	unpack_str(&u, s->path_id, sizeof(s->path_id));
	unpack_str(&u, s->sub, sizeof(s->sub));
	unpack_str(&u, s->jti, sizeof(s->jti));
	unpack_str(&u, s->refusal, sizeof(s->refusal));
	return proto_done(&u);
}

int
proto_put_supervisor_status(
    uint8_t *space, const struct proto_supervisor_status *s)
{
	struct pack p = proto_begin(space);

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
	return proto_end(&p);
}

int
proto_get_supervisor_status(
    const struct ipc_frame *frame, struct proto_supervisor_status *s)
{
	struct unpack u = proto_open_frame(frame);

	s->uptime_ms = unpack_i64(&u);
	s->pid = unpack_u32(&u);
	s->worker_pid = unpack_u32(&u);
	s->tokend_pid = unpack_u32(&u);
	s->generation = unpack_u32(&u);
	s->worker_restarts = unpack_u32(&u);
	s->tokend_restarts = unpack_u32(&u);
	s->root = proto_get_bool(&u);
	unpack_str(&u, s->version, sizeof(s->version));
	unpack_str(&u, s->config, sizeof(s->config));
	unpack_str(&u, s->inspect, sizeof(s->inspect));
	return proto_done(&u);
}

int
proto_put_sandbox(uint8_t *space, const struct proto_sandbox *s)
{
	struct pack p = proto_begin(space);

	proto_put_enum(&p, s->process, SANDBOX_PROCESSES);
	pack_u32(&p, sandbox_pack(&s->level));
	pack_u32(&p, s->violations);
	return proto_end(&p);
}

int
proto_put_figures(uint8_t *space, const struct proto_figures *f)
{
	struct pack p = proto_begin(space);
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
	return proto_end(&p);
}

int
proto_get_sandbox(const struct ipc_frame *frame, struct proto_sandbox *s)
{
	struct unpack u = proto_open_frame(frame);
	uint32_t level;

	s->process = proto_get_enum(&u, SANDBOX_PROCESSES);
	level = unpack_u32(&u);
	sandbox_unpack(&s->level, level);
	if (sandbox_pack(&s->level) != level)
		u.failed = true; /* bits that nobody sets */
	s->violations = unpack_u32(&u);
	return proto_done(&u);
}

int
proto_get_figures(const struct ipc_frame *frame, struct proto_figures *f)
{
	struct unpack u = proto_open_frame(frame);
	size_t i;

	f->exp_s = unpack_i64(&u);
	for (i = 0; i < PROTO_REFRESHES; i++)
		f->refreshes[i] = unpack_u64(&u);
	f->unusable = unpack_u64(&u);
	f->refused = unpack_u64(&u);
	for (i = 0; i < PROTO_STORE_ERRORS; i++)
		f->errors[i] = unpack_u64(&u);
	f->rows = unpack_u64(&u);
	f->unsaved = proto_get_bool(&u);
	return proto_done(&u);
}

int
proto_put_report(uint8_t *space, const struct proto_report *r)
{
	struct pack p = proto_begin(space);

	pack_u8(&p, r->code);
	pack_u8(&p, r->stored);
	pack_u8(&p, r->current);
	pack_u8(&p, r->moved);
	pack_u8(&p, r->previous);
	pack_u64(&p, r->rows);
	pack_u64(&p, r->resealed);
	pack_u64(&p, r->unreadable);
	pack_i64(&p, r->exp_s);
	pack_str(&p, r->path_id);
	pack_str(&p, r->jti);
	pack_str(&p, r->text);
	return proto_end(&p);
}

int
proto_get_report(const struct ipc_frame *frame, struct proto_report *r)
{
	struct unpack u = proto_open_frame(frame);

	r->code = unpack_u8(&u);
	r->stored = proto_get_bool(&u);
	r->current = proto_get_bool(&u);
	r->moved = proto_get_bool(&u);
	r->previous = proto_get_bool(&u);
	r->rows = unpack_u64(&u);
	r->resealed = unpack_u64(&u);
	r->unreadable = unpack_u64(&u);
	r->exp_s = unpack_i64(&u);
	unpack_str(&u, r->path_id, sizeof(r->path_id));
	unpack_str(&u, r->jti, sizeof(r->jti));
	unpack_str(&u, r->text, sizeof(r->text));
	return proto_done(&u);
}
