/* SPDX-License-Identifier: MIT */
/* The two forms of a status. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jsonout.h"
#include "log.h"
#include "telephonectl_status.h"
#include "util.h"

const char *
status_age(int64_t ms, char space[STATUS_AGE_MAX])
{
	int64_t s = ms / 1000;

	if (ms < 0)
		(void)util_fmt(space, STATUS_AGE_MAX, "-");
	else if (s >= 86400)
		(void)util_fmt(space, STATUS_AGE_MAX,
		    "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		(void)util_fmt(space, STATUS_AGE_MAX,
		    "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		(void)util_fmt(space, STATUS_AGE_MAX,
		    "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		(void)util_fmt(space, STATUS_AGE_MAX,
		    "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
	return space;
}

/* --- for people ----------------------------------------------------------- */

/* How long messages plugboard takes, as far as it was learnt. */
static void
print_sizes(const struct proto_worker_status *w)
{
	if (w->message_accepted == 0 && w->message_refused == 0)
		return;
	(void)printf(
	    "messages     up to %" PRIu64 " bytes taken", w->message_accepted);
	if (w->message_refused != 0)
		(void)printf(
		    "; from %" PRIu64 " bytes on refused", w->message_refused);
	(void)printf("\n");
}

/* Each, where there is more than one. */
static void
print_tunnels(const struct proto_worker_status *w)
{
	const struct proto_tunnel_status *t = w->tunnel_list;
	char a[STATUS_AGE_MAX];
	unsigned i;

	for (i = 0; w->tunnels > 1 && i < w->tunnels; i++, t++) {
		(void)printf(
		    "  tunnel %u   %s", i + 1, proto_tunnel_name(t->state));
		if (t->joined_ms >= 0)
			(void)printf(" since %s", status_age(t->joined_ms, a));
		if (t->retry_ms >= 0)
			(void)printf(
			    ", next attempt in %s", status_age(t->retry_ms, a));
		if (t->last_reason != PROTO_REASON_NONE)
			(void)printf("; last end: %s",
			    proto_reason_name(t->last_reason));
		if (t->last_detail != 0)
			(void)printf(" %u", t->last_detail);
		(void)printf("\n");
	}
}

static void
print_traces(const struct proto_worker_status *w)
{
	char plain[LOG_PLAIN_MAX];

	if (!w->tracing) {
		(void)printf("traces       off\n");
		return;
	}
	(void)printf("traces       %" PRIu64 " spans exported, %" PRIu64
		     " lost, %" PRIu64 " waiting\n",
	    w->spans, w->spans_lost, w->spans_waiting);
	if (w->trace_error[0] != '\0')
		(void)printf("             last: %s\n",
		    log_plain(plain, sizeof(plain), w->trace_error));
}

static void
print_tunnel(const struct proto_worker_status *w)
{
	char a[STATUS_AGE_MAX], b[STATUS_AGE_MAX];

	(void)printf("tunnels      %u of %u joined; %s", w->tunnels_joined,
	    w->tunnels, proto_tunnel_name(w->tunnel));
	if (w->joined_ms >= 0)
		(void)printf(" since %s, last heartbeat %s%s",
		    status_age(w->joined_ms, a),
		    w->heartbeat_ms < 0 ? "not yet due"
					: status_age(w->heartbeat_ms, b),
		    w->heartbeat_ms < 0 ? "" : " ago");
	if (w->retry_ms >= 0)
		(void)printf(
		    ", next attempt in %s", status_age(w->retry_ms, a));
	(void)printf("\n");
	if (w->last_reason != PROTO_REASON_NONE) {
		(void)printf(
		    "last end     %s", proto_reason_name(w->last_reason));
		if (w->last_detail != 0)
			(void)printf(" %u", w->last_detail);
		(void)printf("\n");
	}
	print_tunnels(w);
	(void)printf("requests     %" PRIu64 ", %" PRIu64
		     " refused or failed, %" PRIu64 " in flight; %" PRIu64
		     " WebSockets\n",
	    w->requests, w->failures, w->in_flight, w->sessions);
	(void)printf("limits       %" PRIu64 " in flight, %" PRIu64
		     " wait; %" PRIu64 " above a rate or not allowed\n",
	    w->in_flight_max, w->waiting, w->over_limits);
	(void)printf("backend      health %s, breaker %s\n",
	    proto_health_name(w->backend), proto_breaker_name(w->breaker));
	(void)printf("memory       %" PRIu64 " KiB held, ceiling %" PRIu64
		     " MiB\n",
	    w->memory / 1024, w->memory_max / (1024 * 1024));
	print_sizes(w);
	print_traces(w);
	(void)printf("reconnects   %" PRIu64 ", rejoins %" PRIu64 "\n",
	    w->reconnects, w->rejoins);
}

static void
print_token(const struct proto_tokend_status *t)
{
	char a[STATUS_AGE_MAX], p[LOG_PLAIN_MAX], j[LOG_PLAIN_MAX];
	int64_t left_ms = t->exp_s * 1000 - util_wall_ms();

	if (t->state == PROTO_TOKEN_NONE) {
		(void)printf("token        awaited: telephonectl token set\n");
		return;
	}
	(void)printf("token        %s, from %s, path_id %s, jti %s\n",
	    proto_token_state_name(t->state), proto_source_name(t->source),
	    log_plain(p, sizeof(p), t->path_id),
	    log_plain(j, sizeof(j), t->jti));
	(void)printf("             %s %s%s",
	    left_ms > 0 ? "expires in" : "expired",
	    status_age(left_ms > 0 ? left_ms : -left_ms, a),
	    left_ms > 0 ? "" : " ago");
	if (t->refresh_in_ms >= 0)
		(void)printf(
		    ", refresh in %s", status_age(t->refresh_in_ms, a));
	(void)printf("%s\nrefreshes    %" PRIu64 ", %" PRIu64
		     " failed; %" PRIu64 " tokens stored%s\n",
	    t->verified ? "" : ", signature not verified", t->refreshes,
	    t->refresh_failures, t->rows,
	    t->unsaved ? ", NOT the current one" : "");
	if (t->refusal[0] != '\0')
		(void)printf("set aside    %u; last: %s\n", t->set_aside,
		    log_plain(p, sizeof(p), t->refusal));
}

/* What all have in common in one line, then who has what. */
static void
print_walls(const struct status *s)
{
	char space[SANDBOX_TEXT_MAX];
	uint64_t violations = 0;
	int i;

	for (i = 0; i < SANDBOX_PROCESSES; i++)
		violations += s->walls[i].violations;
	(void)printf("sandbox      %s, %" PRIu64 " violations\n",
	    sandbox_mode_name(s->walls[SANDBOX_SUPERVISOR].level.mode),
	    violations);
	for (i = 0; i < SANDBOX_PROCESSES; i++)
		if (s->has_walls[i])
			(void)printf("  %-11s%s\n",
			    sandbox_process_name((enum sandbox_process)i),
			    sandbox_text(&s->walls[i].level, space));
}

const char *
status_missing(uint32_t pid)
{
	return pid == 0 ? "is being started" : "does not answer";
}

const char *
status_ready(const struct status *s, char text[STATUS_READY_MAX])
{
	char plain[LOG_PLAIN_MAX];

	if (!s->has_worker) {
		(void)util_fmt(text, STATUS_READY_MAX, "the worker %s",
		    status_missing(s->supervisor.worker_pid));
		return text;
	}
	if (s->worker.draining)
		return "draining";
	if (s->worker.ready)
		return "ready";
	(void)util_fmt(text, STATUS_READY_MAX, "not ready (%s)",
	    log_plain(plain, sizeof(plain), s->worker.not_ready));
	return text;
}

void
status_print(const struct status *s)
{
	const struct proto_supervisor_status *p = &s->supervisor;
	char a[STATUS_AGE_MAX], plain[LOG_PLAIN_MAX], ready[STATUS_READY_MAX];

	(void)printf("telephone    %s, %s, up %s\n",
	    log_plain(plain, sizeof(plain), p->version), status_ready(s, ready),
	    status_age(p->uptime_ms, a));
	if (s->has_worker)
		print_tunnel(&s->worker);
	else
		(void)printf(
		    "worker       %s\n", status_missing(p->worker_pid));
	if (s->has_tokend)
		print_token(&s->tokend);
	else
		(void)printf(
		    "tokend       %s\n", status_missing(p->tokend_pid));
	(void)printf("processes    supervisor %u, worker %u (restarts %u), "
		     "tokend %u (restarts %u)\n",
	    p->pid, p->worker_pid, p->worker_restarts, p->tokend_pid,
	    p->tokend_restarts);
	(void)printf("config       %s, generation %u, %s\n",
	    p->config[0] != '\0' ? log_plain(plain, sizeof(plain), p->config)
				 : "environment only",
	    p->generation,
	    p->root ? "a user for each process" : "one user for all");
	if (p->inspect[0] != '\0')
		(void)printf("page         %s\n",
		    log_plain(plain, sizeof(plain), p->inspect));
	print_walls(s);
}

/* --- for programs --------------------------------------------------------- */

static void
json_tunnels(const struct proto_worker_status *w)
{
	const struct proto_tunnel_status *t = w->tunnel_list;
	unsigned i;

	(void)printf(",\"tunnel_list\":[");
	for (i = 0; i < w->tunnels; i++, t++) {
		(void)printf("%s{\"number\":%u", i == 0 ? "" : ",", i + 1);
		jsonout_text("state", proto_tunnel_name(t->state));
		jsonout_int("joined_ms", t->joined_ms);
		jsonout_int("heartbeat_ms", t->heartbeat_ms);
		jsonout_int("retry_ms", t->retry_ms);
		jsonout_text("last_end", proto_reason_name(t->last_reason));
		jsonout_int("last_end_detail", t->last_detail);
		(void)putchar('}');
	}
	(void)putchar(']');
}

static void
json_worker(const struct proto_worker_status *w)
{
	(void)printf(
	    ",\"worker\":{\"tunnel\":\"%s\"", proto_tunnel_name(w->tunnel));
	jsonout_int("tunnels", w->tunnels);
	jsonout_int("tunnels_joined", w->tunnels_joined);
	jsonout_text("last_end", proto_reason_name(w->last_reason));
	jsonout_int("last_end_detail", w->last_detail);
	jsonout_bool("draining", w->draining);
	jsonout_int("joined_ms", w->joined_ms);
	jsonout_int("heartbeat_ms", w->heartbeat_ms);
	jsonout_int("retry_ms", w->retry_ms);
	jsonout_int("requests", (int64_t)w->requests);
	jsonout_int("failures", (int64_t)w->failures);
	jsonout_int("in_flight", (int64_t)w->in_flight);
	jsonout_int("reconnects", (int64_t)w->reconnects);
	jsonout_int("rejoins", (int64_t)w->rejoins);
	jsonout_int("in_flight_max", (int64_t)w->in_flight_max);
	jsonout_int("waiting", (int64_t)w->waiting);
	jsonout_int("over_limits", (int64_t)w->over_limits);
	jsonout_int("websockets", (int64_t)w->sessions);
	jsonout_text("backend", proto_health_name(w->backend));
	jsonout_text("breaker", proto_breaker_name(w->breaker));
	jsonout_int("memory", (int64_t)w->memory);
	jsonout_int("memory_max", (int64_t)w->memory_max);
	jsonout_int("message_accepted", (int64_t)w->message_accepted);
	jsonout_int("message_refused", (int64_t)w->message_refused);
	jsonout_bool("tracing", w->tracing);
	jsonout_int("spans", (int64_t)w->spans);
	jsonout_int("spans_lost", (int64_t)w->spans_lost);
	jsonout_int("spans_waiting", (int64_t)w->spans_waiting);
	jsonout_text("trace_error", w->trace_error);
	json_tunnels(w);
	(void)putchar('}');
}

static void
json_token(const struct proto_tokend_status *t)
{
	(void)printf(
	    ",\"token\":{\"state\":\"%s\"", proto_token_state_name(t->state));
	jsonout_text("source", proto_source_name(t->source));
	jsonout_text("path_id", t->path_id);
	jsonout_text("jti", t->jti);
	jsonout_int("iat", t->iat_s);
	jsonout_int("exp", t->exp_s);
	jsonout_int("refresh_in_ms", t->refresh_in_ms);
	jsonout_int("refreshes", (int64_t)t->refreshes);
	jsonout_int("refresh_failures", (int64_t)t->refresh_failures);
	jsonout_int("stored", (int64_t)t->rows);
	jsonout_int("unreadable", (int64_t)t->unreadable);
	jsonout_int("set_aside", t->set_aside);
	jsonout_bool("verified", t->verified);
	jsonout_bool("unsaved", t->unsaved);
	jsonout_text("subject", t->sub);
	jsonout_text("last_refusal", t->refusal);
	(void)putchar('}');
}

static void
json_walls(const struct status *s)
{
	const struct proto_sandbox *w;
	bool whole = true;
	int i;

	(void)printf(",\"sandbox\":{\"mode\":\"%s\"",
	    sandbox_mode_name(s->walls[SANDBOX_SUPERVISOR].level.mode));
	for (i = 0; i < SANDBOX_PROCESSES; i++) {
		w = &s->walls[i];
		whole = whole && s->has_walls[i] && sandbox_is_whole(&w->level);
		if (!s->has_walls[i])
			continue;
		(void)printf(",\"%s\":{\"seccomp\":%s",
		    sandbox_process_name((enum sandbox_process)i),
		    w->level.seccomp ? "true" : "false");
		jsonout_int("landlock_abi", w->level.landlock);
		jsonout_bool("connects", w->level.connects);
		jsonout_bool("signals", w->level.signals);
		jsonout_int("violations", w->violations);
		(void)putchar('}');
	}
	jsonout_bool("whole", whole);
	(void)putchar('}');
}

void
status_print_json(const struct status *s)
{
	const struct proto_supervisor_status *p = &s->supervisor;

	(void)printf("{\"ready\":%s",
	    s->has_worker && s->worker.ready ? "true" : "false");
	if (s->has_worker && !s->worker.ready)
		jsonout_text("not_ready", s->worker.not_ready);
	jsonout_text("version", p->version);
	jsonout_int("uptime_ms", p->uptime_ms);
	jsonout_int("pid", p->pid);
	jsonout_int("worker_pid", p->worker_pid);
	jsonout_int("tokend_pid", p->tokend_pid);
	jsonout_int("worker_restarts", p->worker_restarts);
	jsonout_int("tokend_restarts", p->tokend_restarts);
	jsonout_int("generation", p->generation);
	jsonout_bool("separate_users", p->root);
	jsonout_text("config", p->config);
	/* Not where: such a document is kept, and goes to others. */
	jsonout_bool("page", p->inspect[0] != '\0');
	json_walls(s);
	if (s->has_worker)
		json_worker(&s->worker);
	if (s->has_tokend)
		json_token(&s->tokend);
	(void)printf("}\n");
}
