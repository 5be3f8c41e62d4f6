/* SPDX-License-Identifier: MIT */
/*
 * The policy of proto.h: one row for each message, what it is called, who may
 * send it to whom, when, how large, and whether a descriptor comes along. The
 * payloads themselves are proto_code.c's.
 */
#include "proto.h"
#include "util.h"

/* Roles as bits. */
#define S (1U << PROTO_SUPERVISOR)
#define W (1U << PROTO_WORKER)
#define T (1U << PROTO_TOKEND)
#define C (1U << PROTO_CTL)

#define NEW PROTO_NEW
#define SETUP PROTO_SETUP
#define RUNNING PROTO_RUNNING

/* An encoded string of a field with this many bytes, its NUL included. */
#define STR_MIN 4
#define STR_MAX(size) (4 + (size)-1)

#define NO_FD false
#define WITH_FD true

struct route {
	unsigned from, to; /* any of these to any of those */
};

struct policy {
	const char *name;
	struct route route[3];
	unsigned states;
	uint32_t min, max; /* payload length */
	bool fd;	   /* exactly one descriptor, else none */
};

static const struct policy policies[PROTO_TYPES] = {
    [PROTO_HELLO] = {"HELLO", {{W | T, S}, {W, T}, {T, W}}, NEW, 1 + STR_MIN,
	1 + STR_MAX(PROTO_BUILD_MAX), NO_FD},
    [PROTO_CONF] = {"CONF", {{S, W | T}}, SETUP | RUNNING, 1, IPC_PAYLOAD_MAX,
	NO_FD},
    [PROTO_FD] = {"FD", {{S, W | T}}, SETUP | RUNNING, 1, 1, WITH_FD},
    [PROTO_CONF_END] = {"CONF_END", {{S, W | T}}, SETUP | RUNNING, 0, 0, NO_FD},
    [PROTO_CONF_ACK] = {"CONF_ACK", {{W | T, S}}, SETUP | RUNNING, 1, 1, NO_FD},
    [PROTO_READY] = {"READY", {{W | T, S}}, SETUP, 0, 0, NO_FD},
    [PROTO_STOP] = {"STOP", {{S, W | T}}, SETUP | RUNNING, 0, 0, NO_FD},
    [PROTO_LOG_LEVEL] = {"LOG_LEVEL", {{S, W | T}}, RUNNING, 1, 1, NO_FD},
    [PROTO_STATUS] = {"STATUS", {{S, W | T}, {C, S}}, RUNNING, 0, 0, NO_FD},
    [PROTO_WORKER_STATUS] = {"WORKER_STATUS", {{W, S}, {S, C}}, RUNNING, 70, 70,
	NO_FD},
    [PROTO_TOKEND_STATUS] = {"TOKEND_STATUS", {{T, S}, {S, C}}, RUNNING,
	50 + 2 * STR_MIN, 50 + 2 * STR_MAX(PROTO_ID_MAX), NO_FD},
    [PROTO_SUPERVISOR_STATUS] = {"SUPERVISOR_STATUS", {{S, C}}, RUNNING,
	33 + 2 * STR_MIN, 33 + STR_MAX(64) + STR_MAX(1024), NO_FD},
    [PROTO_JOINED] = {"JOINED", {{W, S}}, RUNNING, 0, 0, NO_FD},
    [PROTO_TOKEN_GET] = {"TOKEN_GET", {{W, T}}, RUNNING, 0, 0, NO_FD},
    [PROTO_TOKEN] = {"TOKEN", {{T, W}}, RUNNING, 9 + 3 * STR_MIN,
	9 + 2 * STR_MAX(PROTO_ID_MAX) + STR_MAX(PROTO_TOKEN_MAX), NO_FD},
    [PROTO_TOKEN_REFUSED] = {"TOKEN_REFUSED", {{W, T}}, RUNNING, 2 + STR_MIN,
	2 + STR_MAX(PROTO_ID_MAX), NO_FD},
    [PROTO_REFRESH_DUE] = {"REFRESH_DUE", {{T, W}}, RUNNING, 0, 0, NO_FD},
    [PROTO_TOKEN_PUT] = {"TOKEN_PUT", {{W, T}}, RUNNING, 1 + STR_MIN,
	1 + STR_MAX(PROTO_TOKEN_MAX), NO_FD},
    [PROTO_TOKEN_RESULT] = {"TOKEN_RESULT", {{T, W}}, RUNNING, 1, 1, NO_FD},
    [PROTO_RELOAD] = {"RELOAD", {{C, S}}, RUNNING, 0, 0, NO_FD},
    [PROTO_VERSION] = {"VERSION", {{C, S}}, RUNNING, 0, 0, NO_FD},
    [PROTO_TEXT] = {"TEXT", {{S, C}}, RUNNING, STR_MIN, STR_MAX(PROTO_TEXT_MAX),
	NO_FD},
    [PROTO_DONE] = {"DONE", {{S, C}}, RUNNING, 1, 1, NO_FD},
};

static const char *const role_names[] = {
    [PROTO_SUPERVISOR] = "supervisor",
    [PROTO_WORKER] = "worker",
    [PROTO_TOKEND] = "tokend",
    [PROTO_CTL] = "telephonectl",
};

static const char *const token_state_names[PROTO_TOKEN_STATES] = {
    [PROTO_TOKEN_NONE] = "none",
    [PROTO_TOKEN_VALID] = "valid",
    [PROTO_TOKEN_EXPIRED] = "expired",
    [PROTO_TOKEN_REFUSED_ALL] = "refused",
};

static const char *const refresh_names[PROTO_REFRESHES] = {
    [PROTO_REFRESH_OK] = "ok",
    [PROTO_REFRESH_REFUSED] = "refused",
    [PROTO_REFRESH_REVOKED] = "revoked",
    [PROTO_REFRESH_TIMEOUT] = "timeout",
    [PROTO_REFRESH_LOST] = "lost",
};

static const char *const tunnel_names[PROTO_TUNNELS] = {
    [PROTO_TUNNEL_NO_TOKEN] = "no_token",
    [PROTO_TUNNEL_WAITING] = "waiting",
    [PROTO_TUNNEL_RESOLVING] = "resolving",
    [PROTO_TUNNEL_CONNECTING] = "connecting",
    [PROTO_TUNNEL_JOINING] = "joining",
    [PROTO_TUNNEL_JOINED] = "joined",
    [PROTO_TUNNEL_DRAINING] = "draining",
};

static const char *const reason_names[PROTO_REASONS] = {
    [PROTO_REASON_NONE] = "none",
    [PROTO_REASON_RESOLVE] = "resolve",
    [PROTO_REASON_REFUSED] = "refused",
    [PROTO_REASON_UNREACHABLE] = "unreachable",
    [PROTO_REASON_TIMEOUT] = "timeout",
    [PROTO_REASON_TLS] = "tls",
    [PROTO_REASON_FORBIDDEN] = "forbidden",
    [PROTO_REASON_HTTP_STATUS] = "http_status",
    [PROTO_REASON_HANDSHAKE] = "handshake",
    [PROTO_REASON_JOIN_REFUSED] = "join_refused",
    [PROTO_REASON_JOIN_TIMEOUT] = "join_timeout",
    [PROTO_REASON_HEARTBEAT] = "heartbeat",
    [PROTO_REASON_CLOSED] = "closed",
    [PROTO_REASON_EOF] = "eof",
    [PROTO_REASON_PROTOCOL] = "protocol",
    [PROTO_REASON_CHANNEL_CRASHES] = "channel_crashes",
};

static const char *const source_names[PROTO_SOURCES] = {
    [PROTO_SOURCE_NONE] = "none",
    [PROTO_SOURCE_STORE] = "store",
    [PROTO_SOURCE_GIVEN] = "given",
    [PROTO_SOURCE_REFRESH] = "refresh",
};

/* The name of a value that may be out of its list. */
#define NAME(names, i) \
	((size_t)(i) < UTIL_COUNT(names) ? (names)[(size_t)(i)] : "?")

static const struct policy *
find(uint16_t type)
{
	if (type >= PROTO_TYPES || policies[type].name == NULL)
		return NULL;
	return &policies[type];
}

const char *
proto_name(uint16_t type)
{
	const struct policy *p = find(type);

	return p == NULL ? "?" : p->name;
}

const char *
proto_role_name(enum proto_role role)
{
	return NAME(role_names, role);
}

const char *
proto_token_state_name(enum proto_token_state state)
{
	return NAME(token_state_names, state);
}

const char *
proto_refresh_name(enum proto_refresh outcome)
{
	return NAME(refresh_names, outcome);
}

const char *
proto_tunnel_name(enum proto_tunnel tunnel)
{
	return NAME(tunnel_names, tunnel);
}

const char *
proto_reason_name(enum proto_reason reason)
{
	return NAME(reason_names, reason);
}

const char *
proto_source_name(enum proto_source source)
{
	return NAME(source_names, source);
}

static bool
has_route(const struct policy *p, enum proto_role from, enum proto_role to)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(p->route); i++)
		if ((p->route[i].from & 1U << from) != 0 &&
		    (p->route[i].to & 1U << to) != 0)
			return true;
	return false;
}

const char *
proto_check(const struct ipc_frame *f, enum proto_role from, enum proto_role to,
    enum proto_state state)
{
	const struct policy *p = find(f->type);

	if (p == NULL)
		return "unknown type";
	if (f->flags != 0)
		return "flags set";
	if (!has_route(p, from, to))
		return "wrong sender";
	if ((p->states & state) == 0)
		return "wrong state";
	if (f->len < p->min)
		return "too short";
	if (f->len > p->max)
		return "too long";
	if (p->fd && f->fd == -1)
		return "descriptor missing";
	if (!p->fd && f->fd != -1)
		return "descriptor unexpected";
	return NULL;
}
