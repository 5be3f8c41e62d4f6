/* SPDX-License-Identifier: MIT */
/*
 * What the files of trace.h share with each other, and with nobody else:
 * trace.c has the queue and its batches, trace_exchange.c the spans.
 */
#ifndef WORKER_TRACE_PARTS_H
#define WORKER_TRACE_PARTS_H

#include <sys/queue.h>

#include "buf.h"
#include "proto.h"
#include "trace.h"
#include "trace_export.h"
#include "trace_json.h"
#include "trace_sampler.h"
#include "url.h"

/* A place as spans name it. */
struct trace_place {
	const char *scheme;	      /* "http" or "https" */
	const char *host;	      /* or the path of a socket */
	int64_t port;		      /* -1: none */
	char base[URL_HOST_MAX + 20]; /* "http://host:port" */
};

/* Ids are no secrets: one system call brings many. */
#define TRACE_POOL 1024

/* A span that waits, in JSON. */
struct trace_text {
	STAILQ_ENTRY(trace_text) link;
	size_t len;
	char data[];
};

STAILQ_HEAD(trace_texts, trace_text);

struct trace {
	struct trace_params params;
	struct trace_sampler sampler;
	struct url plugboard_url;
	struct trace_place plugboard, backend;
	struct trace_export *export;
	struct buf head; /* what each batch begins with */
	struct buf span; /* the one that is being written */

	uint8_t pool[TRACE_POOL]; /* random octets for ids */
	size_t pool_left;

	struct trace_texts queue;
	size_t count, count_max, bytes;
	size_t batch_count_max;
	int64_t delay_ms;
	struct event *timer; /* the next batch is due, or the flush over */
	struct buf batch;
	size_t sending; /* spans of it, 0: none is under way */

	bool flushing;
	void (*on_over)(void *arg);
	void *on_over_arg;

	/* What was lost, and what of that has been said. */
	uint64_t lost, lost_told;
	int64_t told_ms; /* 0: all is well */
	char last_error[PROTO_TRACE_ERROR_MAX];
};

/* Takes the span that stands in t->span. */
void trace_put(struct trace *);

#endif
