/* SPDX-License-Identifier: MIT */
/*
 * The one table of keys, and what holds their values. To add a key is to add
 * a line to enum conf_id, a row here, and lines to telephone.conf.example and
 * telephone.conf.5, which a test compares.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_check.h"
#include "conf_value.h"
#include "otel.h"
#include "secret.h"
#include "util.h"

#define S CONF_TO_SUPERVISOR
#define W CONF_TO_WORKER
#define T CONF_TO_TOKEND

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define ROW(id, ...) [CONF_##id] = {.name = #id, __VA_ARGS__}

const struct conf_key conf_keys[CONF_KEYS] = {
    ROW(PLUGBOARD_URL, .type = CONF_TYPE_URL, .max = 1024, .to = W,
	.def = "ws://localhost:4000/telephone/websocket", .reloadable = true,
	.help = "where Plugboard's telephone socket is (ws:// or wss://)"),
    ROW(PLUGBOARD_CA_FILE, .type = CONF_TYPE_FILE, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "the CAs of Plugboard, in place of the system's"),
    ROW(PLUGBOARD_CLIENT_CERT, .type = CONF_TYPE_FILE, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "our certificate, where Plugboard's side asks for one"),
    ROW(PLUGBOARD_CLIENT_KEY, .type = CONF_TYPE_FILE, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "its key; unset: it is in the certificate's file"),
    ROW(PLUGBOARD_PIN, .type = CONF_TYPE_PIN, .max = 1024, .to = W,
	.reloadable = true,
	.help = "keys one of which Plugboard's certificates must have"),
    ROW(HTTPS_PROXY, .alias = "https_proxy", .type = CONF_TYPE_PROXY,
	.max = 1024, .to = W, .reloadable = true,
	.help = "HTTP proxy on the way to a wss:// Plugboard"),
    ROW(HTTP_PROXY, .alias = "http_proxy", .type = CONF_TYPE_PROXY, .max = 1024,
	.to = W, .reloadable = true,
	.help = "HTTP proxy on the way to a ws:// Plugboard"),
    ROW(NO_PROXY, .alias = "no_proxy", .type = CONF_TYPE_TEXT, .max = 2048,
	.to = W, .reloadable = true,
	.help = "hosts that are reached without a proxy"),
    ROW(TELEPHONE_TOKEN, .alias = "token", .type = CONF_TYPE_SECRET,
	.max = 16383, .to = T, .reloadable = true,
	.help = "the JWT that Plugboard gave; stored, so needed only once"),
    ROW(TELEPHONE_TOKEN_FILE, .type = CONF_TYPE_PATH, .max = 1024, .to = S,
	.reloadable = true, .help = "a file that holds TELEPHONE_TOKEN"),
    ROW(SECRET_KEY_BASE, .type = CONF_TYPE_SECRET, .max = 1024, .to = T,
	.reloadable = true,
	.help = "64 hex digits that the stored token is sealed with"),
    ROW(SECRET_KEY_BASE_FILE, .type = CONF_TYPE_PATH, .max = 1024, .to = S,
	.reloadable = true, .help = "a file that holds SECRET_KEY_BASE"),
    ROW(BACKEND_URL, .type = CONF_TYPE_TEXT, .max = 512, .to = W,
	.check = conf_check_backend_url, .reloadable = true,
	.help = "the application: http://host[:port], https://host[:port] or "
		"unix:/path; instead of the next three"),
    ROW(SECRET_KEY_BASE_PREVIOUS, .type = CONF_TYPE_SECRET, .max = 1023,
	.to = T, .reloadable = true,
	.help = "the one before: what it sealed is sealed anew"),
    ROW(SECRET_KEY_BASE_PREVIOUS_FILE, .type = CONF_TYPE_PATH, .max = 1024,
	.to = S, .reloadable = true,
	.help = "a file that holds SECRET_KEY_BASE_PREVIOUS"),
    ROW(PLUGBOARD_JWT_SECRET_FILE, .type = CONF_TYPE_PATH, .max = 1024, .to = S,
	.reloadable = true,
	.help = "a file that holds the key Plugboard signs tokens with; set: "
		"tokens are verified"),
    ROW(BACKEND_HOST, .type = CONF_TYPE_HOST, .max = 253, .to = W,
	.def = "localhost", .reloadable = true,
	.help = "host of the application"),
    ROW(BACKEND_PORT, .type = CONF_TYPE_INT, .min = 1, .max = 65535, .to = W,
	.def = "8080", .reloadable = true, .help = "port of the application"),
    ROW(BACKEND_SCHEME, .type = CONF_TYPE_CHOICE, .choices = "http|https",
	.to = W, .def = "http", .reloadable = true,
	.help = "how the application speaks"),
    ROW(BACKEND_CA_FILE, .type = CONF_TYPE_FILE, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "the CAs of an https application, in place of the system's"),
    ROW(BACKEND_CLIENT_CERT, .type = CONF_TYPE_FILE, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "our certificate, where an https application asks for one"),
    ROW(BACKEND_CLIENT_KEY, .type = CONF_TYPE_FILE, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "its key; unset: it is in the certificate's file"),
    ROW(HOST_HEADER, .type = CONF_TYPE_TEXT, .check = list_host_header_fault,
	.max = 300, .to = W, .def = "backend", .reloadable = true,
	.help = "the Host that the application sees: backend, pass or a name"),
    ROW(TRUST_FORWARDED, .type = CONF_TYPE_CHOICE,
	.choices = "off|relay|on|2|3|4|5|6|7|8", .to = W, .def = "relay",
	.reloadable = true,
	.help = "what becomes of X-Forwarded-For and its like"),
    ROW(VIA, .type = CONF_TYPE_TEXT, .check = list_via_fault, .max = 300,
	.to = W, .def = "off", .reloadable = true,
	.help = "the name that a request's Via field gets; off: none"),
    ROW(ADD_REQUEST_HEADERS, .type = CONF_TYPE_LIST, .list = LIST_ADD_REQUEST,
	.max = LIST_TEXT_MAX, .to = W, .reloadable = true,
	.help = "header fields that the application is sent"),
    ROW(REMOVE_REQUEST_HEADERS, .type = CONF_TYPE_LIST,
	.list = LIST_REMOVE_REQUEST, .max = LIST_TEXT_MAX, .to = W,
	.reloadable = true,
	.help = "header fields that the application is not sent"),
    ROW(ADD_RESPONSE_HEADERS, .type = CONF_TYPE_LIST, .list = LIST_ADD_RESPONSE,
	.max = LIST_TEXT_MAX, .to = W, .reloadable = true,
	.help = "header fields that the application's answers get"),
    ROW(REMOVE_RESPONSE_HEADERS, .type = CONF_TYPE_LIST,
	.list = LIST_REMOVE_RESPONSE, .max = LIST_TEXT_MAX, .to = W,
	.reloadable = true,
	.help = "header fields taken from the application's answers"),
    ROW(SET_COOKIE_OVERFLOW, .type = CONF_TYPE_CHOICE,
	.choices = "first|refuse", .to = W, .def = "first", .reloadable = true,
	.help = "when an answer sets several cookies: the first, or a 502"),
    ROW(ALLOW_METHODS, .type = CONF_TYPE_LIST, .list = LIST_METHODS,
	.max = LIST_TEXT_MAX, .to = W, .reloadable = true,
	.help = "the only methods that reach the application"),
    ROW(ALLOW_PATHS, .type = CONF_TYPE_LIST, .list = LIST_PATHS,
	.max = LIST_TEXT_MAX, .to = W, .reloadable = true,
	.help = "the only paths that reach the application"),
    ROW(DENY_PATHS, .type = CONF_TYPE_LIST, .list = LIST_PATHS,
	.max = LIST_TEXT_MAX, .to = W, .reloadable = true,
	.help = "paths that never reach the application"),
    ROW(ALLOW_CLIENTS, .type = CONF_TYPE_TEXT, .max = 4000, .to = W,
	.check = conf_check_clients, .reloadable = true,
	.help = "addresses and blocks of the only clients that may come; wants "
		"TRUST_FORWARDED"),
    ROW(RATE_LIMIT, .type = CONF_TYPE_TEXT, .max = 20, .to = W, .def = "0",
	.check = conf_check_rate, .reloadable = true,
	.help = "requests and WebSockets in a second (/s), minute (/m) or hour "
		"(/h); more are refused with 429; 0: any number"),
    ROW(RATE_BURST, .type = CONF_TYPE_INT, .min = 0, .max = 1000000, .to = W,
	.def = "0", .reloadable = true,
	.help = "of those, how many may come at once; 0: a second's worth"),
    ROW(RATE_LIMIT_BY, .type = CONF_TYPE_CHOICE, .choices = "all|client",
	.to = W, .def = "all", .reloadable = true,
	.help = "whose RATE_LIMIT is: that of all together, or each client's, "
		"which wants TRUST_FORWARDED"),
    ROW(RATE_CLIENTS_MAX, .type = CONF_TYPE_INT, .min = 1, .max = 1048576,
	.to = W, .def = "16384", .reloadable = true,
	.help = "how many clients that came lately have a limit of their own"),
    ROW(RATE_LIMIT_TOTAL, .type = CONF_TYPE_TEXT, .max = 20, .to = W,
	.def = "0", .check = conf_check_rate, .reloadable = true,
	.help = "as RATE_LIMIT, of all clients together, besides each one's"),
    ROW(RATE_BURST_TOTAL, .type = CONF_TYPE_INT, .min = 0, .max = 1000000,
	.to = W, .def = "0", .reloadable = true,
	.help = "of those, how many may come at once; 0: a second's worth"),
    ROW(CONNECT_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 100,
	.max = 5 * MINUTE, .to = W, .def = "10s", .reloadable = true,
	.help = "bound on one attempt to connect to Plugboard and to join"),
    ROW(REQUEST_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 100, .max = HOUR,
	.to = W, .def = "30s", .reloadable = true,
	.help = "bound on one request in all, with its waits and retries"),
    ROW(REQUEST_TTL, .type = CONF_TYPE_DURATION, .min = 1 * SECOND, .max = HOUR,
	.to = W, .def = "5m", .reloadable = true,
	.help = "after this Plugboard waits no more: an answer that has not "
		"begun to leave becomes a short 504"),
    ROW(BACKEND_CONNECT_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 10,
	.max = 5 * MINUTE, .to = W, .reloadable = true,
	.help = "bound on a connect to the application, TLS included; unset: "
		"CONNECT_TIMEOUT"),
    ROW(BACKEND_FIRST_BYTE_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 10,
	.max = HOUR, .to = W, .reloadable = true,
	.help = "bound from the request to the first line of its answer; "
		"unset: REQUEST_TIMEOUT alone"),
    ROW(BACKEND_IDLE_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 10,
	.max = HOUR, .to = W, .reloadable = true,
	.help = "bound on a pause inside an answer; unset: REQUEST_TIMEOUT "
		"alone"),
    ROW(BACKEND_RETRIES, .type = CONF_TYPE_INT, .min = 0, .max = 5, .to = W,
	.def = "2", .reloadable = true,
	.help = "how often a GET, HEAD, OPTIONS or PUT is tried again, after "
		"100ms, 200ms and so on; 0: never"),
    ROW(BACKEND_RETRY_ON, .type = CONF_TYPE_TEXT, .max = 500, .to = W,
	.def = "5xx,connect,cut,timeout", .check = conf_check_retry_on,
	.reloadable = true,
	.help = "after what: connect, cut, timeout (before a byte of answer), "
		"5xx, single statuses, or none"),
    ROW(BACKEND_CONNECTIONS_MAX, .type = CONF_TYPE_INT, .min = 1, .max = 100000,
	.to = W, .def = "256", .reloadable = true,
	.help = "connections to the application in use at once; further "
		"requests wait for one"),
    ROW(BACKEND_CONNECTIONS_IDLE, .type = CONF_TYPE_INT, .min = 0, .max = 256,
	.to = W, .def = "64", .reloadable = true,
	.help = "connections kept open for later requests"),
    ROW(BACKEND_HEALTH_PATH, .type = CONF_TYPE_TEXT, .max = 200, .to = W,
	.check = conf_check_health_path, .reloadable = true,
	.help = "a path of the application that shows whether it is well; "
		"readiness waits for it"),
    ROW(BACKEND_HEALTH_INTERVAL, .type = CONF_TYPE_DURATION, .min = 100,
	.max = HOUR, .to = W, .def = "10s", .reloadable = true,
	.help = "how often that is asked for"),
    ROW(BREAKER_FAILURES, .type = CONF_TYPE_INT, .min = 0, .max = 100000,
	.to = W, .def = "20", .reloadable = true,
	.help = "after so many tries in a row without a byte of answer none is "
		"made for a while; 0: always go on"),
    ROW(BREAKER_OPEN_TIME, .type = CONF_TYPE_DURATION, .min = 100, .max = HOUR,
	.to = W, .def = "1s", .reloadable = true,
	.help = "how long, until one request tries"),
    ROW(ACCEPT_ENCODING, .type = CONF_TYPE_TEXT, .max = 200, .to = W,
	.reloadable = true,
	.help = "codings that the application may use; unset: what the client "
		"accepts"),
    ROW(EVENT_STREAM, .type = CONF_TYPE_CHOICE, .choices = "buffer|refuse",
	.to = W, .def = "buffer", .reloadable = true,
	.help = "whether text/event-stream is refused at once"),
    ROW(HEARTBEAT_INTERVAL, .type = CONF_TYPE_DURATION, .min = 100,
	.max = 10 * MINUTE, .to = W, .def = "30s", .reloadable = true,
	.help = "time between two heartbeats"),
    ROW(HEARTBEAT_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 100,
	.max = 10 * MINUTE, .to = W, .def = "10s", .reloadable = true,
	.help = "how long a heartbeat may stay unanswered"),
    ROW(SEND_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 1 * SECOND,
	.max = 5 * MINUTE, .to = W, .def = "20s", .reloadable = true,
	.help = "how long Plugboard may take no byte of what is being sent"),
    ROW(MAX_SEND_TIME, .type = CONF_TYPE_DURATION, .min = 1 * SECOND,
	.max = 10 * MINUTE, .to = W, .def = "45s", .reloadable = true,
	.help = "an answer that would take longer to send is refused"),
    ROW(CONNECTION_MONITOR_INTERVAL, .type = CONF_TYPE_DURATION, .min = 0,
	.max = 24 * HOUR, .to = S, .reloadable = true,
	.help = "accepted for older files and unused: a drop is an event here"),
    ROW(INITIAL_BACKOFF, .type = CONF_TYPE_DURATION, .min = 10, .max = HOUR,
	.to = W, .def = "1s", .reloadable = true,
	.help = "first wait before another attempt to connect"),
    ROW(MAX_BACKOFF, .type = CONF_TYPE_DURATION, .min = 10, .max = 24 * HOUR,
	.to = W, .def = "30s", .reloadable = true,
	.help = "longest wait before another attempt to connect"),
    ROW(MAX_RETRIES, .type = CONF_TYPE_INT, .min = -1, .max = 1000000, .to = W,
	.def = "-1", .reloadable = true,
	.help = "failed attempts in a row before giving up; -1: never"),
    ROW(TUNNELS, .type = CONF_TYPE_INT, .min = 1, .max = 8, .to = W, .def = "2",
	.reloadable = true, .help = "WebSockets to Plugboard at the same time"),
    ROW(TUNNEL_MESSAGE_MAX, .type = CONF_TYPE_SIZE, .min = 0, .max = GIB,
	.to = W, .def = "0", .reloadable = true,
	.help = "longest message to Plugboard; 0: as long as it is found to "
		"take"),
    ROW(TUNNEL_MESSAGE_RETRY, .type = CONF_TYPE_DURATION, .min = 1 * SECOND,
	.max = 24 * HOUR, .to = W, .def = "1h", .reloadable = true,
	.help = "how long it is not sent again what was too long for it"),
    ROW(TOKEN_DB_PATH, .type = CONF_TYPE_PATH, .max = 1024, .to = T,
	.def = "./telephone.db", .help = "the store of the sealed token"),
    ROW(TOKEN_REFRESH_INTERVAL, .type = CONF_TYPE_DURATION, .min = 1,
	.max = 720 * HOUR, .to = T, .reloadable = true,
	.help = "time between two refreshes; unset: half of the token's life"),
    ROW(DB_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 10, .max = 5 * MINUTE,
	.to = T, .def = "10s", .reloadable = true,
	.help = "how long to wait for a locked store"),
    ROW(MAX_REQUEST_SIZE, .type = CONF_TYPE_SIZE, .min = 64 * KIB, .max = GIB,
	.to = W, .def = "64MiB", .reloadable = true,
	.help = "longest message accepted from Plugboard"),
    ROW(MAX_RESPONSE_SIZE, .type = CONF_TYPE_SIZE, .min = KIB, .max = GIB,
	.to = W, .def = "100MiB", .reloadable = true,
	.help = "longest answer body accepted from the application"),
    ROW(RESPONSE_BUFFER, .type = CONF_TYPE_SIZE, .min = 4 * KIB,
	.max = 64 * MIB, .to = W, .def = "256KiB", .reloadable = true,
	.help = "bytes of one answer body that stand in memory; more are "
		"spooled"),
    ROW(SPOOL_DIR, .type = CONF_TYPE_PATH, .max = 1024, .to = S | W,
	.reloadable = true,
	.help = "where long answers wait to be sent, in a nameless file"),
    ROW(SPOOL_MAX, .type = CONF_TYPE_SIZE, .min = 0, .max = 64 * GIB, .to = W,
	.def = "1GiB", .reloadable = true,
	.help = "bytes of all answers that wait there; more are refused with "
		"503"),
    ROW(CHUNK_SIZE, .type = CONF_TYPE_SIZE, .min = KIB, .max = 64 * MIB,
	.to = W, .def = "1MiB", .reloadable = true,
	.help = "body bytes of one chunk of an answer"),
    ROW(BINARY_BODIES, .type = CONF_TYPE_CHOICE, .choices = "exact|refuse",
	.to = W, .def = "exact", .reloadable = true,
	.help = "whether answers that are not UTF-8 are passed on"),
    ROW(BINARY_BODY_MAX, .type = CONF_TYPE_SIZE, .min = KIB, .max = GIB,
	.to = W, .def = "8MiB", .reloadable = true,
	.help = "longest answer body that is not UTF-8"),
    ROW(MAX_INFLIGHT, .type = CONF_TYPE_INT, .min = 1, .max = 100000, .to = W,
	.def = "256", .reloadable = true,
	.help = "requests worked on at the same time; more wait"),
    ROW(QUEUE_MAX, .type = CONF_TYPE_INT, .min = 0, .max = 100000, .to = W,
	.def = "256", .reloadable = true,
	.help = "requests that may wait for that; more are refused with 503"),
    ROW(QUEUE_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 10, .max = HOUR,
	.to = W, .def = "5s", .reloadable = true,
	.help = "how long each of them waits before it is refused with 503"),
    ROW(REQUEST_MEMORY_MAX, .type = CONF_TYPE_SIZE, .min = 64 * KIB,
	.max = 64 * GIB, .to = W, .def = "256MiB", .reloadable = true,
	.help = "bodies of all requests held at once; more are refused with "
		"503"),
    ROW(MEMORY_MAX, .type = CONF_TYPE_SIZE, .min = 0, .max = 64 * GIB, .to = W,
	.def = "0", .reloadable = true,
	.help = "ceiling of the worker's memory; 0: 320 MiB, and "
		"MAX_REQUEST_SIZE for each tunnel and once more"),
    ROW(PATH_LIMITS, .type = CONF_TYPE_TEXT, .max = 4000, .to = W,
	.check = conf_check_path_limits, .reloadable = true,
	.help = "other bounds for some paths: /export timeout=2m "
		"response=500MiB; /api timeout=5s"),
    ROW(WS_MAX_SESSIONS, .type = CONF_TYPE_INT, .min = 0, .max = 10000, .to = W,
	.def = "256", .reloadable = true,
	.help = "WebSockets of clients at the same time; more are refused"),
    ROW(WS_MAX_MESSAGE, .type = CONF_TYPE_SIZE, .min = KIB, .max = 64 * MIB,
	.to = W, .def = "1MiB", .reloadable = true,
	.help = "longest WebSocket message relayed, in both directions"),
    ROW(WS_QUEUE_SIZE, .type = CONF_TYPE_SIZE, .min = 16 * KIB,
	.max = 256 * MIB, .to = W, .def = "4MiB", .reloadable = true,
	.help = "bytes of one WebSocket that may wait, in each direction"),
    ROW(WS_CONNECT_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 100, .max = 4500,
	.to = W, .def = "3s", .reloadable = true,
	.help = "bound on one WebSocket handshake with the application"),
    ROW(WS_IDLE_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 0, .max = 24 * HOUR,
	.to = W, .def = "10m", .reloadable = true,
	.help =
	    "a WebSocket without a message for so long is closed; 0: never"),
    ROW(SHUTDOWN_TIMEOUT, .type = CONF_TYPE_DURATION, .min = 0, .max = HOUR,
	.to = S | W, .def = "30s", .reloadable = true,
	.help = "how long requests in flight may take at the end"),
    ROW(HEALTH_LISTEN, .type = CONF_TYPE_HOST, .max = 253, .to = S,
	.def = "127.0.0.1", .help = "address of the health listener"),
    ROW(HEALTH_CHECK_PORT, .type = CONF_TYPE_INT, .min = 0, .max = 65535,
	.to = S, .def = "0", .help = "port of the health listener; 0: none"),
    ROW(INSPECT, .type = CONF_TYPE_CHOICE, .choices = "off|on|any", .to = S | W,
	.def = "off", .reloadable = true,
	.help = "a web page on the health listener that shows what goes on; "
		"any: not to this machine alone"),
    ROW(CONTROL_SOCKET, .type = CONF_TYPE_PATH, .max = 100, .to = S,
	.help = "where telephonectl finds this telephone"),
    ROW(WORKER_USER, .type = CONF_TYPE_TEXT, .max = 32, .to = S | W,
	.def = "_telephone",
	.help = "user of the worker, when started by root"),
    ROW(TOKEND_USER, .type = CONF_TYPE_TEXT, .max = 32, .to = S | T,
	.def = "_telephone-tok",
	.help = "user of tokend, when started by root"),
    ROW(SANDBOX, .type = CONF_TYPE_CHOICE, .choices = "enforce|log|off",
	.to = S | W | T, .def = "enforce",
	.help = "what a system call does that a process has no right to"),
    ROW(LOG_LEVEL, .type = CONF_TYPE_CHOICE, .choices = "debug|info|warn|error",
	.to = S | W | T, .def = "info", .reloadable = true,
	.help = "least severity that is logged"),
    ROW(LOG_FORMAT, .type = CONF_TYPE_CHOICE, .choices = "text|json",
	.to = S | W | T, .def = "text", .help = "form of a log line"),
    ROW(LOG_SAMPLE, .type = CONF_TYPE_INT, .min = 1, .max = 1000000, .to = W,
	.def = "1", .reloadable = true,
	.help = "one of so many successful requests is logged; failures "
		"always"),
    ROW(OTEL_EXPORTER_OTLP_ENDPOINT, .type = CONF_TYPE_TEXT, .max = 1024,
	.to = W, .check = otel_endpoint_fault, .reloadable = true,
	.help = "the collector (http:// or https://, OTLP in JSON): turns "
		"tracing on"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, .type = CONF_TYPE_TEXT, .max = 1024,
	.to = W, .check = otel_endpoint_fault, .reloadable = true,
	.help = "the same for traces, taken as it is, without /v1/traces "
		"behind it"),
    ROW(OTEL_EXPORTER_OTLP_HEADERS, .type = CONF_TYPE_TEXT,
	.max = OTEL_TEXT_MAX, .to = W, .check = otel_headers_fault,
	.reloadable = true,
	.help = "header fields for the collector: key=value,key=value"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_HEADERS, .type = CONF_TYPE_TEXT,
	.max = OTEL_TEXT_MAX, .to = W, .check = otel_headers_fault,
	.reloadable = true, .help = "the same for traces, in place of it"),
    ROW(OTEL_EXPORTER_OTLP_TIMEOUT, .type = CONF_TYPE_INT, .min = 100,
	.max = 5 * MINUTE, .to = W, .def = "10000", .reloadable = true,
	.help = "ms that one attempt to send a batch may take"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, .type = CONF_TYPE_INT, .min = 100,
	.max = 5 * MINUTE, .to = W, .reloadable = true,
	.help = "the same for traces, in place of it"),
    ROW(OTEL_EXPORTER_OTLP_CERTIFICATE, .type = CONF_TYPE_FILE, .max = 1024,
	.to = S | W, .reloadable = true,
	.help = "the CAs of an https collector, in place of the system's"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE, .type = CONF_TYPE_FILE,
	.max = 1024, .to = S | W, .reloadable = true,
	.help = "the same for traces, in place of it"),
    ROW(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, .type = CONF_TYPE_FILE,
	.max = 1024, .to = S | W, .reloadable = true,
	.help = "our certificate, where an https collector asks for one"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE, .type = CONF_TYPE_FILE,
	.max = 1024, .to = S | W, .reloadable = true,
	.help = "the same for traces, in place of it"),
    ROW(OTEL_EXPORTER_OTLP_CLIENT_KEY, .type = CONF_TYPE_FILE, .max = 1024,
	.to = S | W, .reloadable = true,
	.help = "its key; unset: it is in the certificate's file"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY, .type = CONF_TYPE_FILE,
	.max = 1024, .to = S | W, .reloadable = true,
	.help = "the same for traces, in place of it"),
    ROW(OTEL_EXPORTER_OTLP_PROTOCOL, .type = CONF_TYPE_TEXT, .max = 40, .to = W,
	.reloadable = true,
	.help = "http/json, which is all that telephone speaks"),
    ROW(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, .type = CONF_TYPE_TEXT, .max = 40,
	.to = W, .reloadable = true,
	.help = "the same for traces, in place of it"),
    ROW(OTEL_SERVICE_NAME, .type = CONF_TYPE_TEXT, .max = 255, .to = W,
	.check = otel_name_fault, .reloadable = true,
	.help = "service.name of the spans; unset: that of "
		"OTEL_RESOURCE_ATTRIBUTES, or telephone"),
    ROW(OTEL_RESOURCE_ATTRIBUTES, .type = CONF_TYPE_TEXT, .max = OTEL_TEXT_MAX,
	.to = W, .check = otel_attributes_fault, .reloadable = true,
	.help = "attributes of this telephone: key=value,key=value"),
    ROW(OTEL_TRACES_SAMPLER, .type = CONF_TYPE_CHOICE,
	.choices = "always_on|always_off|traceidratio|parentbased_always_on|"
		   "parentbased_always_off|parentbased_traceidratio",
	.to = W, .def = "parentbased_always_on", .reloadable = true,
	.help = "which traces are recorded"),
    ROW(OTEL_TRACES_SAMPLER_ARG, .type = CONF_TYPE_TEXT, .max = 40, .to = W,
	.def = "1.0", .check = otel_ratio_fault, .reloadable = true,
	.help = "the ratio of those samplers that have one, from 0 to 1"),
    ROW(OTEL_TRACES_EXPORTER, .type = CONF_TYPE_CHOICE, .choices = "otlp|none",
	.to = W, .reloadable = true,
	.help = "none: tracing is off; otlp: it is on, with or without an "
		"endpoint"),
    ROW(OTEL_SDK_DISABLED, .type = CONF_TYPE_TEXT, .max = 10, .to = W,
	.def = "false", .reloadable = true, .help = "true: tracing is off"),
    ROW(OTEL_BSP_SCHEDULE_DELAY, .type = CONF_TYPE_INT, .min = 10,
	.max = 5 * MINUTE, .to = W, .def = "5000", .reloadable = true,
	.help = "ms that a span may wait for others to go with it"),
    ROW(OTEL_BSP_EXPORT_TIMEOUT, .type = CONF_TYPE_INT, .min = 100,
	.max = 10 * MINUTE, .to = W, .def = "30000", .reloadable = true,
	.help = "ms that a batch may take with all its attempts; then it is "
		"given up"),
    ROW(OTEL_BSP_MAX_QUEUE_SIZE, .type = CONF_TYPE_INT, .min = 1, .max = 65536,
	.to = W, .def = "2048", .reloadable = true,
	.help = "spans that may wait (4 MiB of them at most); further ones are "
		"dropped"),
    ROW(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, .type = CONF_TYPE_INT, .min = 1,
	.max = 65536, .to = W, .def = "512", .reloadable = true,
	.help = "spans of one batch"),
};

#define TEXTS_MAX (64 * 1024)

void
conf_init(struct conf *c)
{
	size_t i;

	memset(c, 0, sizeof(*c));
	buf_init(&c->faults, TEXTS_MAX);
	buf_init(&c->warnings, TEXTS_MAX);
	for (i = 0; i < CONF_KEYS; i++) {
		c->value[i].fd = -1;
		conf_set_default(c, (enum conf_id)i);
	}
}

void
conf_clear(struct conf *c)
{
	size_t i;

	for (i = 0; i < CONF_KEYS; i++) {
		free(c->value[i].text);
		c->value[i].text = NULL;
		util_close(&c->value[i].fd);
	}
	buf_clear(&c->faults);
	buf_clear(&c->warnings);
}

int
conf_find(const char *name)
{
	int i;

	for (i = 0; i < CONF_KEYS; i++)
		if (strcmp(conf_keys[i].name, name) == 0 ||
		    (conf_keys[i].alias != NULL &&
			strcmp(conf_keys[i].alias, name) == 0))
			return i;
	return -1;
}

const char *
conf_text(const struct conf *c, enum conf_id id)
{
	return c->value[id].text == NULL ? "" : c->value[id].text;
}

int64_t
conf_num(const struct conf *c, enum conf_id id)
{
	return c->value[id].num;
}

bool
conf_is_set(const struct conf *c, enum conf_id id)
{
	return c->value[id].text != NULL || c->value[id].fd != -1;
}

bool
conf_differs(const struct conf *a, const struct conf *b, unsigned to)
{
	int i;

	for (i = 0; i < CONF_KEYS; i++)
		if ((conf_keys[i].to & to) != 0 &&
		    strcmp(conf_text(a, (enum conf_id)i),
			conf_text(b, (enum conf_id)i)) != 0)
			return true;
	return false;
}
