/* SPDX-License-Identifier: MIT */
/*
 * The policy: one row a message and direction. Whoever adds a message adds
 * rows here; the tests walk the table. Encodings stand in proto_code.c.
 */
#include <string.h>

#include "proto.h"
#include "util.h"
#include "version.h"

#define SUPERVISOR (1u << PROTO_SUPERVISOR)
#define WORKER (1u << PROTO_WORKER)
#define TOKEND (1u << PROTO_TOKEND)
#define CTL (1u << PROTO_CTL)
#define CHILD (WORKER | TOKEND)
#define SETUP_RUNNING (PROTO_SETUP | PROTO_RUNNING)

struct rule {
	enum proto_type type;
	unsigned from, to; /* roles */
	unsigned states;
	uint32_t min, max; /* of the payload */
	bool fd;	   /* a descriptor comes with it, or none */
};

#define ID_LEN (4 + PROTO_ID_MAX)

static const struct rule rules[] = {
    {PROTO_HELLO, CHILD, SUPERVISOR, PROTO_NEW, 5, 256, false},
    {PROTO_HELLO, WORKER, TOKEND, PROTO_NEW, 5, 256, false},
    {PROTO_HELLO, TOKEND, WORKER, PROTO_NEW, 5, 256, false},
    {PROTO_CONF, SUPERVISOR, CHILD, SETUP_RUNNING, 5, 8192, false},
    {PROTO_FD, SUPERVISOR, CHILD, SETUP_RUNNING, 1, 1, true},
    {PROTO_CONF_END, SUPERVISOR, CHILD, SETUP_RUNNING, 0, 0, false},
    {PROTO_CONF_ACK, CHILD, SUPERVISOR, SETUP_RUNNING, 1, 1, false},
    {PROTO_READY, CHILD, SUPERVISOR, PROTO_SETUP, 0, 0, false},
    {PROTO_STOP, SUPERVISOR, CHILD, SETUP_RUNNING, 1, 1, false},
    {PROTO_LOG_LEVEL, SUPERVISOR, CHILD, SETUP_RUNNING, 3, 3, false},
    {PROTO_LOG_LEVEL, CTL, SUPERVISOR, PROTO_RUNNING, 3, 3, false},
    {PROTO_STATUS, SUPERVISOR, CHILD, PROTO_RUNNING, 0, 0, false},
    {PROTO_STATUS, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_WORKER_STATUS, WORKER, SUPERVISOR, PROTO_RUNNING, 16, 1024, false},
    {PROTO_WORKER_STATUS, SUPERVISOR, CTL, PROTO_RUNNING, 16, 1024, false},
    {PROTO_TOKEND_STATUS, TOKEND, SUPERVISOR, PROTO_RUNNING, 16, 1536, false},
    {PROTO_TOKEND_STATUS, SUPERVISOR, CTL, PROTO_RUNNING, 16, 1536, false},
    {PROTO_SUPERVISOR_STATUS, SUPERVISOR, CTL, PROTO_RUNNING, 16, 2048, false},
    {PROTO_SANDBOX, CHILD, SUPERVISOR, SETUP_RUNNING, 9, 9, false},
    {PROTO_SANDBOX, SUPERVISOR, WORKER | CTL, PROTO_RUNNING, 9, 9, false},
    {PROTO_JOINED, WORKER, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_TOKEN_GET, WORKER, TOKEND, PROTO_RUNNING, 0, 0, false},
    {PROTO_TOKEN, TOKEND, WORKER, PROTO_RUNNING, 16,
	16 + 3 * ID_LEN + PROTO_TOKEN_MAX, false},
    {PROTO_TOKEN_REFUSED, WORKER, TOKEND, PROTO_RUNNING, 6, 2 + ID_LEN, false},
    {PROTO_REFRESH_DUE, TOKEND, WORKER, PROTO_RUNNING, 0, 0, false},
    {PROTO_TOKEN_PUT, WORKER, TOKEND, PROTO_RUNNING, 5, 8 + PROTO_TOKEN_MAX,
	false},
    {PROTO_TOKEND_FIGURES, TOKEND, WORKER, PROTO_RUNNING, 16, 256, false},
    {PROTO_TOKEN_SET, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, true},
    {PROTO_TOKEN_SET, SUPERVISOR, TOKEND, PROTO_RUNNING, 0, 0, true},
    {PROTO_TOKEN_ROTATE, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_TOKEN_ROTATE, SUPERVISOR, TOKEND, PROTO_RUNNING, 0, 0, false},
    {PROTO_TOKEN_REPORT, TOKEND, SUPERVISOR, PROTO_RUNNING, 16, 1280, false},
    {PROTO_TOKEN_REPORT, SUPERVISOR, CTL, PROTO_RUNNING, 16, 1280, false},
    {PROTO_RELOAD, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_DRAIN, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_RECONNECT, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_RECONNECT, SUPERVISOR, WORKER, PROTO_RUNNING, 0, 0, false},
    {PROTO_INSPECT, SUPERVISOR, WORKER, PROTO_SETUP, 4 + PROTO_INSPECT_LEN,
	4 + PROTO_INSPECT_LEN, false},
    {PROTO_VERSION, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_TEXT, SUPERVISOR | WORKER, CTL, PROTO_RUNNING, 4, 4 + PROTO_TEXT_MAX,
	false},
    {PROTO_DONE, SUPERVISOR | WORKER, CTL, PROTO_RUNNING, 1, 1, false},
    {PROTO_WATCH, CTL, SUPERVISOR, PROTO_RUNNING, 0, 0, false},
    {PROTO_WATCHER, SUPERVISOR, WORKER, PROTO_RUNNING, 0, 0, true},
    {PROTO_WATCHED, WORKER, CTL, PROTO_RUNNING, 12, 12, false},
    {PROTO_EXCHANGES_GET, CTL, WORKER, PROTO_RUNNING, 9, 9, false},
    {PROTO_EXCHANGES, WORKER, CTL, PROTO_RUNNING, 18, IPC_PAYLOAD_MAX, false},
    {PROTO_LOAD_GET, CTL, WORKER, PROTO_RUNNING, 0, 0, false},
    {PROTO_LOAD, WORKER, CTL, PROTO_RUNNING, 240, 240, false},
};

static const char *const names[PROTO_TYPES] = {
    [PROTO_HELLO] = "HELLO",
    [PROTO_CONF] = "CONF",
    [PROTO_FD] = "FD",
    [PROTO_CONF_END] = "CONF_END",
    [PROTO_CONF_ACK] = "CONF_ACK",
    [PROTO_READY] = "READY",
    [PROTO_STOP] = "STOP",
    [PROTO_LOG_LEVEL] = "LOG_LEVEL",
    [PROTO_STATUS] = "STATUS",
    [PROTO_WORKER_STATUS] = "WORKER_STATUS",
    [PROTO_TOKEND_STATUS] = "TOKEND_STATUS",
    [PROTO_SUPERVISOR_STATUS] = "SUPERVISOR_STATUS",
    [PROTO_JOINED] = "JOINED",
    [PROTO_TOKEN_GET] = "TOKEN_GET",
    [PROTO_TOKEN] = "TOKEN",
    [PROTO_TOKEN_REFUSED] = "TOKEN_REFUSED",
    [PROTO_REFRESH_DUE] = "REFRESH_DUE",
    [PROTO_TOKEN_PUT] = "TOKEN_PUT",
    [PROTO_TOKEND_FIGURES] = "TOKEND_FIGURES",
    [PROTO_TOKEN_SET] = "TOKEN_SET",
    [PROTO_TOKEN_ROTATE] = "TOKEN_ROTATE",
    [PROTO_TOKEN_REPORT] = "TOKEN_REPORT",
    [PROTO_SANDBOX] = "SANDBOX",
    [PROTO_RELOAD] = "RELOAD",
    [PROTO_DRAIN] = "DRAIN",
    [PROTO_RECONNECT] = "RECONNECT",
    [PROTO_INSPECT] = "INSPECT",
    [PROTO_VERSION] = "VERSION",
    [PROTO_TEXT] = "TEXT",
    [PROTO_DONE] = "DONE",
    [PROTO_WATCH] = "WATCH",
    [PROTO_WATCHER] = "WATCHER",
    [PROTO_WATCHED] = "WATCHED",
    [PROTO_EXCHANGES_GET] = "EXCHANGES_GET",
    [PROTO_EXCHANGES] = "EXCHANGES",
    [PROTO_LOAD_GET] = "LOAD_GET",
    [PROTO_LOAD] = "LOAD",
};

const char *
proto_name(uint16_t type)
{
	return type < PROTO_TYPES && names[type] != NULL ? names[type] : "?";
}

const char *
proto_role_name(enum proto_role role)
{
	static const char *const roles[] = {
	    [PROTO_SUPERVISOR] = "supervisor",
	    [PROTO_WORKER] = "worker",
	    [PROTO_TOKEND] = "tokend",
	    [PROTO_CTL] = "telephonectl",
	};

	return role < UTIL_COUNT(roles) ? roles[role] : "?";
}

static const char *
check_rule(
    const struct rule *r, const struct ipc_frame *frame, enum proto_state state)
{
	if ((r->states & state) == 0)
		return "not in this state";
	if (frame->len < r->min)
		return "too short";
	if (frame->len > r->max)
		return "too long";
	if (r->fd && frame->fd == -1)
		return "the descriptor is missing";
	if (!r->fd && frame->fd != -1)
		return "a descriptor that does not belong there";
	return NULL;
}

const char *
proto_check(const struct ipc_frame *frame, enum proto_role from,
    enum proto_role to, enum proto_state state)
{
	size_t i;

	if (frame->type == 0 || frame->type >= PROTO_TYPES)
		return "unknown type";
	if (frame->flags != 0)
		return "flags that nobody defined";
	for (i = 0; i < UTIL_COUNT(rules); i++) {
		if (rules[i].type == frame->type &&
		    (rules[i].from & 1u << from) != 0 &&
		    (rules[i].to & 1u << to) != 0)
			return check_rule(&rules[i], frame, state);
	}
	return "not from this sender";
}

const char *
proto_build(void)
{
	static char build[PROTO_BUILD_MAX];

	if (build[0] == '\0')
		(void)util_fmt(build, sizeof(build), "%s ipc1", version);
	return build;
}

/* --- names of what status reports ----------------------------------------- */

#define NAME_OF(table, value) \
	((size_t)(value) < UTIL_COUNT(table) ? (table)[value] : "?")

const char *
proto_token_state_name(enum proto_token_state state)
{
	static const char *const t[PROTO_TOKEN_STATES] = {
	    "none", "valid", "expired", "refused"};

	return NAME_OF(t, state);
}

const char *
proto_refresh_name(enum proto_refresh outcome)
{
	static const char *const t[PROTO_REFRESHES] = {
	    "ok", "refused", "revoked", "timeout", "lost"};

	return NAME_OF(t, outcome);
}

const char *
proto_tunnel_name(enum proto_tunnel tunnel)
{
	static const char *const t[PROTO_TUNNELS] = {"no_token", "waiting",
	    "resolving", "connecting", "joining", "joined", "draining"};

	return NAME_OF(t, tunnel);
}

const char *
proto_breaker_name(enum proto_breaker breaker)
{
	static const char *const t[PROTO_BREAKERS] = {
	    "closed", "open", "half-open"};

	return NAME_OF(t, breaker);
}

const char *
proto_health_name(enum proto_health health)
{
	static const char *const t[PROTO_HEALTHS] = {
	    "not asked", "unknown", "good", "bad"};

	return NAME_OF(t, health);
}

const char *
proto_source_name(enum proto_source source)
{
	static const char *const t[PROTO_SOURCES] = {
	    "none", "store", "given", "refresh"};

	return NAME_OF(t, source);
}

const char *
proto_reason_name(enum proto_reason reason)
{
	static const char *const t[PROTO_REASONS] = {
	    [PROTO_REASON_NONE] = "none",
	    [PROTO_REASON_RESOLVE] = "name not resolved",
	    [PROTO_REASON_REFUSED] = "connection refused",
	    [PROTO_REASON_UNREACHABLE] = "unreachable",
	    [PROTO_REASON_TIMEOUT] = "timeout",
	    [PROTO_REASON_PROXY_UNREACHABLE] = "proxy unreachable",
	    [PROTO_REASON_PROXY_TIMEOUT] = "proxy timeout",
	    [PROTO_REASON_PROXY_AUTH] = "proxy wants credentials",
	    [PROTO_REASON_PROXY_STATUS] = "proxy status",
	    [PROTO_REASON_PROXY_FAILED] = "proxy failed",
	    [PROTO_REASON_TLS_UNKNOWN_CA] = "tls failed: unknown ca",
	    [PROTO_REASON_TLS_NAME] = "tls failed: name mismatch",
	    [PROTO_REASON_TLS_EXPIRED] = "tls failed: expired",
	    [PROTO_REASON_TLS_NOT_YET] = "tls failed: not yet valid",
	    [PROTO_REASON_TLS_CERT] = "tls failed: certificate refused",
	    [PROTO_REASON_TLS_PIN] = "tls failed: pin mismatch",
	    [PROTO_REASON_TLS_CLIENT_CERT] = "tls failed: client certificate",
	    [PROTO_REASON_TLS_VERSION] = "tls failed: protocol version",
	    [PROTO_REASON_TLS_PLAIN] = "tls failed: plain text",
	    [PROTO_REASON_TLS] = "tls failed",
	    [PROTO_REASON_FORBIDDEN] = "token refused",
	    [PROTO_REASON_HTTP_STATUS] = "http status",
	    [PROTO_REASON_HANDSHAKE] = "handshake failed",
	    [PROTO_REASON_JOIN_REFUSED] = "join refused",
	    [PROTO_REASON_JOIN_TIMEOUT] = "join unanswered",
	    [PROTO_REASON_HEARTBEAT] = "heartbeat unanswered",
	    [PROTO_REASON_CLOSED] = "closed",
	    [PROTO_REASON_EOF] = "connection lost",
	    [PROTO_REASON_PROTOCOL] = "protocol error",
	    [PROTO_REASON_CHANNEL_CRASHES] = "channel crashes",
	    [PROTO_REASON_STALLED] = "sending stalled",
	    [PROTO_REASON_TOO_SLOW] = "message too slow",
	};

	return NAME_OF(t, reason);
}

bool
proto_reason_is_tls(enum proto_reason reason)
{
	return reason >= PROTO_REASON_TLS_UNKNOWN_CA &&
	    reason <= PROTO_REASON_TLS;
}
