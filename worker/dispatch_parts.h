/* SPDX-License-Identifier: MIT */
/* What the files of dispatch.h share, and nobody else needs. */
#ifndef WORKER_DISPATCH_PARTS_H
#define WORKER_DISPATCH_PARTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf.h"
#include "ceiling.h"
#include "dispatch.h"
#include "events.h"
#include "inspect.h"
#include "ledger.h"
#include "metrics.h"
#include "ready.h"
#include "tunnels.h"

struct dispatch {
	struct dispatch_params params;
	struct peer *supervisor;
	struct tokend *tokend;
	struct conf conf;
	struct metrics metrics;
	struct ledger ledger;
	int listener;
	pid_t parent;
	bool was_root;
	struct resolve *resolve;
	struct tls *backend_tls;
	struct backend *backend;
	struct tls *trace_tls; /* NULL: tracing is off */
	struct trace *trace;   /* the same */
	struct rules *rules;
	struct proxy *proxy;
	struct spool *spool;
	struct wsproxy *wsproxy;
	struct tunnels *tunnels;
	struct events events;
	struct ceiling ceiling;
	char inspect_token[PROTO_INSPECT_LEN + 1]; /* "": there is no page */
	struct inspect inspect;
	struct health *health;
	struct probe *probe;
	struct drain *drain;
	struct watchers *watchers;
	bool stopping;
	int64_t born_ms;
	int exit_code;
};

/* What the parts report, for dispatch_make. */
extern const struct tunnels_ops dispatch_tunnels_ops;
void dispatch_on_idle(void *arg);
bool dispatch_on_close(void *arg);
void dispatch_on_drained(void *arg);
void dispatch_on_probed(void *arg);

/* For the health listener, and for status. */
void dispatch_facts(struct ready_facts *, void *arg);

/* The configuration is complete: drops the privileges, then makes all parts,
 * which have what they need of the system before the sandbox. */
void dispatch_make(struct dispatch *);

/* The listener, if there is one, is answered from now on. */
void dispatch_make_health(struct dispatch *);

#endif
