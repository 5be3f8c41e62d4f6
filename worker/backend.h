/* SPDX-License-Identifier: MIT */
/*
 * HTTP to the application (RFC 9110, 9112): libcurl's multi interface in
 * libevent. Nobody else knows libcurl. Nothing is followed, decoded,
 * normalised, replayed or added; what goes out was checked by head.h.
 */
#ifndef WORKER_BACKEND_H
#define WORKER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;
struct conf;
struct backend_call;
struct event_base;
struct resolve;
struct tls;

/* How a call ended. The names are the codes that go out to the client. */
enum backend_error {
	BACKEND_OK,
	BACKEND_RESOLVE,     /* BACKEND_HOST has no address */
	BACKEND_UNREACHABLE, /* refused, no route */
	BACKEND_CONNECT_TIMEOUT,
	BACKEND_FIRST_BYTE_TIMEOUT,
	BACKEND_IDLE_TIMEOUT,
	BACKEND_TLS,
	BACKEND_CUT,   /* ended before its answer was complete */
	BACKEND_STALE, /* a kept connection ended with no byte of an answer */
	BACKEND_MALFORMED, /* no HTTP, or HTTP that may not be passed on */
	/* … and these, of which framing.h tells more: */
	BACKEND_STATUS_LINE,
	BACKEND_SWITCHED,
	BACKEND_FIELD,
	BACKEND_HEAD_LONG,
	BACKEND_LENGTH,
	BACKEND_BOTH,
	BACKEND_CODING,
	BACKEND_CHUNK,
	BACKEND_HEAD_CUT,
	BACKEND_SHORT,
	BACKEND_NO_LAST,
	BACKEND_EXCESS,
	BACKEND_ABORTED, /* a callback said so */
	BACKEND_MEMORY,
	BACKEND_ERRORS
};
/* "backend_unreachable" and a sentence without an address. */
const char *backend_error_code(enum backend_error);
const char *backend_error_text(enum backend_error);

struct backend_ops {
	/* A final answer begins; anything before it was informational. */
	int (*on_status)(int status, void *arg);
	/* One field line, as received, with its line end. */
	int (*on_field)(const char *line, size_t len, void *arg);
	/* Bytes of the body, without transfer coding. Each of the three: 0,
	 * or -1 to abort the call. */
	int (*on_body)(const void *data, size_t len, void *arg);
	/* Called once and last; the call is gone. detail is for the log, "" or
	 * libcurl's own words. Never from inside backend_start. */
	void (*on_done)(enum backend_error, const char *detail, void *arg);
};

struct backend_params {
	struct event_base *base;
	struct resolve *resolve;
	struct tls *tls;
	const char *scheme;    /* "http" or "https" */
	const char *host;      /* a name or literal, without brackets */
	const char *unix_path; /* of a socket to connect to instead, or "" */
	uint16_t port;
	int64_t connect_timeout_ms;    /* of the name, TCP and TLS together */
	int64_t first_byte_timeout_ms; /* from the request on; 0: none */
	int64_t idle_timeout_ms;       /* between bytes; 0: none */
	unsigned connections_max;      /* at once; more calls wait */
	unsigned idle_max;	       /* kept for later */
};

struct backend_field {
	const char *name, *value;
};

struct backend_request {
	const char *method; /* a token, checked */
	const char *target; /* origin-form (RFC 9112 §3.2.1), checked */
	const struct backend_field *fields; /* checked; borrowed */
	size_t field_count;
	const uint8_t *body; /* must live until the call is gone */
	size_t body_len;
	bool send_length; /* Content-Length even when the body is empty */
	/* Nobody will send it again: it takes no connection that has been idle
	 * for long. In no case does libcurl send a request twice. */
	bool once;
	/* NULL, or set before the call is gone: how long a connection took,
	 * the wait for one and for the name included, 0 when it was there; -1
	 * when there was none. */
	int64_t *connect_us;
};

/* Once in a process, before and after everything else: 0 or -1. */
int backend_global_init(void);
void backend_global_cleanup(void);

/* Sets those of the members that are keys of the configuration, which must
 * outlive the backend. */
void backend_configure(struct backend_params *, const struct conf *);

/* NULL when out of memory. */
struct backend *backend_create(const struct backend_params *);
/* Cancels all calls. */
void backend_free(struct backend *);

/* NULL when out of memory, and then no callback comes. */
struct backend_call *backend_start(struct backend *,
    const struct backend_request *, const struct backend_ops *, void *arg);

/* The application was not asked yet: one of BACKEND_CONNECTIONS_MAX must come
 * free first. */
bool backend_is_waiting(const struct backend_call *);

/* There is no more time. Where the answer is whole, and only the request is
 * still being sent, the call ends in on_done(); else false, and it goes on. */
bool backend_settle(struct backend_call *);

/* Ends a call; no callback comes after. NULL is fine. */
void backend_cancel(struct backend_call *);

#endif
