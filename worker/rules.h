/* SPDX-License-Identifier: MIT */
/*
 * What the operator wants of heads, methods and paths: HOST_HEADER,
 * TRUST_FORWARDED, VIA, ADD_…, REMOVE_…, SET_COOKIE_OVERFLOW, ALLOW_… and
 * DENY_…, compiled once from the configuration; no request parses them again.
 * Pure.
 */
#ifndef WORKER_RULES_H
#define WORKER_RULES_H

#include <stdbool.h>

#include "conf.h"
#include "head.h"

struct rules;

/* NULL when out of memory. The configuration was judged before. */
struct rules *rules_create(const struct conf *);
void rules_free(struct rules *); /* NULL is fine */

/* How many entries of X-Forwarded-For trusted proxies have appended: what
 * head_client wants. 0: nothing there is believed. */
unsigned rules_trusted_hops(const struct rules *);

/* Applied to a finished head (head_request_finish, head_response_finish).
 * NULL, or a static text for a 400 or 502. */
const char *rules_request(const struct rules *, struct head *);
const char *rules_response(const struct rules *, struct head *);

/* An answer with several Set-Cookie fields is refused. */
bool rules_refuses_cookies(const struct rules *);

struct rules_refusal {
	int status; /* 403, 405 or 503 */
	const char *code, *reason;
	const char *field; /* of the answer, "allow: …", or NULL */
};

/* True when a request may reach the application. The path is percent-decoded,
 * and head_path_fault has nothing against it. What the refusal points to
 * lives as long as the rules. */
bool rules_admit(const struct rules *, const char *method, struct json_str path,
    struct rules_refusal *);

#endif
