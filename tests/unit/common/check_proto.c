/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of common/proto.h: the policy, held against a second list of
 * what is allowed, and the encodings.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "proto.h"
#include "util.h"
#include "version.h"

/* --- the policy ----------------------------------------------------------- */

#define S PROTO_SUPERVISOR
#define W PROTO_WORKER
#define T PROTO_TOKEND
#define C PROTO_CTL
#define N PROTO_NEW
#define U PROTO_SETUP
#define R PROTO_RUNNING

/* Every message that may be sent: min and max are the shortest and longest
 * payload there is, which the policy has to let through. */
static const struct route {
	enum proto_type type;
	const char *name;
	enum proto_role from, to;
	unsigned states;
	uint32_t min, max;
	bool fd;
} routes[] = {
    {PROTO_HELLO, "HELLO", W, S, N, 6, 132, false},
    {PROTO_HELLO, "HELLO", T, S, N, 6, 132, false},
    {PROTO_HELLO, "HELLO", W, T, N, 6, 132, false},
    {PROTO_HELLO, "HELLO", T, W, N, 6, 132, false},
    {PROTO_CONF, "CONF", S, W, U | R, 6, 4200, false},
    {PROTO_CONF, "CONF", S, T, U | R, 6, 4200, false},
    {PROTO_FD, "FD", S, W, U | R, 1, 1, true},
    {PROTO_FD, "FD", S, T, U | R, 1, 1, true},
    {PROTO_CONF_END, "CONF_END", S, W, U | R, 0, 0, false},
    {PROTO_CONF_END, "CONF_END", S, T, U | R, 0, 0, false},
    {PROTO_CONF_ACK, "CONF_ACK", W, S, U | R, 1, 1, false},
    {PROTO_CONF_ACK, "CONF_ACK", T, S, U | R, 1, 1, false},
    {PROTO_READY, "READY", W, S, U, 0, 0, false},
    {PROTO_READY, "READY", T, S, U, 0, 0, false},
    {PROTO_STOP, "STOP", S, W, U | R, 1, 1, false},
    {PROTO_STOP, "STOP", S, T, U | R, 1, 1, false},
    {PROTO_LOG_LEVEL, "LOG_LEVEL", S, W, U | R, 3, 3, false},
    {PROTO_LOG_LEVEL, "LOG_LEVEL", S, T, U | R, 3, 3, false},
    {PROTO_LOG_LEVEL, "LOG_LEVEL", C, S, R, 3, 3, false},
    {PROTO_STATUS, "STATUS", S, W, R, 0, 0, false},
    {PROTO_STATUS, "STATUS", S, T, R, 0, 0, false},
    {PROTO_STATUS, "STATUS", C, S, R, 0, 0, false},
    {PROTO_WORKER_STATUS, "WORKER_STATUS", W, S, R, 171, 673, false},
    {PROTO_WORKER_STATUS, "WORKER_STATUS", S, C, R, 171, 673, false},
    {PROTO_TOKEND_STATUS, "TOKEND_STATUS", T, S, R, 80, 1356, false},
    {PROTO_TOKEND_STATUS, "TOKEND_STATUS", S, C, R, 80, 1356, false},
    {PROTO_SUPERVISOR_STATUS, "SUPERVISOR_STATUS", S, C, R, 45, 1322, false},
    {PROTO_JOINED, "JOINED", W, S, R, 0, 0, false},
    {PROTO_TOKEN_GET, "TOKEN_GET", W, T, R, 0, 0, false},
    {PROTO_TOKEN, "TOKEN", T, W, R, 21, 16914, false},
    {PROTO_TOKEN_REFUSED, "TOKEN_REFUSED", W, T, R, 6, 261, false},
    {PROTO_REFRESH_DUE, "REFRESH_DUE", T, W, R, 0, 0, false},
    {PROTO_TOKEN_PUT, "TOKEN_PUT", W, T, R, 5, 16388, false},
    {PROTO_SANDBOX, "SANDBOX", W, S, U | R, 9, 9, false},
    {PROTO_SANDBOX, "SANDBOX", T, S, U | R, 9, 9, false},
    {PROTO_SANDBOX, "SANDBOX", S, W, R, 9, 9, false},
    {PROTO_SANDBOX, "SANDBOX", S, C, R, 9, 9, false},
    {PROTO_TOKEND_FIGURES, "TOKEND_FIGURES", T, W, R, 113, 113, false},
    {PROTO_TOKEN_SET, "TOKEN_SET", C, S, R, 0, 0, true},
    {PROTO_TOKEN_SET, "TOKEN_SET", S, T, R, 0, 0, true},
    {PROTO_TOKEN_ROTATE, "TOKEN_ROTATE", C, S, R, 0, 0, false},
    {PROTO_TOKEN_ROTATE, "TOKEN_ROTATE", S, T, R, 0, 0, false},
    {PROTO_TOKEN_REPORT, "TOKEN_REPORT", T, S, R, 49, 1070, false},
    {PROTO_TOKEN_REPORT, "TOKEN_REPORT", S, C, R, 49, 1070, false},
    {PROTO_RELOAD, "RELOAD", C, S, R, 0, 0, false},
    {PROTO_DRAIN, "DRAIN", C, S, R, 0, 0, false},
    {PROTO_RECONNECT, "RECONNECT", C, S, R, 0, 0, false},
    {PROTO_RECONNECT, "RECONNECT", S, W, R, 0, 0, false},
    {PROTO_INSPECT, "INSPECT", S, W, U, 36, 36, false},
    {PROTO_VERSION, "VERSION", C, S, R, 0, 0, false},
    {PROTO_TEXT, "TEXT", S, C, R, 4, 4099, false},
    {PROTO_DONE, "DONE", S, C, R, 1, 1, false},
    {PROTO_TEXT, "TEXT", W, C, R, 4, 4099, false},
    {PROTO_DONE, "DONE", W, C, R, 1, 1, false},
    {PROTO_WATCH, "WATCH", C, S, R, 0, 0, false},
    {PROTO_WATCHER, "WATCHER", S, W, R, 0, 0, true},
    {PROTO_WATCHED, "WATCHED", W, C, R, 12, 12, false},
    {PROTO_EXCHANGES_GET, "EXCHANGES_GET", C, W, R, 9, 9, false},
    {PROTO_EXCHANGES, "EXCHANGES", W, C, R, 18, 65536, false},
    {PROTO_LOAD_GET, "LOAD_GET", C, W, R, 0, 0, false},
    {PROTO_LOAD, "LOAD", W, C, R, 240, 240, false},
};

static const enum proto_state states[] = {N, U, R};

static const struct route *
route_of(uint16_t type, enum proto_role from, enum proto_role to)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(routes); i++)
		if (routes[i].type == type && routes[i].from == from &&
		    routes[i].to == to)
			return &routes[i];
	return NULL;
}

/* A frame that the route allows. */
static struct ipc_frame
frame_of(const struct route *r)
{
	struct ipc_frame f = {.type = (uint16_t)r->type, .len = r->min};

	f.fd = r->fd ? 9 : -1;
	return f;
}

START_TEST(every_type_has_a_name_and_a_route)
{
	uint16_t type = (uint16_t)_i;
	size_t i, found = 0;

	for (i = 0; i < UTIL_COUNT(routes); i++)
		if (routes[i].type == type) {
			ck_assert_str_eq(proto_name(type), routes[i].name);
			found++;
		}
	ck_assert_uint_gt(found, 0);
}
END_TEST

/* All types, senders, receivers and states, also those beside the lists. */
START_TEST(only_the_routes_are_open)
{
	const struct route *r;
	struct ipc_frame f = {.type = (uint16_t)_i};
	enum proto_role from, to;
	size_t i;
	bool open;

	for (from = S; from <= C; from++)
		for (to = S; to <= C; to++) {
			r = route_of(f.type, from, to);
			if (r != NULL)
				f = frame_of(r);
			else
				f.fd = -1;
			for (i = 0; i < UTIL_COUNT(states); i++) {
				open =
				    r != NULL && (r->states & states[i]) != 0;
				ck_assert_msg((proto_check(&f, from, to,
						   states[i]) == NULL) == open,
				    "%s from %s to %s in state %d",
				    proto_name(f.type), proto_role_name(from),
				    proto_role_name(to), (int)states[i]);
			}
		}
}
END_TEST

static const char *
judge(const struct route *r, const struct ipc_frame *f)
{
	enum proto_state state = (r->states & R) != 0 ? R
	    : (r->states & U) != 0		      ? U
						      : N;

	return proto_check(f, r->from, r->to, state);
}

/* Up to one byte the policy is exact. Above, the decoder is, and the policy
 * only has to be near. */
static uint32_t
slack(const struct route *r)
{
	return r->max <= 1 ? 0 : r->max + 256;
}

START_TEST(lengths_are_bounded)
{
	const struct route *r = &routes[_i];
	struct ipc_frame f = frame_of(r);

	ck_assert_ptr_null(judge(r, &f));
	f.len = r->max;
	ck_assert_ptr_null(judge(r, &f));
	if (r->min > 0) {
		f.len = 0;
		ck_assert_str_eq(judge(r, &f), "too short");
	}
	f.len = r->max + slack(r) + 1;
	ck_assert_str_eq(judge(r, &f), "too long");
}
END_TEST

START_TEST(descriptors_come_where_they_belong)
{
	const struct route *r = &routes[_i];
	struct ipc_frame f = frame_of(r);

	f.fd = r->fd ? -1 : 9;
	ck_assert_ptr_nonnull(judge(r, &f));
	ck_assert_ptr_nonnull(strstr(judge(r, &f), "descriptor"));
}
END_TEST

START_TEST(flags_are_refused)
{
	const struct route *r = &routes[_i];
	struct ipc_frame f = frame_of(r);

	f.flags = 0x8000;
	ck_assert_ptr_nonnull(judge(r, &f));
}
END_TEST

static const uint16_t no_types[] = {0, PROTO_TYPES, PROTO_TYPES + 1, 0xffff};

START_TEST(unknown_types_are_refused)
{
	struct ipc_frame f = {.type = no_types[_i], .fd = -1};

	ck_assert_str_eq(proto_check(&f, S, W, R), "unknown type");
	ck_assert_str_eq(proto_name(f.type), "?");
}
END_TEST

/* --- names ---------------------------------------------------------------- */

#define NAMER(namer, list)                                 \
	static const char *name_##namer(unsigned v)        \
	{                                                  \
		return proto_##namer##_name((enum list)v); \
	}
NAMER(role, proto_role)
NAMER(token_state, proto_token_state)
NAMER(refresh, proto_refresh)
NAMER(tunnel, proto_tunnel)
NAMER(reason, proto_reason)
NAMER(source, proto_source)
NAMER(breaker, proto_breaker)

static const struct {
	const char *(*name)(unsigned);
	unsigned count;
} lists[] = {
    {name_role, PROTO_CTL + 1},
    {name_token_state, PROTO_TOKEN_STATES},
    {name_refresh, PROTO_REFRESHES},
    {name_tunnel, PROTO_TUNNELS},
    {name_reason, PROTO_REASONS},
    {name_source, PROTO_SOURCES},
    {name_breaker, PROTO_BREAKERS},
};

START_TEST(values_have_names_of_their_own)
{
	unsigned i, j;

	for (i = 0; i < lists[_i].count; i++) {
		ck_assert_ptr_nonnull(lists[_i].name(i));
		ck_assert_str_ne(lists[_i].name(i), "?");
		for (j = 0; j < i; j++)
			ck_assert_str_ne(lists[_i].name(i), lists[_i].name(j));
	}
	ck_assert_str_eq(lists[_i].name(i), "?");
	ck_assert_str_eq(lists[_i].name(0x7fffffff), "?");
}
END_TEST

START_TEST(the_build_names_version_and_revision)
{
	char want[PROTO_BUILD_MAX];

	ck_assert(util_fmt(want, sizeof(want), "%s ipc1", version));
	ck_assert_str_eq(proto_build(), want);
}
END_TEST

/* --- encodings ------------------------------------------------------------ */

static uint8_t space[IPC_PAYLOAD_MAX];
static struct proto_token token, token_back;
static struct proto_refused refused, refused_back;
static struct proto_put put, put_back;
static struct proto_worker_status worker, worker_back;
static struct proto_tokend_status tokend, tokend_back;
static struct proto_supervisor_status supervisor, supervisor_back;
static struct proto_sandbox sandbox, sandbox_back;
static struct proto_figures figures, figures_back;
static struct proto_report report, report_back;
static struct proto_log loud, loud_back;
static char text[PROTO_TEXT_MAX], text_back[PROTO_TEXT_MAX];

static void
fill(char *field, size_t size, char c)
{
	memset(field, c, size - 1);
	field[size - 1] = '\0';
}

/* The largest of each, every member with a value of its own. */
static void
fill_all(void)
{
	int i;

	token.state = PROTO_TOKEN_REFUSED_ALL;
	token.exp_s = INT64_MIN + 1;
	fill(token.path_id, sizeof(token.path_id), 'p');
	fill(token.jti, sizeof(token.jti), 'j');
	fill(token.token, sizeof(token.token), 't');
	refused.status = 0xfffe;
	fill(refused.jti, sizeof(refused.jti), 'j');
	put.outcome = PROTO_REFRESH_OK;
	fill(put.token, sizeof(put.token), 't');
	fill(text, sizeof(text), 'x');
	worker = (struct proto_worker_status){8, 2, PROTO_TUNNEL_DRAINING,
	    PROTO_REASON_TOO_SLOW, 1012, true, true, 1, INT64_MAX, -1, 2, 3,
	    UINT64_MAX, 4, 5, PROTO_BREAKER_HALF_OPEN, 6, UINT64_MAX, 7,
	    UINT64_MAX - 1, true, 8, UINT64_MAX - 2, 9, "", {{0}}, "",
	    PROTO_HEALTH_BAD, 10, UINT64_MAX - 3, 11, 12};
	fill(worker.trace_error, sizeof(worker.trace_error), 'e');
	fill(worker.not_ready, sizeof(worker.not_ready), 'n');
	for (i = 0; i < PROTO_TUNNELS_MAX; i++)
		worker.tunnel_list[i] = (struct proto_tunnel_status){
		    (enum proto_tunnel)(i % 7), (enum proto_reason)i,
		    (uint16_t)(1000 + i), i, -i, INT64_MAX - i};
	tokend = (struct proto_tokend_status){.state = PROTO_TOKEN_REFUSED_ALL,
	    .source = PROTO_SOURCE_REFRESH,
	    .iat_s = 1,
	    .exp_s = INT64_MAX,
	    .refresh_in_ms = -1,
	    .refreshes = 2,
	    .refresh_failures = UINT64_MAX,
	    .rows = 3,
	    .unreadable = 4,
	    .set_aside = UINT32_MAX,
	    .verified = true,
	    .unsaved = true};
	fill(tokend.sub, sizeof(tokend.sub), 's');
	fill(tokend.refusal, sizeof(tokend.refusal), 'r');
	figures = (struct proto_figures){INT64_MAX, {1, 2, 3, 4, 5}, 6, 7,
	    {8, 9, 10, 11, 12}, UINT64_MAX, true};
	report = (struct proto_report){.code = 255,
	    .stored = true,
	    .current = true,
	    .moved = true,
	    .previous = true,
	    .rows = 1,
	    .resealed = 2,
	    .unreadable = UINT64_MAX,
	    .exp_s = -1};
	loud = (struct proto_log){PROTO_LOG_TOKEND, LOG_LEVEL_ERROR, true};
	fill(report.path_id, sizeof(report.path_id), 'p');
	fill(report.jti, sizeof(report.jti), 'j');
	fill(report.text, sizeof(report.text), 't');
	fill(tokend.path_id, sizeof(tokend.path_id), 'p');
	fill(tokend.jti, sizeof(tokend.jti), 'j');
	supervisor = (struct proto_supervisor_status){.uptime_ms = INT64_MAX,
	    .pid = UINT32_MAX,
	    .worker_pid = 1,
	    .tokend_pid = 2,
	    .generation = 3,
	    .worker_restarts = 4,
	    .tokend_restarts = 5,
	    .root = true};
	sandbox = (struct proto_sandbox){SANDBOX_TOKEND,
	    {SANDBOX_OFF, true, 255, true, true, true}, UINT32_MAX};
	fill(supervisor.version, sizeof(supervisor.version), 'v');
	fill(supervisor.config, sizeof(supervisor.config), 'c');
	fill(supervisor.inspect, sizeof(supervisor.inspect), 'i');
}

/* The smallest: all zero. */
static void
clear_all(void)
{
	memset(&token, 0, sizeof(token));
	memset(&refused, 0, sizeof(refused));
	memset(&put, 0, sizeof(put));
	put.outcome = PROTO_REFRESH_REFUSED;
	memset(text, 0, sizeof(text));
	memset(&worker, 0, sizeof(worker));
	memset(&tokend, 0, sizeof(tokend));
	memset(&supervisor, 0, sizeof(supervisor));
	memset(&sandbox, 0, sizeof(sandbox));
	memset(&figures, 0, sizeof(figures));
	memset(&report, 0, sizeof(report));
	memset(&loud, 0, sizeof(loud));
}

#define CODEC(what)                                              \
	static int encode_##what(void)                           \
	{                                                        \
		return proto_put_##what(space, &what);           \
	}                                                        \
	static int decode_##what(const struct ipc_frame *f)      \
	{                                                        \
		memset(&what##_back, 0x55, sizeof(what##_back)); \
		return proto_get_##what(f, &what##_back);        \
	}
CODEC(token)
CODEC(refused)
CODEC(put)
CODEC(sandbox)
CODEC(figures)
CODEC(report)

#define STATUS_CODEC(what)                                         \
	static int encode_##what(void)                             \
	{                                                          \
		return proto_put_##what##_status(space, &what);    \
	}                                                          \
	static int decode_##what(const struct ipc_frame *f)        \
	{                                                          \
		memset(&what##_back, 0x55, sizeof(what##_back));   \
		return proto_get_##what##_status(f, &what##_back); \
	}
STATUS_CODEC(worker)
STATUS_CODEC(tokend)
STATUS_CODEC(supervisor)

static int
encode_log(void)
{
	return proto_put_log(space, &loud);
}

static int
decode_log(const struct ipc_frame *f)
{
	return proto_get_log(f, &loud_back);
}

static int
encode_text(void)
{
	return proto_put_text(space, text);
}

static int
decode_text(const struct ipc_frame *f)
{
	return proto_get_text(f, text_back);
}

static const char digits[] = "0123456789abcdef0123456789abcdef";

static int
encode_inspect(void)
{
	return proto_put_inspect(space, digits);
}

static int
decode_inspect(const struct ipc_frame *f)
{
	char back[PROTO_INSPECT_LEN + 1];

	if (proto_get_inspect(f, back) == -1)
		return -1;
	ck_assert_str_eq(back, digits);
	return 0;
}

static int
encode_hello(void)
{
	return proto_put_hello(space, PROTO_TOKEND);
}

static int
decode_hello(const struct ipc_frame *f)
{
	char build[PROTO_BUILD_MAX];
	enum proto_role role;

	if (proto_get_hello(f, &role, build) == -1)
		return -1;
	ck_assert_int_eq(role, PROTO_TOKEND);
	ck_assert_str_eq(build, proto_build());
	return 0;
}

static int
encode_u8(void)
{
	return proto_put_u8(space, 0xfe);
}

static int
decode_u8(const struct ipc_frame *f)
{
	uint8_t v;

	if (proto_get_u8(f, &v) == -1)
		return -1;
	ck_assert_uint_eq(v, 0xfe);
	return 0;
}

/* len: of the smallest and the largest, 0: see the test of hello. */
static const struct codec {
	int (*encode)(void);
	int (*decode)(const struct ipc_frame *);
	uint32_t min, max;
} codecs[] = {
    {encode_hello, decode_hello, 0, 0},
    {encode_u8, decode_u8, 1, 1},
    {encode_text, decode_text, 4, 4099},
    {encode_token, decode_token, 21, 16914},
    {encode_sandbox, decode_sandbox, 9, 9},
    {encode_refused, decode_refused, 6, 261},
    {encode_put, decode_put, 5, 16388},
    {encode_worker, decode_worker, 171, 673},
    {encode_tokend, decode_tokend, 80, 1356},
    {encode_supervisor, decode_supervisor, 45, 1322},
    {encode_figures, decode_figures, 113, 113},
    {encode_report, decode_report, 49, 1070},
    {encode_log, decode_log, 3, 3},
    {encode_inspect, decode_inspect, 36, 36},
};

/* A copy as long as the payload, so that a sanitizer sees reads beyond it. */
static int
decode_copy(const struct codec *c, size_t len)
{
	struct ipc_frame f = {.len = (uint32_t)len, .fd = -1};
	uint8_t *copy = malloc(len + (len == 0));
	int rv;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, space, len);
	f.payload = copy;
	rv = c->decode(&f);
	free(copy);
	return rv;
}

static void
assert_all_back(void)
{
	ck_assert_int_eq(loud.who, loud_back.who);
	ck_assert_int_eq(loud.level, loud_back.level);
	ck_assert_int_eq(loud.journal, loud_back.journal);
	ck_assert_str_eq(token.token, token_back.token);
	ck_assert_str_eq(token.jti, token_back.jti);
	ck_assert_str_eq(token.path_id, token_back.path_id);
	ck_assert_int_eq(token.state, token_back.state);
	ck_assert_int_eq(token.exp_s, token_back.exp_s);
	ck_assert_int_eq(refused.status, refused_back.status);
	ck_assert_str_eq(refused.jti, refused_back.jti);
	ck_assert_int_eq(put.outcome, put_back.outcome);
	ck_assert_str_eq(put.token, put_back.token);
	ck_assert_str_eq(text, text_back);
	ck_assert_int_eq(worker.tunnels, worker_back.tunnels);
	ck_assert_int_eq(worker.tunnels_joined, worker_back.tunnels_joined);
	ck_assert_int_eq(worker.tunnel, worker_back.tunnel);
	ck_assert_int_eq(worker.last_reason, worker_back.last_reason);
	ck_assert_uint_eq(worker.last_detail, worker_back.last_detail);
	ck_assert_int_eq(worker.ready, worker_back.ready);
	ck_assert_int_eq(worker.draining, worker_back.draining);
	ck_assert_int_eq(worker.joined_ms, worker_back.joined_ms);
	ck_assert_int_eq(worker.heartbeat_ms, worker_back.heartbeat_ms);
	ck_assert_int_eq(worker.retry_ms, worker_back.retry_ms);
	ck_assert_uint_eq(worker.requests, worker_back.requests);
	ck_assert_uint_eq(worker.failures, worker_back.failures);
	ck_assert_uint_eq(worker.in_flight, worker_back.in_flight);
	ck_assert_uint_eq(worker.reconnects, worker_back.reconnects);
	ck_assert_uint_eq(worker.rejoins, worker_back.rejoins);
	ck_assert_int_eq(worker.breaker, worker_back.breaker);
	ck_assert_uint_eq(
	    worker.message_accepted, worker_back.message_accepted);
	ck_assert_uint_eq(worker.message_refused, worker_back.message_refused);
	ck_assert_int_eq(tokend.state, tokend_back.state);
	ck_assert_int_eq(tokend.source, tokend_back.source);
	ck_assert_int_eq(tokend.iat_s, tokend_back.iat_s);
	ck_assert_int_eq(tokend.exp_s, tokend_back.exp_s);
	ck_assert_int_eq(tokend.refresh_in_ms, tokend_back.refresh_in_ms);
	ck_assert_uint_eq(tokend.refreshes, tokend_back.refreshes);
	ck_assert_uint_eq(
	    tokend.refresh_failures, tokend_back.refresh_failures);
	ck_assert_uint_eq(tokend.rows, tokend_back.rows);
	ck_assert_uint_eq(tokend.unreadable, tokend_back.unreadable);
	ck_assert_uint_eq(tokend.set_aside, tokend_back.set_aside);
	ck_assert_int_eq(tokend.verified, tokend_back.verified);
	ck_assert_int_eq(tokend.unsaved, tokend_back.unsaved);
	ck_assert_str_eq(tokend.sub, tokend_back.sub);
	ck_assert_str_eq(tokend.refusal, tokend_back.refusal);
	ck_assert_int_eq(figures.exp_s, figures_back.exp_s);
	ck_assert_mem_eq(figures.refreshes, figures_back.refreshes,
	    sizeof(figures.refreshes));
	ck_assert_uint_eq(figures.unusable, figures_back.unusable);
	ck_assert_uint_eq(figures.refused, figures_back.refused);
	ck_assert_mem_eq(
	    figures.errors, figures_back.errors, sizeof(figures.errors));
	ck_assert_uint_eq(figures.rows, figures_back.rows);
	ck_assert_int_eq(figures.unsaved, figures_back.unsaved);
	ck_assert_int_eq(report.code, report_back.code);
	ck_assert_int_eq(report.stored, report_back.stored);
	ck_assert_int_eq(report.current, report_back.current);
	ck_assert_int_eq(report.moved, report_back.moved);
	ck_assert_int_eq(report.previous, report_back.previous);
	ck_assert_uint_eq(report.rows, report_back.rows);
	ck_assert_uint_eq(report.resealed, report_back.resealed);
	ck_assert_uint_eq(report.unreadable, report_back.unreadable);
	ck_assert_int_eq(report.exp_s, report_back.exp_s);
	ck_assert_str_eq(report.path_id, report_back.path_id);
	ck_assert_str_eq(report.jti, report_back.jti);
	ck_assert_str_eq(report.text, report_back.text);
	ck_assert_str_eq(tokend.path_id, tokend_back.path_id);
	ck_assert_str_eq(tokend.jti, tokend_back.jti);
	ck_assert_int_eq(supervisor.uptime_ms, supervisor_back.uptime_ms);
	ck_assert_uint_eq(supervisor.pid, supervisor_back.pid);
	ck_assert_uint_eq(supervisor.worker_pid, supervisor_back.worker_pid);
	ck_assert_uint_eq(supervisor.tokend_pid, supervisor_back.tokend_pid);
	ck_assert_uint_eq(supervisor.generation, supervisor_back.generation);
	ck_assert_uint_eq(
	    supervisor.worker_restarts, supervisor_back.worker_restarts);
	ck_assert_uint_eq(
	    supervisor.tokend_restarts, supervisor_back.tokend_restarts);
	ck_assert_int_eq(supervisor.root, supervisor_back.root);
	ck_assert_str_eq(supervisor.version, supervisor_back.version);
	ck_assert_str_eq(supervisor.config, supervisor_back.config);
	ck_assert_str_eq(supervisor.inspect, supervisor_back.inspect);
	ck_assert_int_eq(sandbox.process, sandbox_back.process);
	ck_assert_uint_eq(
	    sandbox_pack(&sandbox.level), sandbox_pack(&sandbox_back.level));
	ck_assert_uint_eq(sandbox.violations, sandbox_back.violations);
}

START_TEST(all_come_back_as_they_were)
{
	const struct codec *c;
	size_t i;
	int len;

	if (_i == 0)
		clear_all();
	else
		fill_all();
	for (i = 0; i < UTIL_COUNT(codecs); i++) {
		c = &codecs[i];
		len = c->encode();
		ck_assert_int_gt(len, 0);
		if (c->max != 0)
			ck_assert_uint_eq(
			    (uint32_t)len, _i == 0 ? c->min : c->max);
		ck_assert_int_eq(decode_copy(c, (size_t)len), 0);
	}
	assert_all_back();
}
END_TEST

START_TEST(cut_and_continued_payloads_are_refused)
{
	const struct codec *c = &codecs[_i];
	size_t len, whole;

	fill_all();
	whole = (size_t)c->encode();
	for (len = 0; len < whole; len += len < 200 ? 1 : 97)
		ck_assert_int_eq(decode_copy(c, len), -1);
	ck_assert_int_eq(decode_copy(c, whole - 1), -1);
	ck_assert_int_eq(decode_copy(c, whole), 0);
	space[whole] = 0;
	ck_assert_int_eq(decode_copy(c, whole + 1), -1);
}
END_TEST

/* One byte of the largest payload that makes it malformed; from_end counts
 * from behind its last. */
static const struct {
	int (*encode)(void);
	int (*decode)(const struct ipc_frame *);
	size_t at, from_end;
	uint8_t value;
} faults[] = {
    {encode_hello, decode_hello, 0, 0, PROTO_SUPERVISOR},
    {encode_hello, decode_hello, 0, 0, PROTO_CTL},
    {encode_hello, decode_hello, 0, 0, 0xff},
    {encode_hello, decode_hello, 0, 1, 0},
    {encode_text, decode_text, 4, 0, 0},
    {encode_token, decode_token, 0, 0, PROTO_TOKEN_STATES},
    {encode_token, decode_token, 0, 0, PROTO_TOKEN_NONE},
    {encode_token, decode_token, 0, 1, 0},
    {encode_token, decode_token, 13, 0, 0},
    {encode_refused, decode_refused, 0, 1, 0},
    {encode_put, decode_put, 0, 0, PROTO_REFRESHES},
    {encode_put, decode_put, 0, 0, PROTO_REFRESH_LOST},
    {encode_put, decode_put, 0, 1, 0},
    {encode_worker, decode_worker, 2, 0, PROTO_TUNNELS},
    {encode_worker, decode_worker, 3, 0, PROTO_REASONS},
    {encode_worker, decode_worker, 6, 0, 2},
    {encode_worker, decode_worker, 7, 0, 0xff},
    {encode_tokend, decode_tokend, 0, 0, PROTO_TOKEN_STATES},
    {encode_tokend, decode_tokend, 1, 0, PROTO_SOURCES},
    {encode_tokend, decode_tokend, 0, 1, 0},
    {encode_tokend, decode_tokend, 62, 0, 2},
    {encode_tokend, decode_tokend, 63, 0, 2},
    {encode_sandbox, decode_sandbox, 0, 0, SANDBOX_PROCESSES},
    {encode_sandbox, decode_sandbox, 1, 0, 0xff}, /* a mode that is none */
    {encode_sandbox, decode_sandbox, 4, 0, 1},	  /* bits nobody sets */
    {encode_figures, decode_figures, 0, 1, 2},
    {encode_report, decode_report, 1, 0, 2},
    {encode_report, decode_report, 0, 1, 0},
    {encode_supervisor, decode_supervisor, 32, 0, 2},
    {encode_supervisor, decode_supervisor, 0, 1, 0},
};

START_TEST(malformed_payloads_are_refused)
{
	struct codec c = {faults[_i].encode, faults[_i].decode, 0, 0};
	size_t len, at = faults[_i].at;

	fill_all();
	len = (size_t)c.encode();
	if (faults[_i].from_end > 0)
		at = len - faults[_i].from_end;
	ck_assert_int_eq(decode_copy(&c, len), 0);
	space[at] = faults[_i].value;
	ck_assert_int_eq(decode_copy(&c, len), -1);
}
END_TEST

START_TEST(strings_longer_than_their_field_are_refused)
{
	struct pack p;

	pack_init(&p, space, sizeof(space));
	pack_u32(&p, PROTO_TEXT_MAX);
	memset(space + 4, 'x', PROTO_TEXT_MAX);
	ck_assert_int_eq(decode_copy(&codecs[2], 4 + PROTO_TEXT_MAX), -1);
}
END_TEST

static void
assert_no_trace(const void *data, size_t len)
{
	const uint8_t *at = data;
	size_t i;

	for (i = 0; i < len; i++)
		ck_assert_uint_ne(at[i], 't');
}

START_TEST(a_refused_payload_leaves_no_token)
{
	size_t len;

	fill_all();
	len = (size_t)encode_token();
	space[len] = 0;
	ck_assert_int_eq(decode_copy(&codecs[3], len + 1), -1);
	assert_no_trace(&token_back, sizeof(token_back));
	len = (size_t)encode_put();
	space[len] = 0;
	ck_assert_int_eq(decode_copy(&codecs[5], len + 1), -1);
	assert_no_trace(&put_back, sizeof(put_back));
}
END_TEST

START_TEST(encoders_refuse_what_decoders_refuse)
{
	fill_all();
	ck_assert_int_eq(proto_put_hello(space, PROTO_SUPERVISOR), -1);
	ck_assert_int_eq(proto_put_hello(space, PROTO_CTL), -1);
	token.state = PROTO_TOKEN_NONE;
	ck_assert_int_eq(encode_token(), -1);
	token.state = PROTO_TOKEN_STATES;
	ck_assert_int_eq(encode_token(), -1);
	token.state = PROTO_TOKEN_VALID;
	ck_assert_int_gt(encode_token(), 0);
	token.token[0] = '\0';
	ck_assert_int_eq(encode_token(), -1);
	put.outcome = PROTO_REFRESH_LOST;
	ck_assert_int_eq(encode_put(), -1);
	put.outcome = PROTO_REFRESHES;
	ck_assert_int_eq(encode_put(), -1);
	put.outcome = PROTO_REFRESH_OK;
	put.token[0] = '\0';
	ck_assert_int_eq(encode_put(), -1);
	worker.tunnel = PROTO_TUNNELS;
	ck_assert_int_eq(encode_worker(), -1);
	worker.tunnel = PROTO_TUNNEL_JOINED;
	worker.last_reason = PROTO_REASONS;
	ck_assert_int_eq(encode_worker(), -1);
	tokend.state = PROTO_TOKEN_STATES;
	ck_assert_int_eq(encode_tokend(), -1);
	tokend.state = PROTO_TOKEN_VALID;
	tokend.source = PROTO_SOURCES;
	ck_assert_int_eq(encode_tokend(), -1);
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	char longer[PROTO_TEXT_MAX + 10];
	int len;

	fill(longer, sizeof(longer), 'x');
	len = proto_put_text(space, longer);
	ck_assert_int_eq(len, 4 + PROTO_TEXT_MAX - 1);
	ck_assert_int_eq(decode_copy(&codecs[2], (size_t)len), 0);
	ck_assert_uint_eq(strlen(text_back), PROTO_TEXT_MAX - 1);
}
END_TEST

static TCase *
policy_case(void)
{
	TCase *tc = tcase_create("policy");
	int n = (int)UTIL_COUNT(routes);

	tcase_add_loop_test(
	    tc, every_type_has_a_name_and_a_route, 1, PROTO_TYPES);
	tcase_add_loop_test(tc, only_the_routes_are_open, 0, PROTO_TYPES + 2);
	tcase_add_loop_test(tc, lengths_are_bounded, 0, n);
	tcase_add_loop_test(tc, descriptors_come_where_they_belong, 0, n);
	tcase_add_loop_test(tc, flags_are_refused, 0, n);
	tcase_add_loop_test(
	    tc, unknown_types_are_refused, 0, (int)UTIL_COUNT(no_types));
	return tc;
}

static TCase *
code_case(void)
{
	TCase *tc = tcase_create("encodings");

	tcase_add_loop_test(
	    tc, values_have_names_of_their_own, 0, (int)UTIL_COUNT(lists));
	tcase_add_test(tc, the_build_names_version_and_revision);
	tcase_add_loop_test(tc, all_come_back_as_they_were, 0, 2);
	tcase_add_loop_test(tc, cut_and_continued_payloads_are_refused, 0,
	    (int)UTIL_COUNT(codecs));
	tcase_add_loop_test(
	    tc, malformed_payloads_are_refused, 0, (int)UTIL_COUNT(faults));
	tcase_add_test(tc, strings_longer_than_their_field_are_refused);
	tcase_add_test(tc, a_refused_payload_leaves_no_token);
	tcase_add_test(tc, encoders_refuse_what_decoders_refuse);
	tcase_add_test(tc, a_long_text_is_cut);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("proto");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, policy_case());
	suite_add_tcase(suite, code_case());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
