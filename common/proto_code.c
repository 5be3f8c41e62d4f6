/* SPDX-License-Identifier: MIT */
/*
 * The encodings of proto.h: each pair stands together, and lists the same
 * members in the same order. An encoder gives -1 rather than write what its
 * decoder refuses, so that a mistake shows where it was made.
 */
#include <string.h>

#include "proto_parts.h"

struct pack
proto_begin(uint8_t *space)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	return p;
}

int
proto_end(const struct pack *p)
{
	return pack_ok(p) ? (int)p->len : -1;
}

void
proto_put_enum(struct pack *p, unsigned v, unsigned count)
{
	if (v >= count)
		p->failed = true;
	pack_u8(p, (uint8_t)v);
}

struct unpack
proto_open_frame(const struct ipc_frame *frame)
{
	struct unpack u;

	unpack_init(&u, frame->payload, frame->len);
	return u;
}

/* An enumeration of `count` values; anything else fails the message. */
unsigned
proto_get_enum(struct unpack *u, unsigned count)
{
	unsigned v = unpack_u8(u);

	if (v >= count) {
		u->failed = true;
		return 0;
	}
	return v;
}

bool
proto_get_bool(struct unpack *u)
{
	return proto_get_enum(u, 2) == 1;
}

int
proto_done(const struct unpack *u)
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
	struct pack p = proto_begin(space);

	if (!says_hello(self))
		return -1;
	pack_u8(&p, (uint8_t)self);
	pack_str(&p, proto_build());
	return proto_end(&p);
}

int
proto_get_hello(const struct ipc_frame *frame, enum proto_role *role,
    char build[PROTO_BUILD_MAX])
{
	struct unpack u = proto_open_frame(frame);

	*role = proto_get_enum(&u, PROTO_CTL);
	unpack_str(&u, build, PROTO_BUILD_MAX);
	return says_hello(*role) ? proto_done(&u) : -1;
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
	struct unpack u = proto_open_frame(frame);

	*v = unpack_u8(&u);
	return proto_done(&u);
}

int
proto_put_log(uint8_t *space, const struct proto_log *l)
{
	struct pack p = proto_begin(space);

	proto_put_enum(&p, l->who, PROTO_LOG_WHOS);
	proto_put_enum(&p, l->level, LOG_LEVEL_ERROR + 1);
	pack_u8(&p, l->journal);
	return proto_end(&p);
}

int
proto_get_log(const struct ipc_frame *frame, struct proto_log *l)
{
	struct unpack u = proto_open_frame(frame);

	l->who = proto_get_enum(&u, PROTO_LOG_WHOS);
	l->level = proto_get_enum(&u, LOG_LEVEL_ERROR + 1);
	l->journal = proto_get_bool(&u);
	return proto_done(&u);
}

int
proto_put_text(uint8_t *space, const char *text)
{
	struct pack p = proto_begin(space);
	size_t len = strlen(text);

	pack_bytes(&p, text, len < PROTO_TEXT_MAX ? len : PROTO_TEXT_MAX - 1);
	return proto_end(&p);
}

int
proto_get_text(const struct ipc_frame *frame, char text[PROTO_TEXT_MAX])
{
	struct unpack u = proto_open_frame(frame);

	unpack_str(&u, text, PROTO_TEXT_MAX);
	return proto_done(&u);
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
	struct pack p = proto_begin(space);

	pack_str(&p, token);
	return is_inspect(token) ? proto_end(&p) : -1;
}

int
proto_get_inspect(
    const struct ipc_frame *frame, char token[PROTO_INSPECT_LEN + 1])
{
	struct unpack u = proto_open_frame(frame);

	unpack_str(&u, token, PROTO_INSPECT_LEN + 1);
	return proto_done(&u) == 0 && is_inspect(token) ? 0 : -1;
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
	struct pack p = proto_begin(space);

	if (!token_agrees(t))
		return -1;
	proto_put_enum(&p, t->state, PROTO_TOKEN_STATES);
	pack_i64(&p, t->exp_s);
	pack_str(&p, t->path_id);
	pack_str(&p, t->jti);
	pack_str(&p, t->token);
	return proto_end(&p);
}

int
proto_get_token(const struct ipc_frame *frame, struct proto_token *t)
{
	struct unpack u = proto_open_frame(frame);

	t->state = proto_get_enum(&u, PROTO_TOKEN_STATES);
	t->exp_s = unpack_i64(&u);
	unpack_str(&u, t->path_id, sizeof(t->path_id));
	unpack_str(&u, t->jti, sizeof(t->jti));
	unpack_str(&u, t->token, sizeof(t->token));
	if (proto_done(&u) == 0 && token_agrees(t))
		return 0;
	explicit_bzero(t, sizeof(*t));
	return -1;
}

int
proto_put_refused(uint8_t *space, const struct proto_refused *r)
{
	struct pack p = proto_begin(space);

	pack_u16(&p, r->status);
	pack_str(&p, r->jti);
	return proto_end(&p);
}

int
proto_get_refused(const struct ipc_frame *frame, struct proto_refused *r)
{
	struct unpack u = proto_open_frame(frame);

	r->status = unpack_u16(&u);
	unpack_str(&u, r->jti, sizeof(r->jti));
	return proto_done(&u);
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
	struct pack p = proto_begin(space);

	if (!put_agrees(t))
		return -1;
	proto_put_enum(&p, t->outcome, PROTO_REFRESHES);
	pack_str(&p, t->token);
	return proto_end(&p);
}

int
proto_get_put(const struct ipc_frame *frame, struct proto_put *t)
{
	struct unpack u = proto_open_frame(frame);

	t->outcome = proto_get_enum(&u, PROTO_REFRESHES);
	unpack_str(&u, t->token, sizeof(t->token));
	if (proto_done(&u) == 0 && put_agrees(t))
		return 0;
	explicit_bzero(t, sizeof(*t));
	return -1;
}
