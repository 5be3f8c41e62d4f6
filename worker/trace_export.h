/* SPDX-License-Identifier: MIT */
/*
 * Batches of spans to the collector: OTLP/HTTP, one POST at a time, by a
 * backend.h of its own. Tried again only when no answer came or the answer was
 * 429, 502, 503 or 504: after Retry-After, else after a growing and jittered
 * time, and never beyond OTEL_BSP_EXPORT_TIMEOUT. Nothing here waits: all of
 * it are events of the worker's loop.
 */
#ifndef WORKER_TRACE_EXPORT_H
#define WORKER_TRACE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct event_base;
struct metrics;
struct resolve;
struct tls;
struct trace_export;

/* Bytes of an answer that are read. */
#define TRACE_EXPORT_ANSWER_MAX (64 * 1024)

struct trace_result {
	bool sent;	   /* the collector took the batch … */
	uint64_t rejected; /* … but for so many spans of it */
	const char *why;   /* not, or not all; else "" */
};

struct trace_export_params {
	struct event_base *base;
	struct resolve *resolve;
	struct tls *tls; /* NULL: the collector speaks none */
	struct metrics *metrics;
	const struct conf *conf; /* borrowed; tracing is on in it */
	/* Once for each batch, never from inside a call. */
	void (*on_done)(const struct trace_result *, void *arg);
	void *arg;
};

/* NULL when out of memory. */
struct trace_export *trace_export_create(const struct trace_export_params *);
void trace_export_free(struct trace_export *); /* NULL is fine */

/* Sends a batch, which must live until on_done; the one before is done. */
void trace_export_send(struct trace_export *, const uint8_t *body, size_t len);

/* This batch and all that follow have only until then (util_mono_ms). */
void trace_export_hurry(struct trace_export *, int64_t until_ms);

/* "http://host:port", for the log. */
const char *trace_export_where(const struct trace_export *);

#endif
