/* SPDX-License-Identifier: MIT */
/*
 * W3C Trace Context, level 1 and what level 2 adds: the fields traceparent and
 * tracestate of a request, read from what any client may have written, and
 * written for the application. Pure.
 */
#ifndef WORKER_TRACE_CONTEXT_H
#define WORKER_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define TRACE_ID_LEN 16
#define TRACE_SPAN_ID_LEN 8
#define TRACE_PARENT_LEN 55 /* of version 00 */
/* §3.3.1.5: what everybody passes on at least; more is cut member by member. */
#define TRACE_STATE_MAX 512

enum trace_flag {
	TRACE_SAMPLED = 1,
	TRACE_RANDOM = 2, /* level 2: the last 7 bytes of the id are random */
};

/* Where a request comes from. */
struct trace_parent {
	bool valid; /* else nothing else here says anything */
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[TRACE_SPAN_ID_LEN];
	uint8_t flags; /* enum trace_flag, or-ed; others are dropped */
	size_t state_len;
	char state[TRACE_STATE_MAX + 1];
};

/*
 * Reads traceparent and tracestate of the raw JSON object that a request's
 * headers are. A traceparent that is malformed, or comes twice, makes it
 * invalid (§2.3: a trace begins here); a malformed tracestate is dropped
 * alone. Changes nothing; data may be NULL.
 */
void trace_context_read(struct trace_parent *, struct json_str headers);

/* The same of the values of both fields; state may be NULL. */
void trace_context_parse(struct trace_parent *, struct json_str parent,
    const struct json_str *state);

/* Whether two requests come from the same place. */
bool
trace_context_same(const struct trace_parent *, const struct trace_parent *);

/* "00-…-…-01", with a NUL. */
void trace_context_format(char out[TRACE_PARENT_LEN + 1],
    const uint8_t trace_id[TRACE_ID_LEN],
    const uint8_t span_id[TRACE_SPAN_ID_LEN], uint8_t flags);

/* Lower case, no NUL. */
void trace_context_hex(char *out, const uint8_t *bytes, size_t len);

/* True for the names of the two, any case. */
bool trace_context_is_field(const char *name);

#endif
