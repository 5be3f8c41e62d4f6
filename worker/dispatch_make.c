/* SPDX-License-Identifier: MIT */
/* The birth of the parts, in the order in which they need each other. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "dispatch_parts.h"
#include "backend.h"
#include "drain.h"
#include "figures.h"
#include "health.h"
#include "log.h"
#include "lookup.h"
#include "loop.h"
#include "otel.h"
#include "peer.h"
#include "priv.h"
#include "probe.h"
#include "proxy.h"
#include "resolve.h"
#include "rules.h"
#include "sandbox.h"
#include "spool.h"
#include "trace.h"
#include "util.h"
#include "walls.h"
#include "watchers.h"
#include "wsproxy.h"

static void
on_helper_lost(const char *why, void *arg)
{
	struct dispatch *d = arg;

	walls_report(d->supervisor); /* that may have been its end */
	peer_flush(d->supervisor);
	log_exit(EX_SOFTWARE, "the look-up helper %s", why);
}

static void
drop(struct dispatch *d)
{
	struct priv_user user;
	const char *name = conf_text(&d->conf, CONF_WORKER_USER);

	d->was_root = priv_is_root();
	if (d->was_root) {
		if (priv_lookup(&user, name) == -1)
			log_exit(EX_CONFIG,
			    "there is no user %s any more: make it, or name "
			    "another in WORKER_USER",
			    name);
		priv_drop(&user);
	}
	priv_die_with_parent(d->parent);
}

static void
make_resolve(struct dispatch *d)
{
	struct lookup_params params = {
	    .argv0 = d->params.argv0,
	    .mode = (enum sandbox_mode)conf_num(&d->conf, CONF_SANDBOX),
	    .own_user = d->was_root,
	};
	int fd;

	(void)sandbox_shared(SANDBOX_LOOKUP, NULL); /* from here on */
	fd = lookup_fork(&params);
	if (fd == -1)
		fatal("the look-up helper cannot be started");
	d->resolve =
	    resolve_create(loop_base(d->params.loop), fd, on_helper_lost, d);
}

static void
make_backend(struct dispatch *d)
{
	struct backend_params params = {
	    .base = loop_base(d->params.loop),
	    .resolve = d->resolve,
	    .tls = d->backend_tls,
	};

	backend_configure(&params, &d->conf);
	d->backend = backend_create(&params);
}

static void
make_trace(struct dispatch *d)
{
	const struct trace_params params = {
	    .base = loop_base(d->params.loop),
	    .resolve = d->resolve,
	    .tls = d->trace_tls,
	    .metrics = &d->metrics,
	    .conf = &d->conf,
	};

	if (!otel_is_on(&d->conf))
		return;
	d->trace = trace_create(&params);
	if (d->trace == NULL)
		fatalx("out of memory");
}

/* After the drop: its directory must be the worker's to write. */
static void
make_spool(struct dispatch *d)
{
	const char *dir = conf_text(&d->conf, CONF_SPOOL_DIR);

	d->spool =
	    spool_create(dir, (uint64_t)conf_num(&d->conf, CONF_SPOOL_MAX));
	if (d->spool == NULL)
		log_exit(EX_CONFIG,
		    "SPOOL_DIR: no file can be made in %s: %s; give a "
		    "directory that the worker may write to",
		    dir, strerror(errno));
}

static void
make_proxy(struct dispatch *d)
{
	struct proxy_params params = {
	    .base = loop_base(d->params.loop),
	    .backend = d->backend,
	    .metrics = &d->metrics,
	    .ledger = &d->ledger,
	    .trace = d->trace,
	    .spool = d->spool,
	    .rules = d->rules,
	    .ceiling = &d->ceiling,
	    .on_idle = dispatch_on_idle,
	    .arg = d,
	};

	ceiling_init(&d->ceiling,
	    (uint64_t)conf_num(&d->conf, CONF_TUNNEL_MESSAGE_MAX),
	    conf_num(&d->conf, CONF_TUNNEL_MESSAGE_RETRY));
	proxy_configure(&params, &d->conf);
	d->proxy = proxy_create(&params);
}

static void
make_wsproxy(struct dispatch *d)
{
	struct wsproxy_params params = {
	    .base = loop_base(d->params.loop),
	    .resolve = d->resolve,
	    .tls = d->backend_tls,
	    .metrics = &d->metrics,
	    .ledger = &d->ledger,
	    .trace = d->trace,
	    .ceiling = &d->ceiling,
	    .clients = proxy_clients(d->proxy),
	    .memory = proxy_memory(d->proxy),
	};

	wsproxy_configure(&params, &d->conf);
	d->wsproxy = wsproxy_create(&params);
}

static void
make_tunnels(struct dispatch *d)
{
	struct tunnels_params params = {
	    .loop = d->params.loop,
	    .resolve = d->resolve,
	    .tls = d->params.tls,
	    .metrics = &d->metrics,
	    .ceiling = &d->ceiling,
	    .conf = &d->conf,
	    .events_arg = &d->events,
	    .ops = &dispatch_tunnels_ops,
	    .arg = d,
	};

	d->events.proxy = d->proxy;
	d->events.wsproxy = d->wsproxy;
	params.events = events_table(&params.event_count);
	d->tunnels = tunnels_create(&params);
}

static void
make_drain(struct dispatch *d)
{
	struct drain_params params = {
	    .base = loop_base(d->params.loop),
	    .proxy = d->proxy,
	    .timeout_ms = conf_num(&d->conf, CONF_SHUTDOWN_TIMEOUT),
	    .on_close = dispatch_on_close,
	    .on_over = dispatch_on_drained,
	    .arg = d,
	};

	d->drain = drain_create(&params);
}

/* A heartbeat that is later than that is one that the tunnel has given up, or
 * is about to. */
#define HEARTBEAT_SLACK_MS 5000

void
dispatch_facts(struct ready_facts *f, void *arg)
{
	const struct dispatch *d = arg;
	struct proto_worker_status s;

	memset(&s, 0, sizeof(s));
	tunnels_status(d->tunnels, &s);
	memset(f, 0, sizeof(*f));
	f->draining = d->stopping;
	f->joined = s.tunnel == PROTO_TUNNEL_JOINED;
	f->token_expiry_s = metrics_get(&d->metrics, METRICS_TOKEN_EXPIRY);
	f->joined_ms = s.joined_ms;
	f->heartbeat_ms = s.heartbeat_ms;
	f->heartbeat_max_ms = conf_num(&d->conf, CONF_HEARTBEAT_INTERVAL) +
	    conf_num(&d->conf, CONF_HEARTBEAT_TIMEOUT) + HEARTBEAT_SLACK_MS;
	f->backend = probe_result(d->probe);
	f->wall_s = util_wall_ms() / 1000;
	f->uptime_ms = util_mono_ms() - d->born_ms;
}

static void
on_look(void *arg)
{
	struct dispatch *d = arg;

	figures_take(&d->metrics, d->tunnels);
}

static void
on_inspect(struct inspect_facts *f, void *arg)
{
	struct dispatch *d = arg;

	dispatch_facts(&f->ready, d);
	f->conf = &d->conf;
	f->metrics = &d->metrics;
	f->tunnels = tunnels_each(d->tunnels, f->tunnel);
	f->resident = figures_resident();
}

static void
make_inspect(struct dispatch *d)
{
	struct inspect_params params = {
	    .token = d->inspect_token,
	    .any_host = conf_num(&d->conf, CONF_INSPECT) == CONF_INSPECT_ANY,
	    .ledger = &d->ledger,
	    .facts = on_inspect,
	    .arg = d,
	};

	inspect_init(&d->inspect, &params);
}

void
dispatch_make_health(struct dispatch *d)
{
	struct health_params params = {
	    .base = loop_base(d->params.loop),
	    .fd = d->listener,
	    .metrics = &d->metrics,
	    .inspect = &d->inspect,
	    .facts = dispatch_facts,
	    .look = on_look,
	    .arg = d,
	};

	if (d->listener == -1)
		return;
	d->listener = -1;
	make_inspect(d);
	d->health = health_create(&params);
	if (d->health == NULL)
		fatalx("the health listener cannot be set up");
}

void
dispatch_make(struct dispatch *d)
{
	struct probe_params probe = {
	    .base = loop_base(d->params.loop),
	    .conf = &d->conf,
	    .on_known = dispatch_on_probed,
	    .arg = d,
	};

	ledger_init(&d->ledger, &d->metrics,
	    (unsigned)conf_num(&d->conf, CONF_LOG_SAMPLE));
	drop(d);
	make_resolve(d);
	figures_open(); /* not before: the helper has no use for it */
	make_backend(d);
	make_trace(d);
	probe.backend = d->backend;
	make_spool(d);
	d->rules = rules_create(&d->conf);
	make_proxy(d);
	make_wsproxy(d);
	make_tunnels(d);
	make_drain(d);
	d->probe = probe_create(&probe);
	if (d->resolve == NULL || d->backend == NULL || d->rules == NULL ||
	    d->proxy == NULL || d->wsproxy == NULL || d->tunnels == NULL ||
	    d->drain == NULL || d->probe == NULL)
		fatalx("out of memory");
	dispatch_make_health(d);
	d->watchers =
	    watchers_create(loop_base(d->params.loop), &d->ledger, &d->metrics);
}
