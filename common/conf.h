/* SPDX-License-Identifier: MIT */
/*
 * Configuration: one table of keys (conf.c) that drives parsing, validation,
 * `telephone -n`, the example file and what each process is sent. The file
 * format is KEY=value lines with the names of the environment variables, as
 * in systemd's EnvironmentFile and docker's --env-file; no expansion.
 *
 * A value is held as text and, where its type has one, as a number: ms for
 * durations, bytes for sizes, the index for choices. Secrets are never held:
 * parsing moves them into a memfd (secret.h) and wipes the text.
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "ipc.h"
#include "list.h"

enum conf_id {
	CONF_PLUGBOARD_URL,
	CONF_PLUGBOARD_CA_FILE,
	CONF_PLUGBOARD_CLIENT_CERT,
	CONF_PLUGBOARD_CLIENT_KEY,
	CONF_PLUGBOARD_PIN,
	CONF_HTTPS_PROXY,
	CONF_HTTP_PROXY,
	CONF_NO_PROXY,
	CONF_TELEPHONE_TOKEN,
	CONF_TELEPHONE_TOKEN_FILE,
	CONF_SECRET_KEY_BASE,
	CONF_SECRET_KEY_BASE_FILE,
	CONF_BACKEND_URL,
	CONF_SECRET_KEY_BASE_PREVIOUS,
	CONF_SECRET_KEY_BASE_PREVIOUS_FILE,
	CONF_PLUGBOARD_JWT_SECRET_FILE,
	CONF_BACKEND_HOST,
	CONF_BACKEND_PORT,
	CONF_BACKEND_SCHEME,
	CONF_BACKEND_CA_FILE,
	CONF_BACKEND_CLIENT_CERT,
	CONF_BACKEND_CLIENT_KEY,
	CONF_HOST_HEADER,
	CONF_TRUST_FORWARDED,
	CONF_VIA,
	CONF_ADD_REQUEST_HEADERS,
	CONF_REMOVE_REQUEST_HEADERS,
	CONF_ADD_RESPONSE_HEADERS,
	CONF_REMOVE_RESPONSE_HEADERS,
	CONF_SET_COOKIE_OVERFLOW,
	CONF_ALLOW_METHODS,
	CONF_ALLOW_PATHS,
	CONF_DENY_PATHS,
	CONF_ALLOW_CLIENTS,
	CONF_RATE_LIMIT,
	CONF_RATE_BURST,
	CONF_RATE_LIMIT_BY,
	CONF_RATE_CLIENTS_MAX,
	CONF_RATE_LIMIT_TOTAL,
	CONF_RATE_BURST_TOTAL,
	CONF_CONNECT_TIMEOUT,
	CONF_REQUEST_TIMEOUT,
	CONF_ACCEPT_ENCODING,
	CONF_EVENT_STREAM,
	CONF_REQUEST_TTL,
	CONF_BACKEND_CONNECT_TIMEOUT,
	CONF_BACKEND_FIRST_BYTE_TIMEOUT,
	CONF_BACKEND_IDLE_TIMEOUT,
	CONF_BACKEND_RETRIES,
	CONF_BACKEND_RETRY_ON,
	CONF_BACKEND_CONNECTIONS_MAX,
	CONF_BACKEND_CONNECTIONS_IDLE,
	CONF_BACKEND_HEALTH_PATH,
	CONF_BACKEND_HEALTH_INTERVAL,
	CONF_BREAKER_FAILURES,
	CONF_BREAKER_OPEN_TIME,
	CONF_HEARTBEAT_INTERVAL,
	CONF_HEARTBEAT_TIMEOUT,
	CONF_SEND_TIMEOUT,
	CONF_MAX_SEND_TIME,
	CONF_CONNECTION_MONITOR_INTERVAL,
	CONF_INITIAL_BACKOFF,
	CONF_MAX_BACKOFF,
	CONF_MAX_RETRIES,
	CONF_TUNNELS,
	CONF_TUNNEL_MESSAGE_MAX,
	CONF_TUNNEL_MESSAGE_RETRY,
	CONF_TOKEN_DB_PATH,
	CONF_TOKEN_REFRESH_INTERVAL,
	CONF_DB_TIMEOUT,
	CONF_MAX_REQUEST_SIZE,
	CONF_MAX_RESPONSE_SIZE,
	CONF_RESPONSE_BUFFER,
	CONF_SPOOL_DIR,
	CONF_SPOOL_MAX,
	CONF_CHUNK_SIZE,
	CONF_BINARY_BODIES,
	CONF_BINARY_BODY_MAX,
	CONF_MAX_INFLIGHT,
	CONF_WS_MAX_SESSIONS,
	CONF_WS_MAX_MESSAGE,
	CONF_WS_QUEUE_SIZE,
	CONF_WS_CONNECT_TIMEOUT,
	CONF_WS_IDLE_TIMEOUT,
	CONF_QUEUE_MAX,
	CONF_QUEUE_TIMEOUT,
	CONF_REQUEST_MEMORY_MAX,
	CONF_MEMORY_MAX,
	CONF_PATH_LIMITS,
	CONF_SHUTDOWN_TIMEOUT,
	CONF_HEALTH_LISTEN,
	CONF_HEALTH_CHECK_PORT,
	CONF_INSPECT,
	CONF_CONTROL_SOCKET,
	CONF_WORKER_USER,
	CONF_TOKEND_USER,
	CONF_SANDBOX,
	CONF_LOG_LEVEL,
	CONF_LOG_FORMAT,
	CONF_LOG_SAMPLE,
	CONF_OTEL_EXPORTER_OTLP_ENDPOINT,
	CONF_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
	CONF_OTEL_EXPORTER_OTLP_HEADERS,
	CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS,
	CONF_OTEL_EXPORTER_OTLP_TIMEOUT,
	CONF_OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
	CONF_OTEL_EXPORTER_OTLP_CERTIFICATE,
	CONF_OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE,
	CONF_OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
	CONF_OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE,
	CONF_OTEL_EXPORTER_OTLP_CLIENT_KEY,
	CONF_OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY,
	CONF_OTEL_EXPORTER_OTLP_PROTOCOL,
	CONF_OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
	CONF_OTEL_SERVICE_NAME,
	CONF_OTEL_RESOURCE_ATTRIBUTES,
	CONF_OTEL_TRACES_SAMPLER,
	CONF_OTEL_TRACES_SAMPLER_ARG,
	CONF_OTEL_TRACES_EXPORTER,
	CONF_OTEL_SDK_DISABLED,
	CONF_OTEL_BSP_SCHEDULE_DELAY,
	CONF_OTEL_BSP_EXPORT_TIMEOUT,
	CONF_OTEL_BSP_MAX_QUEUE_SIZE,
	CONF_OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
	CONF_KEYS
};

enum conf_type {
	CONF_TYPE_TEXT, /* length 1..max, no control characters */
	CONF_TYPE_HOST, /* name, IPv4 or IPv6 literal (brackets allowed) */
	CONF_TYPE_URL,	/* ws:// or wss:// */
	CONF_TYPE_PATH,
	CONF_TYPE_FILE,	 /* a path; must be there and readable at start */
	CONF_TYPE_PROXY, /* proxy_url.h; never shown */
	CONF_TYPE_PIN,	 /* pin.h */
	CONF_TYPE_INT,
	CONF_TYPE_DURATION, /* as Go's ParseDuration: 1h30m, 250ms; plain
			       numbers are refused but for 0 */
	CONF_TYPE_SIZE,	    /* bytes, or with K/M/G (KiB …), powers of 1024 */
	CONF_TYPE_CHOICE,   /* help_values: "text|json" */
	CONF_TYPE_SECRET,
	CONF_TYPE_LIST, /* of a kind of list.h */
};

enum conf_to { /* who receives the value over IPC */
	CONF_TO_SUPERVISOR = 1,
	CONF_TO_WORKER = 2,
	CONF_TO_TOKEND = 4,
};

enum conf_source {
	CONF_DEFAULT,
	CONF_FILE,
	CONF_ENV,
	CONF_FLAG,
};

struct conf_key {
	const char *name;
	const char *alias; /* older spelling, or NULL */
	enum conf_type type;
	int64_t min, max;    /* bounds of the number, or max length of text */
	const char *def;     /* as it would be written, or NULL: unset */
	const char *choices; /* CONF_TYPE_CHOICE */
	/* What else must hold of a text: NULL, or what is wrong. */
	const char *(*check)(const char *text);
	enum list_kind list; /* CONF_TYPE_LIST */
	unsigned to;	     /* enum conf_to, or-ed */
	bool reloadable;     /* SIGHUP applies it without a restart */
	const char *help;    /* one line */
};

extern const struct conf_key conf_keys[CONF_KEYS];

struct conf_value {
	char *text; /* NULL: unset */
	int64_t num;
	int fd; /* CONF_TYPE_SECRET: memfd, or -1 */
	enum conf_source source;
};

struct conf {
	struct conf_value value[CONF_KEYS];
	struct buf faults;   /* one line each, "where: KEY: what is wrong" */
	struct buf warnings; /* the same */
};

void conf_init(struct conf *); /* all defaults */
void conf_clear(struct conf *);

/*
 * Sets one value from text; `where` names its place in messages ("file:3",
 * "environment", "--log-level"). An empty text means unset: the default
 * stays, as it did in the Go Telephone. For a secret, text is moved into a
 * memfd. A fault is added to c->faults; 0 or -1.
 */
int conf_set(struct conf *, enum conf_id, char *text, enum conf_source,
    const char *where);

/* The key with this name or alias (exact), or -1. */
int conf_find(const char *name);

/* The known name nearest to a misspelt one, or NULL when none is near. */
const char *conf_nearest(const char *name);

/*
 * Parses a whole file that stands in text (writable, len bytes and a NUL
 * behind it): comments, blank lines, "export ", single and double quotes.
 * All faults of all lines are collected. Unknown keys are warnings (a .env
 * is often shared with the application), with the nearest known name.
 */
int conf_parse(struct conf *, char *text, size_t len, const char *file);

/* Takes the known names from an environment block; the values of secrets
 * are overwritten there. */
int conf_env(struct conf *, char **environ);

/* Checks what one value alone cannot show (INITIAL_BACKOFF <= MAX_BACKOFF,
 * HEARTBEAT_TIMEOUT …). Call it last. Returns 0 when c->faults is empty. */
int conf_finish(struct conf *);

/* Values: text is "" when unset; num 0. */
const char *conf_text(const struct conf *, enum conf_id);
int64_t conf_num(const struct conf *, enum conf_id);

/* A duration as Go's time.ParseDuration takes it, in milliseconds. */
bool conf_parse_duration(const char *text, int64_t *ms);
bool conf_is_set(const struct conf *, enum conf_id);

/* The values of INSPECT. */
enum conf_inspect {
	CONF_INSPECT_OFF,
	CONF_INSPECT_ON, /* on this machine alone */
	CONF_INSPECT_ANY,
};
/* NULL, or why there can be no page on a health listener that is open to this
 * machine alone (local), or to others. */
const char *conf_inspect_fault(const struct conf *, bool local);

/* IPC: one key a frame. put: length, 0 when that process does not receive
 * the key or it is unset, -1 when too long. get: 0, or -1 when malformed or
 * not valid by the table. */
int conf_put(uint8_t *space, const struct conf *, enum conf_id, unsigned to);
int conf_get(const struct ipc_frame *, struct conf *, unsigned self);

/* True when the two differ in a value that goes to `to`. Secrets are not
 * compared. */
bool conf_differs(const struct conf *, const struct conf *, unsigned to);

#endif
