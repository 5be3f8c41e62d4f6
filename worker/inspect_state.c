/* SPDX-License-Identifier: MIT */
/* The document of inspect_state.h. */
#include <inttypes.h>

#include "conf.h"
#include "inspect_state.h"
#include "jsonout.h"
#include "metrics.h"
#include "sandbox.h"
#include "util.h"
#include "version.h"

/* A number of which a negative one says that there is none. */
static void
put_or_null(struct buf *b, const char *name, int64_t value)
{
	if (value >= 0)
		jsonout_put_int(b, name, value);
	else
		(void)buf_printf(b, ",\"%s\":null", name);
}

static void
put_ready(const struct inspect_facts *f, struct buf *b)
{
	const char *why, *comma = "";
	int i;

	jsonout_put_bool(b, "ready", ready_not(&f->ready) == NULL);
	jsonout_put_bool(b, "draining", f->ready.draining);
	(void)buf_puts(b, ",\"reasons\":[");
	for (i = 0; i < READY_CHECKS; i++) {
		why = ready_why(&f->ready, (enum ready_check)i);
		if (why == NULL)
			continue;
		(void)buf_printf(b, "%s\"%s\"", comma, why);
		comma = ",";
	}
	(void)buf_puts(b, "]");
}

static void
put_tunnels(const struct inspect_facts *f, struct buf *b)
{
	unsigned i;

	(void)buf_puts(b, ",\"tunnels\":[");
	for (i = 0; i < f->tunnels; i++) {
		const struct proto_worker_status *t = &f->tunnel[i];
		bool ended = t->last_reason != PROTO_REASON_NONE;

		(void)buf_printf(
		    b, "%s{\"number\":%u", i == 0 ? "" : ",", i + 1);
		jsonout_put_text(b, "state", proto_tunnel_name(t->tunnel));
		put_or_null(b, "joined_ms", t->joined_ms);
		put_or_null(b, "heartbeat_ms", t->heartbeat_ms);
		put_or_null(b, "retry_ms", t->retry_ms);
		jsonout_put_text(b, "last_end",
		    ended ? proto_reason_name(t->last_reason) : NULL);
		put_or_null(b, "last_end_detail",
		    t->last_detail != 0 ? t->last_detail : -1);
		(void)buf_puts(b, "}");
	}
	(void)buf_puts(b, "]");
}

static void
put_backend(const struct inspect_facts *f, struct buf *b)
{
	static const char *const names[] = {
	    [READY_BACKEND_UNASKED] = "unasked",
	    [READY_BACKEND_UNKNOWN] = "unknown",
	    [READY_BACKEND_GOOD] = "good",
	    [READY_BACKEND_BAD] = "bad",
	};

	jsonout_put_text(b, "backend",
	    f->ready.backend < UTIL_COUNT(names) ? names[f->ready.backend]
						 : "?");
	jsonout_put_text(b, "breaker",
	    proto_breaker_name(
		(enum proto_breaker)metrics_get(f->metrics, METRICS_BREAKER)));
}

static void
put_requests(const struct inspect_facts *f, struct buf *b)
{
	int i;

	(void)buf_puts(b, ",\"outcomes\":{\"total\":");
	(void)buf_printf(b, "%" PRIu64,
	    metrics_observed(&f->metrics->histogram[METRICS_DURATION]));
	for (i = 0; i < METRICS_OUTCOMES; i++)
		jsonout_put_int(b,
		    metrics_outcome_name((enum metrics_outcome)i),
		    (int64_t)metrics_requests(
			f->metrics, (enum metrics_outcome)i));
	(void)buf_puts(b, "}");
}

/* What is counted or measured, as it stands in the metrics. */
static const struct {
	const char *name;
	enum metrics_id id;
} figures[] = {
    {"in_flight", METRICS_IN_FLIGHT},
    {"waiting", METRICS_WAITING},
    {"websockets", METRICS_WS_SESSIONS},
    {"retries", METRICS_RETRIES},
    {"memory_held", METRICS_MEMORY_USED},
    {"memory_refused", METRICS_MEMORY_REFUSED},
    {"spool_bytes", METRICS_SPOOL_BYTES},
    {"bytes_in", METRICS_REQUEST_BYTES},
    {"bytes_out", METRICS_RESPONSE_BYTES},
    {"heartbeat_rtt_ms", METRICS_HEARTBEAT_RTT},
};

static void
put_figures(const struct inspect_facts *f, struct buf *b)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(figures); i++)
		jsonout_put_int(
		    b, figures[i].name, metrics_get(f->metrics, figures[i].id));
	jsonout_put_int(b, "rate_limited",
	    metrics_sum(f->metrics, METRICS_RATE_TOTAL, METRICS_RATE_SHARED));
	jsonout_put_int(b, "reconnects",
	    metrics_sum(f->metrics, METRICS_RECONNECT_RESOLVE,
		METRICS_RECONNECT_TOO_SLOW));
	jsonout_put_int(
	    b, "memory_max", metrics_get(f->metrics, METRICS_MEMORY_MAX));
	put_or_null(b, "memory_resident", f->resident > 0 ? f->resident : -1);
}

static const struct {
	const char *name;
	enum conf_id id;
} limits[] = {
    {"in_flight", CONF_MAX_INFLIGHT},
    {"waiting", CONF_QUEUE_MAX},
    {"websockets", CONF_WS_MAX_SESSIONS},
    {"request_bytes", CONF_MAX_REQUEST_SIZE},
    {"response_bytes", CONF_MAX_RESPONSE_SIZE},
    {"spool_bytes", CONF_SPOOL_MAX},
    {"request_timeout_ms", CONF_REQUEST_TIMEOUT},
};

static void
put_limits(const struct inspect_facts *f, struct buf *b)
{
	size_t i;

	(void)buf_puts(b, ",\"limits\":{\"rate\":");
	jsonout_put_string(b, conf_text(f->conf, CONF_RATE_LIMIT));
	for (i = 0; i < UTIL_COUNT(limits); i++)
		jsonout_put_int(
		    b, limits[i].name, conf_num(f->conf, limits[i].id));
	(void)buf_puts(b, "}");
}

static void
put_sandbox(const struct inspect_facts *f, struct buf *b)
{
	unsigned i;

	(void)buf_puts(b, ",\"sandbox\":[");
	for (i = 0; i < SANDBOX_PROCESSES; i++) {
		(void)buf_puts(b, i == 0 ? "{\"process\":" : ",{\"process\":");
		jsonout_put_string(
		    b, sandbox_process_name((enum sandbox_process)i));
		jsonout_put_bool(b, "seccomp",
		    metrics_get(f->metrics, METRICS_SECCOMP_SUPERVISOR + i) !=
			0);
		jsonout_put_int(b, "landlock_abi",
		    metrics_get(f->metrics, METRICS_LANDLOCK_SUPERVISOR + i));
		jsonout_put_int(b, "violations",
		    metrics_get(f->metrics, METRICS_VIOLATIONS_SUPERVISOR + i));
		(void)buf_puts(b, "}");
	}
	(void)buf_puts(b, "]");
}

void
inspect_state(const struct inspect_facts *f, struct buf *b)
{
	int64_t left_s = f->ready.token_expiry_s - f->ready.wall_s;

	(void)buf_puts(b, "{\"worker\":");
	jsonout_put_string(b, f->worker);
	jsonout_put_text(b, "version", version);
	jsonout_put_int(b, "uptime_ms", f->ready.uptime_ms);
	put_ready(f, b);
	put_tunnels(f, b);
	if (f->ready.token_expiry_s == 0)
		(void)buf_puts(b, ",\"token_left_s\":null");
	else
		jsonout_put_int(b, "token_left_s", left_s);
	put_backend(f, b);
	put_requests(f, b);
	put_figures(f, b);
	put_limits(f, b);
	put_sandbox(f, b);
	(void)buf_puts(b, "}\n");
}
