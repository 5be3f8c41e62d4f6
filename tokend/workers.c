/* SPDX-License-Identifier: MIT */
/* The answers of workers.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "log.h"
#include "peer.h"
#include "secret.h"
#include "util.h"
#include "workers.h"

#define WORKERS_MAX 8

struct worker {
	struct peer *peer;
	unsigned id; /* never used again: what it said is known by it */
};

struct workers {
	struct event_base *base;
	struct keeper *keeper;
	struct refresh *refresh;
	struct worker worker[WORKERS_MAX]; /* the newest last */
	unsigned count, last_id;
	struct peer *asked; /* the one that refreshes */
	bool open;
	int early[WORKERS_MAX]; /* conversations that came before that */
	unsigned early_count;
};

static void
send_token(struct workers *w, struct peer *worker, uint32_t id)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct proto_token *out = secret_alloc(sizeof(*out));
	struct token *best;

	best = keeper_offer(w->keeper, &out->state);
	if (best != NULL) {
		out->exp_s = best->claims.exp_s;
		(void)util_strlcpy(
		    out->path_id, best->claims.path_id, sizeof(out->path_id));
		(void)util_strlcpy(
		    out->jti, best->claims.jti, sizeof(out->jti));
		(void)util_strlcpy(out->token, best->text, sizeof(out->token));
	}
	peer_send_put(
	    worker, PROTO_TOKEN, id, space, proto_put_token(space, out));
	explicit_bzero(space, sizeof(space));
	secret_free(out, sizeof(*out));
}

static void
on_token_get(struct workers *w, struct peer *p, struct ipc_frame *frame)
{
	send_token(w, p, frame->id);
}

void
workers_news(struct workers *w)
{
	unsigned i;

	for (i = 0; i < w->count; i++)
		if (peer_state(w->worker[i].peer) == PROTO_RUNNING)
			send_token(w, w->worker[i].peer, 0);
	workers_figures(w);
}

static void
send_figures(struct workers *w, struct peer *worker)
{
	const struct refresh_counts *counts = refresh_counts(w->refresh);
	const struct keeper *k = w->keeper;
	uint8_t space[IPC_PAYLOAD_MAX];
	struct proto_figures f;
	enum proto_token_state state;
	const struct token *best = keeper_best(k, &state);
	int64_t rows = k->store == NULL ? 0 : store_count(k->store);

	memset(&f, 0, sizeof(f));
	f.exp_s = best == NULL ? 0 : best->claims.exp_s;
	memcpy(f.refreshes, counts->outcome, sizeof(f.refreshes));
	f.unusable = counts->unusable;
	f.refused = k->refused;
	memcpy(f.errors, k->errors, sizeof(f.errors));
	f.rows = rows > 0 ? (uint64_t)rows : 0;
	f.unsaved = k->unsaved;
	peer_send_put(worker, PROTO_TOKEND_FIGURES, 0, space,
	    proto_put_figures(space, &f));
}

void
workers_figures(struct workers *w)
{
	unsigned i;

	for (i = 0; i < w->count; i++)
		if (peer_state(w->worker[i].peer) == PROTO_RUNNING)
			send_figures(w, w->worker[i].peer);
}

static void end_worker(struct workers *, struct peer *, const char *why);

/* Its place, or count. */
static unsigned
find_worker(const struct workers *w, const struct peer *p)
{
	unsigned i;

	for (i = 0; i < w->count && w->worker[i].peer != p; i++)
		;
	return i;
}

static unsigned
id_of(const struct workers *w, const struct peer *p)
{
	unsigned i = find_worker(w, p);

	return i < w->count ? w->worker[i].id : 0;
}

/* Asked about a token that is no longer the current one, the next TOKEN_GET
 * is answer enough. */
static void
on_token_refused(struct workers *w, struct peer *p, struct ipc_frame *frame)
{
	struct proto_refused refused;

	if (proto_get_refused(frame, &refused) == -1) {
		end_worker(w, p, "a malformed TOKEN_REFUSED");
		return;
	}
	if (!keeper_refuse(w->keeper, &refused, id_of(w, p)))
		return;
	refresh_plan(w->refresh);
	workers_figures(w);
}

static void
on_token_put(struct workers *w, struct peer *p, struct ipc_frame *frame)
{
	struct proto_put *put = secret_alloc(sizeof(*put));
	/* 0: it has waited for this tokend, and is no answer. */
	bool asked = p == w->asked && frame->id != 0;

	if (proto_get_put(frame, put) == -1) {
		secret_free(put, sizeof(*put));
		end_worker(w, p, "a malformed TOKEN_PUT");
		return;
	}
	if (asked)
		w->asked = NULL;
	(void)refresh_put(w->refresh, id_of(w, p), asked ? frame->id : 0, put);
	secret_free(put, sizeof(*put));
	workers_figures(w);
}

static void
on_worker_hello(struct workers *w, struct peer *p, struct ipc_frame *frame)
{
	char build[PROTO_BUILD_MAX];
	enum proto_role role;

	if (proto_get_hello(frame, &role, build) == -1 ||
	    role != PROTO_WORKER || strcmp(build, proto_build()) != 0) {
		end_worker(w, p, "the HELLO of another build");
		return;
	}
	peer_set_state(p, PROTO_RUNNING);
	send_figures(w, p);
	refresh_plan(w->refresh);
}

static const struct {
	enum proto_type type;
	void (*handle)(struct workers *, struct peer *, struct ipc_frame *);
} worker_table[] = {
    {PROTO_HELLO, on_worker_hello},
    {PROTO_TOKEN_GET, on_token_get},
    {PROTO_TOKEN_REFUSED, on_token_refused},
    {PROTO_TOKEN_PUT, on_token_put},
};

static void
on_worker_frame(struct peer *p, struct ipc_frame *frame, void *arg)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(worker_table); i++)
		if (worker_table[i].type == frame->type)
			worker_table[i].handle(arg, p, frame);
}

static void
remove_worker(struct workers *w, struct peer *p)
{
	unsigned i = find_worker(w, p);

	if (i == w->count)
		return;
	memmove(&w->worker[i], &w->worker[i + 1],
	    (w->count - i - 1) * sizeof(w->worker[0]));
	w->count--;
	peer_free(p);
}

static void
forget_worker(struct workers *w, struct peer *p)
{
	bool asked = p == w->asked;
	unsigned id = id_of(w, p);

	remove_worker(w, p);
	if (asked) {
		w->asked = NULL;
		refresh_lost(w->refresh);
	}
	if (keeper_unsay(w->keeper, id)) {
		refresh_plan(w->refresh);
		workers_news(w);
	}
}

/* A worker that breaks the protocol loses its conversation; the supervisor
 * sees to the rest. tokend itself must survive it: the worker reads what
 * outsiders wrote. */
static void
on_worker_end(struct peer *p, enum peer_end end, void *arg)
{
	if (end != PEER_EOF)
		log_warnx("the conversation with a worker is over");
	forget_worker(arg, p);
}

static void
end_worker(struct workers *w, struct peer *p, const char *why)
{
	log_warnx("worker sent %s: the conversation is over", why);
	forget_worker(w, p);
}

static const struct peer_ops worker_ops = {on_worker_frame, on_worker_end};

static void
add_worker(struct workers *w, int fd)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct peer_params params = {
	    .base = w->base,
	    .fd = fd,
	    .self = PROTO_TOKEND,
	    .other = PROTO_WORKER,
	    .ops = &worker_ops,
	    .arg = w,
	};
	struct peer *p;

	if (w->count == WORKERS_MAX)
		forget_worker(w, w->worker[0].peer);
	p = peer_create(&params);
	w->worker[w->count++] = (struct worker){p, ++w->last_id};
	peer_send_put(
	    p, PROTO_HELLO, 0, space, proto_put_hello(space, PROTO_TOKEND));
}

void
workers_add(struct workers *w, int fd)
{
	if (w->open)
		add_worker(w, fd);
	else if (w->early_count < WORKERS_MAX)
		w->early[w->early_count++] = fd;
	else
		(void)close(fd);
}

void
workers_open(struct workers *w)
{
	unsigned i;

	w->open = true;
	for (i = 0; i < w->early_count; i++)
		add_worker(w, w->early[i]);
	w->early_count = 0;
}

bool
workers_ask(struct workers *w, uint32_t id)
{
	unsigned i;

	for (i = w->count; i > 0; i--) {
		if (peer_state(w->worker[i - 1].peer) != PROTO_RUNNING)
			continue;
		w->asked = w->worker[i - 1].peer;
		peer_send_empty(w->asked, PROTO_REFRESH_DUE, id);
		return true;
	}
	return false;
}

struct workers *
workers_create(
    struct event_base *base, struct keeper *keeper, struct refresh *refresh)
{
	struct workers *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatalx("out of memory");
	w->base = base;
	w->keeper = keeper;
	w->refresh = refresh;
	return w;
}

void
workers_free(struct workers *w)
{
	if (w == NULL)
		return;
	while (w->count > 0)
		remove_worker(w, w->worker[0].peer);
	while (w->early_count > 0)
		(void)close(w->early[--w->early_count]);
	free(w);
}
