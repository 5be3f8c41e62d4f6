/* SPDX-License-Identifier: MIT */
/*
 * Every metric that Telephone has. Single values are one table of rows: to add
 * one is to add a line to METRICS_TABLE. Requests are counted by method, class
 * of the status and outcome, all three from closed lists, and their durations
 * in histograms of fixed bounds (metrics_requests.c). Values live in the
 * process that counts; the worker renders its own in the Prometheus text
 * format 0.0.4. All begin at zero, and are there from the start.
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdint.h>

#include "buf.h"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_GAUGE_MS, /* of milliseconds, told in seconds */
	METRICS_COUNTER_MS,
};

/* Rows of three families that have many. Those of reconnects stand in the order
 * of enum proto_reason (proto.h), without its NONE. */
#define METRICS_RECONNECT(X, id, reason)                         \
	X(RECONNECT_##id, COUNTER, "telephone_reconnects_total", \
	    "reason=\"" reason "\"",                             \
	    "Connections ended or failed, each followed by another attempt")
#define METRICS_REJOIN(X, id, reason)                      \
	X(REJOIN_##id, COUNTER, "telephone_rejoins_total", \
	    "reason=\"" reason "\"", "Joins repeated on the same connection")

/* In the order of enum proto_tunnel. */
#define METRICS_TUNNEL(X, id, state)                                      \
	X(TUNNEL_##id, GAUGE, "telephone_tunnels", "state=\"" state "\"", \
	    "Tunnels, by state")

/* One row a process, in the order of enum sandbox_process. */
#define METRICS_WALL(X, id, type, family, help)                         \
	X(id##_SUPERVISOR, type, family, "process=\"telephone\"", help) \
	X(id##_WORKER, type, family, "process=\"worker\"", help)        \
	X(id##_LOOKUP, type, family, "process=\"lookup\"", help)        \
	X(id##_TOKEND, type, family, "process=\"tokend\"", help)
#define METRICS_WS(X, id, outcome)                              \
	X(WS_##id, COUNTER, "telephone_websockets_ended_total", \
	    "outcome=\"" outcome "\"", "WebSockets of clients that ended")
/* In the order of enum proto_refresh, and of enum proto_store_error. */
#define METRICS_REFRESH(X, id, outcome)                               \
	X(REFRESHES_##id, COUNTER, "telephone_token_refreshes_total", \
	    "outcome=\"" outcome "\"", "Token refreshes, by outcome")
#define METRICS_STORE(X, id, kind)                             \
	X(STORE_##id, COUNTER, "telephone_store_errors_total", \
	    "kind=\"" kind "\"", "Faults of the token store, by kind")

#define METRICS_TRACE(X, id, outcome)                         \
	X(TRACE_##id, COUNTER, "telephone_trace_spans_total", \
	    "outcome=\"" outcome "\"",                        \
	    "Spans of traces, by what became of them")

/* X(id, type, family, labels, help): rows of one family stand together and
 * repeat its type and help. */
#define METRICS_TABLE(X)                                                       \
	X(IN_FLIGHT, GAUGE, "telephone_requests_in_flight", "",                \
	    "Requests being answered now")                                     \
	X(WAITING, GAUGE, "telephone_requests_waiting", "",                    \
	    "Requests that wait for one of MAX_INFLIGHT")                      \
	X(CLIENTS_REFUSED, COUNTER, "telephone_clients_refused_total", "",     \
	    "Requests and WebSockets of clients not in ALLOW_CLIENTS")         \
	X(RATE_TOTAL, COUNTER, "telephone_rate_limited_total", "by=\"all\"",   \
	    "Requests and WebSockets above a rate limit")                      \
	X(RATE_CLIENT, COUNTER, "telephone_rate_limited_total",                \
	    "by=\"client\"", "Requests and WebSockets above a rate limit")     \
	X(RATE_SHARED, COUNTER, "telephone_rate_limited_total",                \
	    "by=\"shared\"", "Requests and WebSockets above a rate limit")     \
	X(RATE_CLIENTS, GAUGE, "telephone_rate_clients", "",                   \
	    "Clients with a rate limit of their own now")                      \
	X(MEMORY_USED, GAUGE, "telephone_memory_bytes", "",                    \
	    "Bytes that requests, answers and WebSockets hold")                \
	X(MEMORY_MAX, GAUGE, "telephone_memory_max_bytes", "",                 \
	    "Ceiling of the worker's memory")                                  \
	X(MEMORY_REFUSED, COUNTER, "telephone_memory_refused_total", "",       \
	    "Requests refused and WebSockets ended at that ceiling")           \
	X(RETRIES, COUNTER, "telephone_backend_retries_total", "",             \
	    "Requests sent to the backend once more")                          \
	X(BREAKER, GAUGE, "telephone_breaker_state", "",                       \
	    "Circuit breaker: 0 closed, 1 open, 2 half-open")                  \
	X(BREAKER_OPENED, COUNTER, "telephone_breaker_opened_total", "",       \
	    "Times that the circuit breaker has opened")                       \
	X(CROSSED, COUNTER, "telephone_requests_crossed_leave_total", "",      \
	    "Requests that crossed our phx_leave on the wire")                 \
	X(REQUEST_BYTES, COUNTER, "telephone_request_body_bytes_total", "",    \
	    "Request body bytes sent to the backend")                          \
	X(RESPONSE_BYTES, COUNTER, "telephone_response_body_bytes_total", "",  \
	    "Response body bytes received from the backend")                   \
	X(SPOOL_BYTES, GAUGE, "telephone_spool_bytes", "",                     \
	    "Bytes of the spool in use")                                       \
	X(DECLARED_LOST, COUNTER, "telephone_request_body_swallowed_total",    \
	    "", "Requests whose declared body did not arrive")                 \
	X(SET_COOKIE_LOST, COUNTER, "telephone_set_cookie_dropped_total", "",  \
	    "Set-Cookie fields the wire cannot carry")                         \
	METRICS_TUNNEL(X, NO_TOKEN, "no_token")                                \
	METRICS_TUNNEL(X, WAITING, "waiting")                                  \
	METRICS_TUNNEL(X, RESOLVING, "resolving")                              \
	METRICS_TUNNEL(X, CONNECTING, "connecting")                            \
	METRICS_TUNNEL(X, JOINING, "joining")                                  \
	METRICS_TUNNEL(X, JOINED, "joined")                                    \
	METRICS_TUNNEL(X, DRAINING, "draining")                                \
	X(TUNNELS_JOINED, GAUGE, "telephone_tunnels_joined", "",               \
	    "Tunnels whose channel is joined")                                 \
	X(CONNECTS, COUNTER, "telephone_connects_total", "",                   \
	    "WebSocket connections opened")                                    \
	METRICS_RECONNECT(X, RESOLVE, "resolve")                               \
	METRICS_RECONNECT(X, REFUSED, "refused")                               \
	METRICS_RECONNECT(X, UNREACHABLE, "unreachable")                       \
	METRICS_RECONNECT(X, TIMEOUT, "timeout")                               \
	METRICS_RECONNECT(X, PROXY_UNREACHABLE, "proxy_unreachable")           \
	METRICS_RECONNECT(X, PROXY_TIMEOUT, "proxy_timeout")                   \
	METRICS_RECONNECT(X, PROXY_AUTH, "proxy_auth")                         \
	METRICS_RECONNECT(X, PROXY_STATUS, "proxy_status")                     \
	METRICS_RECONNECT(X, PROXY_FAILED, "proxy_failed")                     \
	METRICS_RECONNECT(X, TLS_UNKNOWN_CA, "tls_unknown_ca")                 \
	METRICS_RECONNECT(X, TLS_NAME, "tls_name_mismatch")                    \
	METRICS_RECONNECT(X, TLS_EXPIRED, "tls_expired")                       \
	METRICS_RECONNECT(X, TLS_NOT_YET, "tls_not_yet_valid")                 \
	METRICS_RECONNECT(X, TLS_CERT, "tls_certificate")                      \
	METRICS_RECONNECT(X, TLS_PIN, "tls_pin")                               \
	METRICS_RECONNECT(X, TLS_CLIENT_CERT, "tls_client_certificate")        \
	METRICS_RECONNECT(X, TLS_VERSION, "tls_protocol_version")              \
	METRICS_RECONNECT(X, TLS_PLAIN, "tls_plain_text")                      \
	METRICS_RECONNECT(X, TLS, "tls")                                       \
	METRICS_RECONNECT(X, FORBIDDEN, "forbidden")                           \
	METRICS_RECONNECT(X, HTTP_STATUS, "http_status")                       \
	METRICS_RECONNECT(X, HANDSHAKE, "handshake")                           \
	METRICS_RECONNECT(X, JOIN_REFUSED, "join_refused")                     \
	METRICS_RECONNECT(X, JOIN_TIMEOUT, "join_timeout")                     \
	METRICS_RECONNECT(X, HEARTBEAT, "heartbeat")                           \
	METRICS_RECONNECT(X, CLOSED, "closed")                                 \
	METRICS_RECONNECT(X, EOF, "eof")                                       \
	METRICS_RECONNECT(X, PROTOCOL, "protocol")                             \
	METRICS_RECONNECT(X, CHANNEL_CRASHES, "channel_crashes")               \
	METRICS_RECONNECT(X, STALLED, "stalled")                               \
	METRICS_RECONNECT(X, TOO_SLOW, "too_slow")                             \
	X(WS_SESSIONS, GAUGE, "telephone_websockets", "",                      \
	    "WebSockets of clients, those being checked among them")           \
	METRICS_WS(X, CLIENT, "client")                                        \
	METRICS_WS(X, BACKEND, "backend")                                      \
	METRICS_WS(X, REFUSED, "refused")                                      \
	METRICS_WS(X, FAULT, "fault")                                          \
	METRICS_WS(X, STUCK, "stuck")                                          \
	METRICS_WS(X, IDLE, "idle")                                            \
	METRICS_WS(X, LOST, "lost")                                            \
	METRICS_WS(X, DRAINED, "drained")                                      \
	X(WS_CHECKS_OK, COUNTER, "telephone_websocket_checks_total",           \
	    "supported=\"true\"", "Checks answered, by answer")                \
	X(WS_CHECKS_REFUSED, COUNTER, "telephone_websocket_checks_total",      \
	    "supported=\"false\"", "Checks answered, by answer")               \
	X(WS_REJECTED, COUNTER, "telephone_websockets_rejected_total", "",     \
	    "Checks and connects refused before anything was begun")           \
	X(WS_MESSAGES_TO, COUNTER, "telephone_websocket_messages_total",       \
	    "to=\"backend\"", "Messages, pings and pongs relayed")             \
	X(WS_MESSAGES_FROM, COUNTER, "telephone_websocket_messages_total",     \
	    "to=\"client\"", "Messages, pings and pongs relayed")              \
	X(WS_BYTES_TO, COUNTER, "telephone_websocket_bytes_total",             \
	    "to=\"backend\"", "Their payload")                                 \
	X(WS_BYTES_FROM, COUNTER, "telephone_websocket_bytes_total",           \
	    "to=\"client\"", "Their payload")                                  \
	METRICS_REJOIN(X, ERROR, "phx_error")                                  \
	METRICS_REJOIN(X, CLOSE, "phx_close")                                  \
	METRICS_REJOIN(X, UNMATCHED, "unmatched_topic")                        \
	X(HEARTBEATS, COUNTER, "telephone_heartbeats_total", "",               \
	    "Heartbeats acknowledged")                                         \
	X(HEARTBEAT_RTT, GAUGE_MS, "telephone_heartbeat_rtt_seconds", "",      \
	    "Round trip of the last heartbeat")                                \
	X(MESSAGES_DROPPED, COUNTER, "telephone_messages_dropped_total", "",   \
	    "Messages that were malformed or not for the current join")        \
	X(MESSAGES_TOO_LONG, COUNTER, "telephone_messages_too_long_total", "", \
	    "Messages longer than MAX_REQUEST_SIZE")                           \
	X(MESSAGE_ACCEPTED, GAUGE, "telephone_message_accepted_bytes", "",     \
	    "Longest message that Plugboard is known to take")                 \
	X(MESSAGE_REFUSED, GAUGE, "telephone_message_refused_bytes", "",       \
	    "Shortest message that it has refused, 0: none")                   \
	METRICS_REFRESH(X, OK, "ok")                                           \
	METRICS_REFRESH(X, REFUSED, "refused")                                 \
	METRICS_REFRESH(X, REVOKED, "revoked")                                 \
	METRICS_REFRESH(X, TIMEOUT, "timeout")                                 \
	METRICS_REFRESH(X, LOST, "lost")                                       \
	METRICS_REFRESH(X, UNUSABLE, "unusable")                               \
	X(TOKENS_REFUSED, COUNTER, "telephone_tokens_refused_total", "",       \
	    "Tokens that the server refused or revoked")                       \
	X(TOKEN_EXPIRY, GAUGE, "telephone_token_expiry_timestamp_seconds", "", \
	    "When the current token expires, 0 without one")                   \
	METRICS_WALL(X, SECCOMP, GAUGE, "telephone_sandbox_seccomp",           \
	    "Whether a seccomp filter stands, by process")                     \
	METRICS_WALL(X, LANDLOCK, GAUGE, "telephone_sandbox_landlock_abi",     \
	    "ABI of the Landlock rules that stand, 0: none")                   \
	METRICS_WALL(X, VIOLATIONS, COUNTER,                                   \
	    "telephone_sandbox_violations_total",                              \
	    "System calls that a process had no right to")                     \
	X(TOKEN_LEFT, GAUGE, "telephone_token_expires_in_seconds", "",         \
	    "What is left of the current token's life, 0 without one")         \
	X(TOKEN_UNSAVED, GAUGE, "telephone_token_unsaved", "",                 \
	    "1 while the current token is not in the store")                   \
	METRICS_STORE(X, LOCKED, "locked")                                     \
	METRICS_STORE(X, FULL, "full")                                         \
	METRICS_STORE(X, READONLY, "readonly")                                 \
	METRICS_STORE(X, DAMAGED, "damaged")                                   \
	METRICS_STORE(X, IO, "io")                                             \
	X(STORE_ROWS, GAUGE, "telephone_store_rows", "",                       \
	    "Tokens in the store")                                             \
	METRICS_TRACE(X, EXPORTED, "exported")                                 \
	METRICS_TRACE(X, REJECTED, "rejected")                                 \
	METRICS_TRACE(X, FAILED, "failed")                                     \
	METRICS_TRACE(X, DROPPED, "dropped")                                   \
	X(TRACE_QUEUE, GAUGE, "telephone_trace_queue_spans", "",               \
	    "Spans that wait to be exported")                                  \
	X(TRACE_RETRIES, COUNTER, "telephone_trace_export_retries_total", "",  \
	    "Batches of spans sent to the collector once more")                \
	X(LOG_DROPPED, COUNTER, "telephone_log_lines_dropped_total", "",       \
	    "Lines of the log that nobody read in time")                       \
	X(START_TIME, GAUGE, "telephone_start_time_seconds", "",               \
	    "When this worker started")                                        \
	X(PROCESS_START, GAUGE, "process_start_time_seconds", "",              \
	    "When the worker started")                                         \
	X(PROCESS_CPU, COUNTER_MS, "process_cpu_seconds_total", "",            \
	    "CPU time of the worker, user and system")                         \
	X(PROCESS_MEMORY, GAUGE, "process_resident_memory_bytes", "",          \
	    "Memory of the worker that is resident")                           \
	X(PROCESS_FDS, GAUGE, "process_open_fds", "",                          \
	    "Descriptors that the worker has open")                            \
	X(PROCESS_FDS_MAX, GAUGE, "process_max_fds", "",                       \
	    "Descriptors that the worker may have open")

enum metrics_id {
#define METRICS_ID(id, type, family, labels, help) METRICS_##id,
	METRICS_TABLE(METRICS_ID)
#undef METRICS_ID
	METRICS_COUNT
};

/* How an exchange ended; metrics_outcome_name() is its label. */
enum metrics_outcome {
	METRICS_OK,	       /* the application's answer went back */
	METRICS_BACKEND_ERROR, /* it gave none that could be passed on */
	METRICS_TIMEOUT,
	METRICS_REFUSED, /* by a rule or a limit of ours */
	METRICS_LOST,	 /* there was no way back any more */
	METRICS_OUTCOMES
};
const char *metrics_outcome_name(enum metrics_outcome);

#define METRICS_METHODS 8 /* seven by name, and "other" */
#define METRICS_ENDS 9	  /* pairs of status class and outcome that occur */

/* Durations in microseconds. */
enum metrics_histogram_id {
	METRICS_DURATION,
	METRICS_PHASE_QUEUE, /* in the order of enum ledger_phase */
	METRICS_PHASE_RETRY,
	METRICS_PHASE_CONNECT,
	METRICS_PHASE_FIRST_BYTE,
	METRICS_PHASE_BODY,
	METRICS_PHASE_SEND,
	METRICS_HISTOGRAMS
};

/* Upper bounds, and one bucket for what is longer. */
#define METRICS_BUCKETS 15
extern const int64_t metrics_bounds_us[METRICS_BUCKETS];

struct metrics_histogram {
	uint64_t bucket[METRICS_BUCKETS + 1]; /* each for itself */
	uint64_t sum_us;
};

struct metrics {
	int64_t value[METRICS_COUNT];
	uint64_t requests[METRICS_METHODS][METRICS_ENDS];
	struct metrics_histogram histogram[METRICS_HISTOGRAMS];
};

void metrics_init(struct metrics *); /* all zero */
void metrics_add(struct metrics *, enum metrics_id, int64_t n);
void metrics_set(struct metrics *, enum metrics_id, int64_t value);
int64_t metrics_get(const struct metrics *, enum metrics_id);
/* The sum of the rows from first to last. */
int64_t metrics_sum(
    const struct metrics *, enum metrics_id first, enum metrics_id last);

/* One exchange has ended; status 0: nothing was answered. */
void metrics_count_request(
    struct metrics *, const char *method, int status, enum metrics_outcome);
/* How many ended so. */
uint64_t metrics_requests(const struct metrics *, enum metrics_outcome);

void metrics_observe(struct metrics *, enum metrics_histogram_id, int64_t us);
uint64_t metrics_observed(const struct metrics_histogram *);
/* The duration that this share (0 to 1) of all stayed below, by linear
 * interpolation in its bucket, as Prometheus does it; 0 when there was none. */
int64_t metrics_quantile_us(const struct metrics_histogram *, double share);

struct proto_sandbox;
/* Sets the rows of one process's walls. */
void metrics_set_walls(struct metrics *, const struct proto_sandbox *);

/* Appends those of metrics_count_request and metrics_observe. */
void metrics_render_requests(const struct metrics *, struct buf *out);

/* Appends all, telephone_build_info; 0, or -1 when out does not take it. */
int metrics_render(const struct metrics *, struct buf *out);

#endif
