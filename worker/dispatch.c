/* SPDX-License-Identifier: MIT */
/*
 * Birth: HELLO → CONF…, FD… → CONF_END: apply → CONF_ACK → drop → helper →
 * sandbox → READY → the tunnel starts. Death: STOP: drain → leave → exit;
 * EOF on the channel: exit at once.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "dispatch_parts.h"
#include "backend.h"
#include "certs.h"
#include "drain.h"
#include "health.h"
#include "log.h"
#include "loop.h"
#include "otel.h"
#include "peer.h"
#include "probe.h"
#include "proxy.h"
#include "resolve.h"
#include "rules.h"
#include "sandbox.h"
#include "spool.h"
#include "tls.h"
#include "tokend.h"
#include "trace.h"
#include "util.h"
#include "walls.h"
#include "watchers.h"
#include "wsproxy.h"

static void
leave(struct dispatch *d, int code)
{
	d->exit_code = code;
	loop_stop(d->params.loop);
}

/* --- tokend --------------------------------------------------------------- */

static void
on_token(const struct proto_token *token, void *arg)
{
	struct dispatch *d = arg;

	tunnels_token(d->tunnels, token);
}

static void
on_news(void *arg)
{
	struct dispatch *d = arg;

	if (d->tunnels != NULL)
		tunnels_news(d->tunnels);
}

static void
on_refresh_due(void *arg)
{
	struct dispatch *d = arg;

	if (d->tunnels != NULL)
		tunnels_refresh(d->tunnels);
}

static const struct tokend_ops tokend_ops = {
    on_token,
    on_news,
    on_refresh_due,
};

/* --- the tunnel ----------------------------------------------------------- */

static void
on_need_token(void *arg)
{
	struct dispatch *d = arg;

	tokend_ask(d->tokend);
}

static void
on_token_refused(uint16_t status, const char *jti, void *arg)
{
	struct dispatch *d = arg;

	tokend_refused(d->tokend, status, jti);
}

static void
on_joined(void *arg)
{
	struct dispatch *d = arg;

	/* Another one may be waiting for that to leave, and whoever asks
	 * /readyz would hear that nothing is known of the backend. */
	if (probe_result(d->probe) != READY_BACKEND_UNKNOWN)
		peer_send_empty(d->supervisor, PROTO_JOINED, 0);
}

void
dispatch_on_probed(void *arg)
{
	struct dispatch *d = arg;
	struct ready_facts facts;

	dispatch_facts(&facts, d);
	if (facts.joined)
		peer_send_empty(d->supervisor, PROTO_JOINED, 0);
}

static void
on_lost(struct tunnel *tunnel, void *arg)
{
	struct dispatch *d = arg;

	proxy_lost(d->proxy, tunnel);
	wsproxy_lost(d->wsproxy, tunnel);
}

static void
on_refresh(enum proto_refresh outcome, const char *token, void *arg)
{
	struct dispatch *d = arg;

	tokend_put(d->tokend, outcome, token);
}

static void
on_flushed(void *arg)
{
	struct dispatch *d = arg;

	leave(d, d->exit_code);
}

/* When the last spans have left, too. */
static void
leave_flushed(struct dispatch *d, int code)
{
	d->exit_code = code;
	if (!trace_flush(d->trace, on_flushed, d))
		leave(d, code);
}

static void
on_left(void *arg)
{
	struct dispatch *d = arg;

	drain_bereft(d->drain);
	leave_flushed(d, EX_OK);
}

static void
on_given_up(void *arg)
{
	log_warnx("giving up: MAX_RETRIES attempts in a row have failed");
	leave_flushed(arg, EX_UNAVAILABLE);
}

const struct tunnels_ops dispatch_tunnels_ops = {
    .on_need_token = on_need_token,
    .on_token_refused = on_token_refused,
    .on_joined = on_joined,
    .on_lost = on_lost,
    .on_refresh = on_refresh,
    .on_left = on_left,
    .on_given_up = on_given_up,
};

/* --- drain ---------------------------------------------------------------- */

static void
on_ws_drained(void *arg)
{
	struct dispatch *d = arg;

	drain_closed(d->drain);
}

bool
dispatch_on_close(void *arg)
{
	struct dispatch *d = arg;

	return wsproxy_drain(d->wsproxy, on_ws_drained, d);
}

void
dispatch_on_drained(void *arg)
{
	struct dispatch *d = arg;

	tunnels_leave(d->tunnels);
}

void
dispatch_on_idle(void *arg)
{
	struct dispatch *d = arg;

	if (d->drain != NULL)
		drain_check(d->drain);
}

static void
on_stop(struct dispatch *d, struct ipc_frame *frame)
{
	uint8_t why;

	if (proto_get_u8(frame, &why) == -1 || why >= PROTO_STOPS)
		fatalx("the supervisor sent a malformed STOP");
	if (d->stopping)
		return;
	d->stopping = true;
	tokend_expect_end(d->tokend);
	if (d->tunnels == NULL) { /* not yet born */
		leave(d, EX_OK);
		return;
	}
	if (why == PROTO_STOP_REPLACED) /* the successor answers there */
		health_retire(d->health);
	watchers_drain(d->watchers);
	tunnels_drain(d->tunnels);
	drain_start(d->drain);
}

/* --- birth ---------------------------------------------------------------- */

static void
on_conf(struct dispatch *d, struct ipc_frame *frame)
{
	if (conf_get(frame, &d->conf, CONF_TO_WORKER) == -1)
		fatalx("the supervisor sent a malformed CONF");
}

static void
on_fd(struct dispatch *d, struct ipc_frame *frame)
{
	uint8_t kind;

	if (proto_get_u8(frame, &kind) == -1)
		fatalx("the supervisor sent a malformed FD");
	if (kind == PROTO_FD_LISTENER && d->listener == -1 && d->health == NULL)
		d->listener = frame->fd;
	else if (kind == PROTO_FD_PEER)
		tokend_connect(d->tokend, frame->fd);
	else
		fatalx("the supervisor sent a descriptor that is not for a "
		       "worker");
	frame->fd = -1;
	if (d->tunnels != NULL) /* born: it takes over from another */
		dispatch_make_health(d);
}

static void
on_inspect(struct dispatch *d, struct ipc_frame *frame)
{
	if (proto_get_inspect(frame, d->inspect_token) == -1)
		fatalx("the supervisor sent a malformed INSPECT");
}

static void
on_conf_end(struct dispatch *d, struct ipc_frame *frame)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	int code;

	(void)frame;
	log_set_level((enum log_level)conf_num(&d->conf, CONF_LOG_LEVEL));
	log_set_format((enum log_format)conf_num(&d->conf, CONF_LOG_FORMAT));
	if (otel_is_on(&d->conf) && (d->trace_tls = tls_create()) == NULL)
		fatalx("OpenSSL cannot be set up");
	code = certs_load(
		   &d->conf, d->params.tls, d->backend_tls, d->trace_tls) == 0
	    ? EX_OK
	    : EX_CONFIG;
	peer_send_put(d->supervisor, PROTO_CONF_ACK, 0, space,
	    proto_put_u8(space, (uint8_t)code));
	if (code != EX_OK) {
		peer_flush(d->supervisor);
		leave(d, code);
		return;
	}
	dispatch_make(d);
	sandbox_enter(&d->conf);
	walls_report(d->supervisor);
	peer_send_empty(d->supervisor, PROTO_READY, 0);
	peer_set_state(d->supervisor, PROTO_RUNNING);
	tunnels_start(d->tunnels);
}

/* --- the supervisor ------------------------------------------------------- */

static void
on_log_level(struct dispatch *d, struct ipc_frame *frame)
{
	struct proto_log log;

	(void)d;
	if (proto_get_log(frame, &log) == -1)
		fatalx("the supervisor sent a malformed LOG_LEVEL");
	log_set_level(log.level);
	log_set_journal(log.journal);
}

static void
on_reconnect(struct dispatch *d, struct ipc_frame *frame)
{
	(void)frame;
	log_info("asked to reconnect");
	tunnels_reconnect(d->tunnels);
}

static void
count_limits(const struct dispatch *d, struct proto_worker_status *s)
{
	const struct metrics *m = &d->metrics;

	s->in_flight_max = (uint64_t)conf_num(&d->conf, CONF_MAX_INFLIGHT);
	s->waiting = (uint64_t)metrics_get(m, METRICS_WAITING);
	s->sessions = (uint64_t)metrics_get(m, METRICS_WS_SESSIONS);
	s->over_limits = (uint64_t)metrics_sum(
	    m, METRICS_CLIENTS_REFUSED, METRICS_RATE_SHARED);
}

static void
on_status(struct dispatch *d, struct ipc_frame *frame)
{
	struct proto_worker_status s;
	uint8_t space[IPC_PAYLOAD_MAX];
	struct ready_facts facts;
	const char *why;

	resolve_poll(d->resolve); /* as we are asked ourselves */
	walls_report(d->supervisor);
	memset(&s, 0, sizeof(s));
	tunnels_status(d->tunnels, &s);
	dispatch_facts(&facts, d);
	why = ready_not(&facts);
	s.ready = why == NULL;
	if (why != NULL)
		(void)util_strlcpy(s.not_ready, why, sizeof(s.not_ready));
	s.backend = (enum proto_health)facts.backend;
	count_limits(d, &s);
	s.draining = d->stopping;
	proxy_status(d->proxy, &s);
	trace_status(d->trace, &s);
	s.message_accepted = d->ceiling.accepted;
	s.message_refused = d->ceiling.refused;
	peer_send_put(d->supervisor, PROTO_WORKER_STATUS, frame->id, space,
	    proto_put_worker_status(space, &s));
}

static void
on_walls(struct dispatch *d, struct ipc_frame *frame)
{
	walls_take(frame, &d->metrics);
}

static void
on_watcher(struct dispatch *d, struct ipc_frame *frame)
{
	watchers_add(d->watchers, frame->fd);
	frame->fd = -1;
}

static const struct {
	enum proto_type type;
	void (*handle)(struct dispatch *, struct ipc_frame *);
} supervisor_table[] = {
    {PROTO_CONF, on_conf},
    {PROTO_FD, on_fd},
    {PROTO_INSPECT, on_inspect},
    {PROTO_CONF_END, on_conf_end},
    {PROTO_STOP, on_stop},
    {PROTO_LOG_LEVEL, on_log_level},
    {PROTO_RECONNECT, on_reconnect},
    {PROTO_STATUS, on_status},
    {PROTO_SANDBOX, on_walls},
    {PROTO_WATCHER, on_watcher},
};

static void
on_supervisor_frame(struct peer *peer, struct ipc_frame *frame, void *arg)
{
	size_t i;

	(void)peer;
	for (i = 0; i < UTIL_COUNT(supervisor_table); i++)
		if (supervisor_table[i].type == frame->type)
			supervisor_table[i].handle(arg, frame);
}

/* Without a supervisor there is nothing to live for. */
static void
on_supervisor_end(struct peer *peer, enum peer_end end, void *arg)
{
	(void)peer;
	leave(arg, end == PEER_EOF ? EX_OK : EX_SOFTWARE);
}

static const struct peer_ops supervisor_ops = {
    on_supervisor_frame, on_supervisor_end};

struct dispatch *
dispatch_create(const struct dispatch_params *params)
{
	struct dispatch *d = calloc(1, sizeof(*d));
	struct peer_params peer = {
	    .base = loop_base(params->loop),
	    .fd = params->fd,
	    .self = PROTO_WORKER,
	    .other = PROTO_SUPERVISOR,
	    .ops = &supervisor_ops,
	};
	uint8_t space[IPC_PAYLOAD_MAX];

	if (d == NULL)
		fatalx("out of memory");
	d->params = *params;
	d->listener = -1;
	d->parent = getppid();
	conf_init(&d->conf);
	metrics_init(&d->metrics);
	metrics_set(&d->metrics, METRICS_START_TIME, util_wall_ms() / 1000);
	d->born_ms = util_mono_ms();
	d->backend_tls = tls_create();
	if (d->backend_tls == NULL)
		fatalx("OpenSSL cannot be set up");
	d->tokend = tokend_create(peer.base, &d->metrics, &tokend_ops, d);
	peer.arg = d;
	d->supervisor = peer_create(&peer);
	peer_send_put(d->supervisor, PROTO_HELLO, 0, space,
	    proto_put_hello(space, PROTO_WORKER));
	peer_set_state(d->supervisor, PROTO_SETUP);
	return d;
}

void
dispatch_free(struct dispatch *d)
{
	health_free(d->health);
	drain_free(d->drain);
	d->drain = NULL;	  /* the answers that end now ask for it */
	tunnels_free(d->tunnels); /* ends the answers that it still holds */
	wsproxy_free(d->wsproxy); /* what it holds is counted there: */
	proxy_free(d->proxy);
	watchers_free(d->watchers); /* what has ended is shown there */
	spool_free(d->spool);
	rules_free(d->rules);
	probe_free(d->probe);
	backend_free(d->backend);
	trace_free(d->trace);
	tls_free(d->backend_tls);
	tls_free(d->trace_tls);
	resolve_free(d->resolve);
	tokend_free(d->tokend);
	peer_free(d->supervisor);
	util_close(&d->listener);
	conf_clear(&d->conf);
	free(d);
}

int
dispatch_exit_code(const struct dispatch *d)
{
	return d->exit_code;
}
