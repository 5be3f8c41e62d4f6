/* SPDX-License-Identifier: MIT */
/* Endpoints that answer from what has been counted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "counter.h"
#include "endpoints.h"
#include "query.h"
#include "reply.h"

/* Counts up the key in the query; 0 when refused, with the answer sent. */
static uint64_t
count_key(struct conn *conn, enum counter_table table)
{
	char key[COUNTER_KEY_MAX + 1];
	ssize_t len = query_get(conn->head.query, "key", key, sizeof(key));
	uint64_t n;

	if (len == -2) {
		reply_text(
		    conn, 400, "a key has at most %d bytes\n", COUNTER_KEY_MAX);
		return 0;
	}
	n = counter_key(table, key, len < 0 ? 0 : (size_t)len);
	if (n == 0)
		reply_text(conn, 507, "more than %d keys\n", COUNTER_KEYS);
	return n;
}

void
tally_count(struct conn *conn, uint64_t n)
{
	char key[COUNTER_KEY_MAX + 1];

	if (query_get(conn->head.query, "key", key, sizeof(key)) == -1)
		n = counter.requests;
	else if ((n = count_key(conn, COUNTER_COUNT)) == 0)
		return;
	reply_text(conn, 200, "%" PRIu64 "\n", n);
}

void
tally_fail(struct conn *conn, uint64_t n)
{
	uint64_t call = count_key(conn, COUNTER_FAIL);

	if (call == 0)
		return;
	if (call <= n)
		reply_text(
		    conn, 503, "failure %" PRIu64 " of %" PRIu64 "\n", call, n);
	else
		reply_text(conn, 200, "ok\n");
}

void
tally_inflight(struct conn *conn, uint64_t n)
{
	struct reply reply = {.status = 200, .type = "application/json"};
	char json[160];

	if (query_number(conn->head.query, "reset", 1, 0, &n) == -1) {
		reply_text(conn, 400, "reset is 0 or 1\n");
		return;
	}
	if (n == 1)
		counter.maximum = counter.current;
	snprintf(json, sizeof(json),
	    "{\"current\":%" PRIu64 ",\"max\":%" PRIu64
	    ",\"websockets\":%" PRIu64 "}\n",
	    counter.current, counter.maximum, counter.websockets);
	reply_bytes(conn, &reply, json, strlen(json));
}
