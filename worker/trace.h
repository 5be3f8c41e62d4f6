/* SPDX-License-Identifier: MIT */
/*
 * Tracing (OpenTelemetry): a SERVER span for each exchange and each WebSocket
 * of a client, a CLIENT span for each call of the application, in the trace
 * that the client's traceparent names or in one that begins here. Spans are
 * written when an exchange has ended, wait in a bounded queue, and leave in
 * batches (trace_export.h). What finds no room is dropped and counted: no
 * exchange ever waits for its spans.
 *
 * Never in a span: a query string, a header field, a body.
 */
#ifndef WORKER_TRACE_H
#define WORKER_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace_context.h"

struct conf;
struct event_base;
struct ledger_entry;
struct metrics;
struct proto_worker_status;
struct resolve;
struct tls;
struct trace;
struct trace_exchange;

/* Spans that wait, together; and what of them goes at a time. Bytes. */
#define TRACE_QUEUE_MAX (4 * 1024 * 1024)
#define TRACE_BATCH_MAX (1024 * 1024)
/* How long the last ones may take to leave. */
#define TRACE_FLUSH_MS 2000

struct trace_params {
	struct event_base *base;
	struct resolve *resolve;
	struct tls *tls;
	struct metrics *metrics;
	const struct conf *conf; /* borrowed; tracing is on in it */
};

/* NULL when out of memory. */
struct trace *trace_create(const struct trace_params *);
void trace_free(struct trace *); /* NULL is fine */

/*
 * Sends what there is, and what still comes, within TRACE_FLUSH_MS. False:
 * there is nothing. Else on_over is called once, never from inside. The trace
 * may be NULL.
 */
bool trace_flush(struct trace *, void (*on_over)(void *arg), void *arg);

/* Fills in what it knows; NULL: tracing is off. */
void trace_status(const struct trace *, struct proto_worker_status *);

/* --- exchanges (trace_exchange.c) ----------------------------------------- */

/* One begins, and its ids stand in the entry. NULL when tracing is off (the
 * trace is NULL) or when out of memory; everything below takes that. */
struct trace_exchange *
trace_begin(struct trace *, const struct trace_parent *, struct ledger_entry *);

/* A call of the application begins: what it is to be told. The texts live as
 * long as the exchange. False: nothing. */
struct trace_fields {
	const char *parent;
	const char *state; /* "": none */
};
bool trace_call(struct trace_exchange *, struct trace_fields *);

/* It has ended, with this status (0: none came) and perhaps an error, a stable
 * word that lives for ever. Does nothing for one that has. */
void trace_called(struct trace_exchange *, int status, const char *error);

/* There will be another call in so many ms, because of that status or error. */
void trace_retry(
    struct trace_exchange *, int status, const char *error, int64_t delay_ms);

/* It has ended, as the entry says, and is gone. */
void trace_end(struct trace_exchange *, const struct ledger_entry *);

/* It never was. */
void trace_forget(struct trace_exchange *);

/* Whether it began with the same parent. */
bool
trace_has_parent(const struct trace_exchange *, const struct trace_parent *);

#endif
