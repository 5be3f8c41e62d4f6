/* SPDX-License-Identifier: MIT */
/*
 * The web page of INSPECT, for those who would rather look: on the health
 * listener, below a path that nobody can guess,
 *
 *   /inspect/TOKEN/                     the page, inspect.html
 *   /inspect/TOKEN/state                inspect_state.h
 *   /inspect/TOKEN/requests?after=SEQ   what has ended since, what runs
 *
 * Each of the last two is a small JSON document that the page asks for each
 * second. What ledger.h does not have cannot be shown: no query string, no
 * header field, no body. It allocates nothing but the body of an answer.
 *
 *   {"worker":"PID-SECONDS","now_ms":WALL,"ended":SEQ,"after":SEQ,"missed":N,
 *    "recent":[…],"more":BOOL,"running":[…],"running_requests":N,
 *    "running_websockets":N}
 *
 * with the objects of exchange.h: `recent` from after + missed + 1 on, in the
 * order of their ends; whoever is told that there is `more` asks again after
 * the last of them. Of those that run, the oldest. A new worker counts from 1.
 */
#ifndef WORKER_INSPECT_H
#define WORKER_INSPECT_H

#include <stdbool.h>

#include "http.h"
#include "inspect_state.h"
#include "ledger.h"
#include "proto.h"

/* Of what has ended as many go into one answer as fit. */
#define INSPECT_ANSWER_MAX ((size_t)64 * 1024)
#define INSPECT_RUNNING_MAX 16 /* of requests, and of WebSockets */

struct inspect_params {
	const char *token; /* of proto.h; "": there is no page. Copied */
	bool any_host;	   /* whatever name a request is for */
	const struct ledger *ledger;
	void (*facts)(struct inspect_facts *, void *arg);
	void *arg;
};

struct inspect {
	struct inspect_params params;
	char token[PROTO_INSPECT_LEN + 1];
	char worker[48];
	char page_fields[1024];
};

void inspect_init(struct inspect *, const struct inspect_params *);

/* Answers what lies below the token; all else is left as it is, a 404. */
void inspect_answer(
    const struct inspect *, const struct http_head *, struct http_answer *);

/* Made of inspect.html when it is built (inspect_page.sh). */
extern const uint8_t inspect_page[];
extern const size_t inspect_page_len;
extern const char inspect_page_script[]; /* 'sha256-…' of its one script, */
extern const char inspect_page_style[];	 /* and of its one style sheet */

#endif
