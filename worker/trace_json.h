/* SPDX-License-Identifier: MIT */
/*
 * OTLP 1.x in its JSON form: an ExportTraceServiceRequest out, an
 * ExportTraceServiceResponse in. By the mapping that OTLP publishes: names in
 * lowerCamelCase, ids in hexadecimal, integers of 64 bits as strings, enums as
 * numbers, and nothing that is empty. Pure.
 */
#ifndef WORKER_TRACE_JSON_H
#define WORKER_TRACE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "trace_context.h"

/* opentelemetry.proto.trace.v1.Span.SpanKind. */
enum trace_kind {
	TRACE_KIND_SERVER = 2,
	TRACE_KIND_CLIENT = 3,
};

struct trace_attr {
	const char *key;
	const char *text; /* UTF-8; NULL: it is num … */
	int64_t num;	  /* … and -1: it is left out */
};

struct trace_event {
	const char *name;
	int64_t at_us; /* since 1970, as all times here */
	const struct trace_attr *attrs;
	size_t attr_count;
};

struct trace_span {
	const uint8_t *trace_id, *span_id;
	const uint8_t *parent_id; /* NULL: there is none */
	bool remote;		  /* … it is of another process */
	uint8_t flags;
	const char *state; /* tracestate, "" */
	const char *name;
	enum trace_kind kind;
	int64_t begin_us, end_us;
	const struct trace_attr *attrs;
	size_t attr_count;
	const struct trace_event *events;
	size_t event_count;
	bool error; /* status; else it is unset */
};

/* Appends one span, without anything around it. 0 or -1. */
int trace_json_span(struct buf *, const struct trace_span *);

/* What stands before and behind the spans of a request, between which there
 * are commas. */
int trace_json_begin(
    struct buf *, const struct trace_attr *resource, size_t attr_count);
int trace_json_end(struct buf *);

/*
 * How many spans the collector did not want, and why (cut, "" when it does not
 * say), of the body of a 200; data are changed. 0, or -1: that is no
 * ExportTraceServiceResponse. An empty body says that all were taken.
 */
#define TRACE_JSON_TEXT_MAX 160
int trace_json_answer(uint8_t *data, size_t len, uint64_t *rejected,
    char text[TRACE_JSON_TEXT_MAX]);

#endif
