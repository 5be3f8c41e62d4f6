/* SPDX-License-Identifier: MIT */
/*
 * The life of each proxy_req (protocol.md §3 and §4): parsed, checked, let in
 * or made to wait, sent to the backend (more than once where that is safe),
 * and answered on the join that it came from, by exactly one proxy_res. A
 * request whose join is over is ended and counted as lost. Each is a request
 * of its own: a request_id that comes twice is answered twice, and Plugboard
 * takes the first answer.
 */
#ifndef WORKER_PROXY_H
#define WORKER_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "breaker.h"

struct backend;
struct ceiling;
struct clients;
struct conf;
struct event_base;
struct ledger;
struct memory;
struct metrics;
struct proto_worker_status;
struct proxy;
struct spool;
struct rules;
struct trace;
struct tunnel;

struct proxy_params {
	struct event_base *base;
	struct backend *backend;
	struct metrics *metrics;
	struct ledger *ledger; /* is told of each request */
	struct trace *trace;   /* as well; NULL: tracing is off */
	const struct rules *rules;
	struct ceiling *ceiling; /* what plugboard takes */
	const struct conf *conf; /* borrowed: bounds of requests */
	size_t buffer_max;	 /* bytes of a body in memory */
	struct spool *spool;	 /* for the rest; borrowed */
	size_t chunk_max;	 /* input bytes of one chunk */
	size_t binary_max;	 /* bytes of a body that is not UTF-8 */
	bool binary_refuse;	 /* … and whether there may be any */
	bool event_stream_refuse;
	/* Accept-Encoding for the backend; "": the client's own. Borrowed. */
	const char *accept_encoding;
	int64_t send_max_ms; /* an answer that would take longer is refused */
	/* Called each time the last request in flight has ended. */
	void (*on_idle)(void *arg);
	void *arg;
};

/* Sets those of the members that are keys of the configuration, which must
 * outlive the proxy. */
void proxy_configure(struct proxy_params *, const struct conf *);

/* NULL when out of memory. */
struct proxy *proxy_create(const struct proxy_params *);
void proxy_free(struct proxy *);

/* One request; the payload may be changed and is copied where needed. */
void
proxy_request(struct proxy *, struct tunnel *, uint8_t *payload, size_t len);

/* What is left of one whose message was too long (envelope.h): 413. */
void
proxy_too_long(struct proxy *, struct tunnel *, uint8_t *payload, size_t len);

/* The tunnel's join is over: ends all that came from it. */
void proxy_lost(struct proxy *, const struct tunnel *);

/* Requests not yet wholly answered; since the start, those whose answer has
 * left, and those whose tunnel ended before that. */
size_t proxy_in_flight(const struct proxy *);
uint64_t proxy_answered(const struct proxy *);
uint64_t proxy_bereft(const struct proxy *);

/* Fills in what it knows: requests, the breaker, memory. */
void proxy_status(const struct proxy *, struct proto_worker_status *);

/* What is held, by WebSockets, too. */
struct memory *proxy_memory(struct proxy *);

/* Who may come, and how often: WebSockets are asked there, too. */
struct clients *proxy_clients(struct proxy *);

/* When the last request came (util_mono_ms), 0: none did. */
int64_t proxy_last_ms(const struct proxy *);

#endif
