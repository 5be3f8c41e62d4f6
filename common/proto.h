/* SPDX-License-Identifier: MIT */
/*
 * What our processes say to each other: every message, its encoding, and one
 * table of who may send it to whom, in which state, how large, with or
 * without a descriptor. Knows no socket and no loop. Decoding is strict:
 * exact length, enumerations checked, no NUL in strings, read to the end.
 *
 * To add a message: a line in enum proto_type, a row in proto.c's table, and
 * a pair of functions here when it has a payload.
 */
#ifndef COMMON_PROTO_H
#define COMMON_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc.h"
#include "log.h"
#include "sandbox.h"

enum proto_role {
	PROTO_SUPERVISOR,
	PROTO_WORKER,
	PROTO_TOKEND,
	PROTO_CTL, /* telephonectl: an outsider */
};

/* What a connection has been through; each side keeps its own view. */
enum proto_state {
	PROTO_NEW = 1,	   /* nothing but HELLO */
	PROTO_SETUP = 2,   /* configuration and descriptors */
	PROTO_RUNNING = 4, /* READY was said */
};

enum proto_type {
	PROTO_HELLO = 1, /* child → supervisor, worker ↔ tokend: build */
	PROTO_CONF,	 /* supervisor → child: one key and its value */
	PROTO_FD,	 /* supervisor → child: kind + descriptor */
	PROTO_CONF_END,	 /* supervisor → child: that was all, apply it */
	PROTO_CONF_ACK,	 /* child → supervisor: applied, or which fault */
	PROTO_READY,	 /* child → supervisor: dropped, verified */
	PROTO_STOP,	 /* supervisor → child: why; drain and leave */
	PROTO_LOG_LEVEL, /* supervisor → child, ctl → supervisor */
	PROTO_STATUS,	 /* supervisor → child, ctl → supervisor */
	PROTO_WORKER_STATUS,	 /* worker → supervisor → ctl */
	PROTO_TOKEND_STATUS,	 /* tokend → supervisor → ctl */
	PROTO_SUPERVISOR_STATUS, /* supervisor → ctl */
	PROTO_JOINED,		 /* worker → supervisor: this worker serves */
	PROTO_TOKEN_GET,	 /* worker → tokend */
	PROTO_TOKEN,	     /* tokend → worker: answer, or unasked: newer */
	PROTO_TOKEN_REFUSED, /* worker → tokend: the server said no to it */
	PROTO_REFRESH_DUE, /* tokend → worker: ask Plugboard for a new one */
	PROTO_TOKEN_PUT,   /* worker → tokend: what Plugboard answered */
	PROTO_SANDBOX, /* child → supervisor → worker, ctl: how walls stand */
	PROTO_TOKEND_FIGURES, /* tokend → worker: its metrics, when changed */
	PROTO_TOKEN_SET,      /* ctl → supervisor → tokend, descriptor */
	PROTO_TOKEN_ROTATE,   /* ctl → supervisor → tokend */
	PROTO_TOKEN_REPORT,   /* tokend → supervisor → ctl: how that went */
	PROTO_RELOAD,	      /* ctl → supervisor */
	PROTO_DRAIN,	      /* ctl → supervisor: DONE comes at the end */
	PROTO_RECONNECT, /* ctl → supervisor → worker: the network changed */
	PROTO_INSPECT,	 /* supervisor → worker: the page's token */
	PROTO_VERSION,	 /* ctl → supervisor */
	PROTO_TEXT,	 /* → ctl: one line for the operator */
	PROTO_DONE,	 /* → ctl: exit status; the end */
	PROTO_WATCH,	 /* ctl → supervisor: hand me to the worker */
	PROTO_WATCHER,	 /* supervisor → worker: a ctl's socket */
	PROTO_WATCHED,	 /* worker → ctl, from here on as watch.h says */
	PROTO_EXCHANGES_GET, /* ctl → worker */
	PROTO_EXCHANGES,     /* worker → ctl: the answer, a page */
	PROTO_LOAD_GET,	     /* ctl → worker */
	PROTO_LOAD,	     /* worker → ctl: the answer, figures */
	PROTO_TYPES
};

/* Payload of PROTO_FD. */
enum proto_fd {
	PROTO_FD_SECRET,   /* SECRET_KEY_BASE, to tokend */
	PROTO_FD_PREVIOUS, /* SECRET_KEY_BASE_PREVIOUS, to tokend */
	PROTO_FD_JWT_KEY,  /* PLUGBOARD_JWT_SECRET_FILE, to tokend */
	PROTO_FD_TOKEN,	   /* TELEPHONE_TOKEN, to tokend */
	PROTO_FD_LISTENER, /* health listener, to the worker */
	PROTO_FD_PEER,	   /* socketpair worker–tokend, to both */
	PROTO_FDS
};

/* Payload of PROTO_STOP. */
enum proto_stop {
	PROTO_STOP_END,	     /* the service ends */
	PROTO_STOP_REPLACED, /* another one has taken over */
	PROTO_STOPS
};

const char *proto_name(uint16_t type); /* "TOKEN_GET", or "?" */
const char *proto_role_name(enum proto_role);

/*
 * NULL when `from` may send this frame to `to` in this state, otherwise a
 * static text that says what is wrong with it (unknown type, wrong sender,
 * wrong state, too short, too long, descriptor missing or unexpected).
 */
const char *proto_check(const struct ipc_frame *, enum proto_role from,
    enum proto_role to, enum proto_state state);

/*
 * Encoders write to space (IPC_PAYLOAD_MAX bytes), return the length, or -1
 * when it does not fit or the decoder would refuse it. Decoders return 0, or
 * -1 for a malformed payload; the struct then holds nothing of use.
 */
#define PROTO_BUILD_MAX 128
int proto_put_hello(uint8_t *space, enum proto_role self);
int proto_get_hello(
    const struct ipc_frame *, enum proto_role *, char build[PROTO_BUILD_MAX]);
/* This executable's own build id: version and IPC revision. */
const char *proto_build(void);

/* One byte payloads: FD kind, STOP, CONF_ACK (a sysexits code), DONE (exit
 * status). */
int proto_put_u8(uint8_t *space, uint8_t);
int proto_get_u8(const struct ipc_frame *, uint8_t *);

/* PROTO_LOG_LEVEL: which processes it is for, and of what level. journal says
 * to a child whether standard error is the journal. */
enum proto_log_who {
	PROTO_LOG_ALL,
	PROTO_LOG_SUPERVISOR,
	PROTO_LOG_WORKER,
	PROTO_LOG_TOKEND,
	PROTO_LOG_WHOS
};
struct proto_log {
	enum proto_log_who who;
	enum log_level level;
	bool journal;
};
int proto_put_log(uint8_t *space, const struct proto_log *);
int proto_get_log(const struct ipc_frame *, struct proto_log *);

/* PROTO_TEXT: a longer text is cut. */
#define PROTO_TEXT_MAX 4096
int proto_put_text(uint8_t *space, const char *text);
int proto_get_text(const struct ipc_frame *, char text[PROTO_TEXT_MAX]);

/* PROTO_INSPECT: 128 bits as lower-case hexadecimal digits. */
#define PROTO_INSPECT_LEN 32
int proto_put_inspect(uint8_t *space, const char *token);
int
proto_get_inspect(const struct ipc_frame *, char token[PROTO_INSPECT_LEN + 1]);

#define PROTO_TOKEN_MAX (16 * 1024) /* Plugboard answers 414 at about 12 kB */
#define PROTO_ID_MAX 256	    /* path_id, sub and jti */

/* How the token stands that TOKEN carries, or that there is none. */
enum proto_token_state {
	PROTO_TOKEN_NONE, /* none was given and none is stored */
	PROTO_TOKEN_VALID,
	PROTO_TOKEN_EXPIRED, /* the best there is: the server's clock decides */
	PROTO_TOKEN_REFUSED_ALL, /* so was every other: retry slowly */
	PROTO_TOKEN_STATES
};
const char *proto_token_state_name(enum proto_token_state);

/* PROTO_TOKEN: token is empty with NONE and only then. Wipe it after use. */
struct proto_token {
	enum proto_token_state state;
	int64_t exp_s; /* wall clock, seconds since 1970 */
	char path_id[PROTO_ID_MAX];
	char jti[PROTO_ID_MAX];
	char token[PROTO_TOKEN_MAX];
};
int proto_put_token(uint8_t *space, const struct proto_token *);
int proto_get_token(const struct ipc_frame *, struct proto_token *);

/* PROTO_TOKEN_REFUSED: which one, and by what HTTP status (403), or 0 when
 * the join was refused. */
struct proto_refused {
	uint16_t status;
	char jti[PROTO_ID_MAX];
};
int proto_put_refused(uint8_t *space, const struct proto_refused *);
int proto_get_refused(const struct ipc_frame *, struct proto_refused *);

/* PROTO_TOKEN_PUT: how a refresh ended. */
enum proto_refresh {
	PROTO_REFRESH_OK,      /* token is set */
	PROTO_REFRESH_REFUSED, /* Plugboard answered with an error */
	PROTO_REFRESH_REVOKED, /* … namely :token_revoked */
	PROTO_REFRESH_TIMEOUT, /* no answer within the deadline */
	PROTO_REFRESH_LOST,    /* the tunnel ended before the answer */
	PROTO_REFRESHES
};
const char *proto_refresh_name(enum proto_refresh);
struct proto_put {
	enum proto_refresh outcome;
	char token[PROTO_TOKEN_MAX]; /* empty unless OK */
};
int proto_put_put(uint8_t *space, const struct proto_put *);
int proto_get_put(const struct ipc_frame *, struct proto_put *);

/* Where a tunnel stands. */
enum proto_tunnel {
	PROTO_TUNNEL_NO_TOKEN, /* nothing to present */
	PROTO_TUNNEL_WAITING,  /* until the next attempt */
	PROTO_TUNNEL_RESOLVING,
	PROTO_TUNNEL_CONNECTING,
	PROTO_TUNNEL_JOINING,
	PROTO_TUNNEL_JOINED,
	PROTO_TUNNEL_DRAINING,
	PROTO_TUNNELS
};
const char *proto_tunnel_name(enum proto_tunnel);

/* Why a tunnel ended or an attempt failed: one closed list for logs, status
 * and metrics. */
enum proto_reason {
	PROTO_REASON_NONE,
	PROTO_REASON_RESOLVE, /* name not resolved */
	PROTO_REASON_REFUSED, /* TCP refused */
	PROTO_REASON_UNREACHABLE,
	PROTO_REASON_TIMEOUT,		/* connect or handshake deadline */
	PROTO_REASON_PROXY_UNREACHABLE, /* resolve, refused, no route */
	PROTO_REASON_PROXY_TIMEOUT,
	PROTO_REASON_PROXY_AUTH,   /* 407 */
	PROTO_REASON_PROXY_STATUS, /* any other answer than 2xx */
	PROTO_REASON_PROXY_FAILED, /* no answer, or one that is no HTTP */
	PROTO_REASON_TLS_UNKNOWN_CA,
	PROTO_REASON_TLS_NAME,
	PROTO_REASON_TLS_EXPIRED,
	PROTO_REASON_TLS_NOT_YET,
	PROTO_REASON_TLS_CERT, /* refused for another reason */
	PROTO_REASON_TLS_PIN,
	PROTO_REASON_TLS_CLIENT_CERT, /* wanted or refused */
	PROTO_REASON_TLS_VERSION,
	PROTO_REASON_TLS_PLAIN,
	PROTO_REASON_TLS,	  /* an alert, cut off, broken records */
	PROTO_REASON_FORBIDDEN,	  /* 403: the token */
	PROTO_REASON_HTTP_STATUS, /* any other answer than 101 */
	PROTO_REASON_HANDSHAKE,	  /* ended before an answer */
	PROTO_REASON_JOIN_REFUSED,
	PROTO_REASON_JOIN_TIMEOUT,
	PROTO_REASON_HEARTBEAT,	      /* unanswered within its deadline */
	PROTO_REASON_CLOSED,	      /* close frame */
	PROTO_REASON_EOF,	      /* end of stream or reset without one */
	PROTO_REASON_PROTOCOL,	      /* what arrived was no WebSocket frame */
	PROTO_REASON_CHANNEL_CRASHES, /* phx_error again and again */
	PROTO_REASON_STALLED,	      /* the server takes no more bytes */
	PROTO_REASON_TOO_SLOW,	      /* one message took too long to send */
	PROTO_REASONS
};
const char *proto_reason_name(enum proto_reason);
bool proto_reason_is_tls(enum proto_reason);

/* The circuit breaker in front of the application. */
enum proto_breaker {
	PROTO_BREAKER_CLOSED,
	PROTO_BREAKER_OPEN,
	PROTO_BREAKER_HALF_OPEN,
	PROTO_BREAKERS
};
const char *proto_breaker_name(enum proto_breaker);

/* One tunnel. Times as in proto_worker_status. */
#define PROTO_TUNNELS_MAX 8
struct proto_tunnel_status {
	enum proto_tunnel state;
	enum proto_reason last_reason;
	uint16_t last_detail;
	int64_t joined_ms, heartbeat_ms, retry_ms;
};

/* What BACKEND_HEALTH_PATH says, in the order of enum ready_backend. */
enum proto_health {
	PROTO_HEALTH_UNASKED,
	PROTO_HEALTH_UNKNOWN,
	PROTO_HEALTH_GOOD,
	PROTO_HEALTH_BAD,
	PROTO_HEALTHS
};
const char *proto_health_name(enum proto_health);

#define PROTO_TRACE_ERROR_MAX 256
#define PROTO_NOT_READY_MAX 24

/* Of several tunnels the best one is described, and how the last one that is
 * down has ended; and each in its place. */
struct proto_worker_status {
	uint8_t tunnels, tunnels_joined;
	enum proto_tunnel tunnel;
	enum proto_reason last_reason;
	uint16_t last_detail; /* HTTP status or close code, 0: none */
	bool ready;
	bool draining;
	int64_t joined_ms;    /* age of the join, -1: not joined */
	int64_t heartbeat_ms; /* since the last ack, -1: none yet */
	int64_t retry_ms;     /* until the next attempt, -1: none due */
	uint64_t requests;
	uint64_t failures; /* answered by ourselves with 4xx or 5xx */
	uint64_t in_flight;
	uint64_t reconnects;
	uint64_t rejoins;
	enum proto_breaker breaker;
	uint64_t memory, memory_max; /* bytes held, and the ceiling */
	/* Messages that Plugboard took, and refused: bytes, 0: none yet. */
	uint64_t message_accepted, message_refused;
	bool tracing; /* else the rest is empty */
	uint64_t spans, spans_lost, spans_waiting;
	char trace_error[PROTO_TRACE_ERROR_MAX]; /* "": the last went well */
	struct proto_tunnel_status tunnel_list[PROTO_TUNNELS_MAX];
	char not_ready[PROTO_NOT_READY_MAX]; /* the word of /readyz, or "" */
	enum proto_health backend;
	uint64_t in_flight_max, waiting; /* MAX_INFLIGHT, and for one of it */
	uint64_t sessions;		 /* WebSockets that are open */
	uint64_t over_limits; /* by a rate limit, or of ALLOW_CLIENTS */
};
int proto_put_worker_status(uint8_t *space, const struct proto_worker_status *);
int
proto_get_worker_status(const struct ipc_frame *, struct proto_worker_status *);

/* Where the current token came from. */
enum proto_source {
	PROTO_SOURCE_NONE,
	PROTO_SOURCE_STORE,
	PROTO_SOURCE_GIVEN,
	PROTO_SOURCE_REFRESH,
	PROTO_SOURCES
};
const char *proto_source_name(enum proto_source);

/* What went wrong with the store, for metrics. */
enum proto_store_error {
	PROTO_STORE_LOCKED,
	PROTO_STORE_FULL,
	PROTO_STORE_READONLY,
	PROTO_STORE_DAMAGED,
	PROTO_STORE_IO,
	PROTO_STORE_ERRORS
};

/* PROTO_TOKEND_FIGURES: counted since tokend's start, so that every worker
 * shows the same. */
struct proto_figures {
	int64_t exp_s;			     /* of the current token, 0: none */
	uint64_t refreshes[PROTO_REFRESHES]; /* by outcome */
	uint64_t unusable;		     /* answers that were not taken */
	uint64_t refused; /* tokens that the server refused */
	uint64_t errors[PROTO_STORE_ERRORS];
	uint64_t rows;
	bool unsaved; /* the current token is not in the store */
};
int proto_put_figures(uint8_t *space, const struct proto_figures *);
int proto_get_figures(const struct ipc_frame *, struct proto_figures *);

/* PROTO_TOKEN_REPORT: what TOKEN_SET or TOKEN_ROTATE has done. */
#define PROTO_REPORT_TEXT_MAX 512
struct proto_report {
	uint8_t code; /* the exit status of telephonectl */
	bool stored;  /* TOKEN_SET: it is in the store */
	bool current; /* TOKEN_SET: it is the one in use */
	bool moved; /* TOKEN_SET: … and for another path than the last one */
	bool previous; /* SECRET_KEY_BASE_PREVIOUS is given */
	uint64_t rows;
	uint64_t resealed;   /* since tokend's start */
	uint64_t unreadable; /* with neither key */
	int64_t exp_s;
	char path_id[PROTO_ID_MAX];
	char jti[PROTO_ID_MAX];
	char text[PROTO_REPORT_TEXT_MAX]; /* for people */
};
int proto_put_report(uint8_t *space, const struct proto_report *);
int proto_get_report(const struct ipc_frame *, struct proto_report *);

struct proto_tokend_status {
	enum proto_token_state state;
	enum proto_source source;
	int64_t iat_s, exp_s;  /* 0: no token */
	int64_t refresh_in_ms; /* -1: none scheduled */
	uint64_t refreshes;    /* kept */
	uint64_t refresh_failures;
	uint64_t rows;	     /* in the store */
	uint64_t unreadable; /* of them, with no key that was given */
	uint32_t set_aside;  /* candidates that the server refused */
	bool verified;	     /* by PLUGBOARD_JWT_SECRET_FILE */
	bool unsaved;	     /* not in the store yet */
	char path_id[PROTO_ID_MAX];
	char sub[PROTO_ID_MAX];
	char jti[PROTO_ID_MAX];
	char refusal[PROTO_REPORT_TEXT_MAX]; /* the last one, or "" */
};
int proto_put_tokend_status(uint8_t *space, const struct proto_tokend_status *);
int
proto_get_tokend_status(const struct ipc_frame *, struct proto_tokend_status *);

/* How the walls of one process stand. A child says what has come since it
 * said so last; the supervisor says how many there were in all. */
struct proto_sandbox {
	enum sandbox_process process;
	struct sandbox_level level;
	uint32_t violations;
};
int proto_put_sandbox(uint8_t *space, const struct proto_sandbox *);
int proto_get_sandbox(const struct ipc_frame *, struct proto_sandbox *);

struct proto_supervisor_status {
	int64_t uptime_ms;
	uint32_t pid;
	uint32_t worker_pid, tokend_pid; /* 0: not running */
	uint32_t generation;		 /* of the configuration, from 1 */
	uint32_t worker_restarts, tokend_restarts;
	bool root; /* children run under users of their own */
	char version[64];
	char config[1024]; /* file, or "" */
	char inspect[192]; /* where the page of INSPECT is, or "" */
};
int proto_put_supervisor_status(
    uint8_t *space, const struct proto_supervisor_status *);
int proto_get_supervisor_status(
    const struct ipc_frame *, struct proto_supervisor_status *);

#endif
