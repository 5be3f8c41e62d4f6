/* SPDX-License-Identifier: MIT */
/* The conversation of tokend.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "metrics.h"
#include "peer.h"
#include "tokend.h"
#include "util.h"

struct tokend {
	struct event_base *base;
	struct metrics *metrics;
	const struct tokend_ops *ops;
	void *arg;
	struct peer *peer; /* NULL while it is being restarted */
	bool wanted;	   /* a token was asked for and has not come */
	bool end_expected;
	uint32_t last_id;
	uint32_t token_id;   /* the question under way, 0: none */
	uint32_t refresh_id; /* tokend's, 0: none under way */
	/* What a refresh brought, until tokend makes it known and has stored
	 * it: the server has put the one before out of use, and a tokend that
	 * dies before that has no other copy. */
	struct proto_put *held;
	bool held_known;
};

static bool
is_open(const struct tokend *t)
{
	return t->peer != NULL && peer_state(t->peer) == PROTO_RUNNING;
}

static void
let_go(struct tokend *t)
{
	if (t->held == NULL)
		return;
	explicit_bzero(t->held, sizeof(*t->held));
	free(t->held);
	t->held = NULL;
}

static void
hold(struct tokend *t, const char *token)
{
	let_go(t);
	t->held = calloc(1, sizeof(*t->held));
	if (t->held == NULL)
		return;
	t->held_known = false;
	t->held->outcome = PROTO_REFRESH_OK;
	(void)util_strlcpy(t->held->token, token, sizeof(t->held->token));
}

static void
send_put(struct tokend *t, const struct proto_put *put)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	peer_send_put(t->peer, PROTO_TOKEN_PUT, t->refresh_id, space,
	    proto_put_put(space, put));
	t->refresh_id = 0;
	explicit_bzero(space, sizeof(space));
}

static void
ask(struct tokend *t)
{
	if (!t->wanted || t->token_id != 0 || !is_open(t))
		return;
	t->token_id = ++t->last_id;
	peer_send_empty(t->peer, PROTO_TOKEN_GET, t->token_id);
}

void
tokend_ask(struct tokend *t)
{
	t->wanted = true;
	ask(t);
}

static void
take_token(struct tokend *t, const struct proto_token *token)
{
	t->token_id = 0;
	if (token->state == PROTO_TOKEN_NONE) {
		log_warnx("there is no token: waiting for one (telephonectl "
			  "token set)");
		return; /* it stays wanted: the next one is for us */
	}
	if (token->state == PROTO_TOKEN_REFUSED_ALL)
		log_warnx("plugboard refused every token: give a new one "
			  "(telephonectl token set); trying the best one "
			  "again, slowly");
	t->wanted = false;
	t->ops->on_token(token, t->arg);
}

static void
on_token(struct tokend *t, struct ipc_frame *frame)
{
	struct proto_token token;

	if (proto_get_token(frame, &token) == -1)
		fatalx("tokend sent a malformed TOKEN");
	if (frame->id != 0 && frame->id == t->token_id) {
		take_token(t, &token);
	} else if (frame->id == 0) {
		t->held_known = true; /* its figures tell whether it is safe */
		t->ops->on_news(t->arg);
		ask(t);
	}
	explicit_bzero(&token, sizeof(token));
}

static void
on_refresh_due(struct tokend *t, struct ipc_frame *frame)
{
	let_go(t); /* of no use to it */
	t->refresh_id = frame->id;
	t->ops->on_refresh_due(t->arg);
}

/* Rows of the figures that stand together in METRICS_TABLE, in the order of
 * their enumerations. */
static void
on_figures(struct tokend *t, struct ipc_frame *frame)
{
	struct proto_figures f;
	size_t i;

	if (proto_get_figures(frame, &f) == -1)
		fatalx("tokend sent malformed TOKEND_FIGURES");
	metrics_set(t->metrics, METRICS_TOKEN_EXPIRY, f.exp_s);
	for (i = 0; i < PROTO_REFRESHES; i++)
		metrics_set(t->metrics,
		    (enum metrics_id)(METRICS_REFRESHES_OK + i),
		    (int64_t)f.refreshes[i]);
	metrics_set(
	    t->metrics, METRICS_REFRESHES_UNUSABLE, (int64_t)f.unusable);
	metrics_set(t->metrics, METRICS_TOKENS_REFUSED, (int64_t)f.refused);
	for (i = 0; i < PROTO_STORE_ERRORS; i++)
		metrics_set(t->metrics,
		    (enum metrics_id)(METRICS_STORE_LOCKED + i),
		    (int64_t)f.errors[i]);
	metrics_set(t->metrics, METRICS_STORE_ROWS, (int64_t)f.rows);
	metrics_set(t->metrics, METRICS_TOKEN_UNSAVED, f.unsaved);
	if (t->held_known && !f.unsaved)
		let_go(t);
}

static void
on_hello(struct tokend *t, struct ipc_frame *frame)
{
	char build[PROTO_BUILD_MAX];
	enum proto_role role;

	if (proto_get_hello(frame, &role, build) == -1 ||
	    role != PROTO_TOKEND || strcmp(build, proto_build()) != 0)
		fatalx("tokend is not of this build");
	peer_set_state(t->peer, PROTO_RUNNING);
	if (t->held != NULL) {
		log_info("a refreshed token has waited for tokend");
		t->held_known = false; /* to this one */
		send_put(t, t->held);
	}
	ask(t);
}

static const struct {
	enum proto_type type;
	void (*handle)(struct tokend *, struct ipc_frame *);
} table[] = {
    {PROTO_HELLO, on_hello},
    {PROTO_TOKEN, on_token},
    {PROTO_REFRESH_DUE, on_refresh_due},
    {PROTO_TOKEND_FIGURES, on_figures},
};

static void
on_frame(struct peer *peer, struct ipc_frame *frame, void *arg)
{
	size_t i;

	(void)peer;
	for (i = 0; i < UTIL_COUNT(table); i++)
		if (table[i].type == frame->type)
			table[i].handle(arg, frame);
}

static void
disconnect(struct tokend *t)
{
	peer_free(t->peer);
	t->peer = NULL;
	t->token_id = 0;
	t->refresh_id = 0;
}

/* It is restarted by the supervisor, who sends a new pair; until then the
 * tunnel goes on with what it has. */
static void
on_end(struct peer *peer, enum peer_end end, void *arg)
{
	struct tokend *t = arg;

	(void)peer;
	if (end == PEER_BREACH)
		fatalx("tokend broke the protocol");
	if (!t->end_expected)
		log_warnx("tokend is gone: waiting for its successor");
	disconnect(t);
}

static const struct peer_ops peer_ops = {on_frame, on_end};

void
tokend_connect(struct tokend *t, int fd)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct peer_params params = {
	    .base = t->base,
	    .fd = fd,
	    .self = PROTO_WORKER,
	    .other = PROTO_TOKEND,
	    .ops = &peer_ops,
	    .arg = t,
	};

	disconnect(t);
	t->peer = peer_create(&params);
	peer_send_put(t->peer, PROTO_HELLO, 0, space,
	    proto_put_hello(space, PROTO_WORKER));
}

void
tokend_refused(struct tokend *t, uint16_t status, const char *jti)
{
	struct proto_refused refused = {.status = status};
	uint8_t space[IPC_PAYLOAD_MAX];

	if (!is_open(t))
		return; /* the next tokend finds out by itself */
	(void)util_strlcpy(refused.jti, jti, sizeof(refused.jti));
	peer_send_put(t->peer, PROTO_TOKEN_REFUSED, 0, space,
	    proto_put_refused(space, &refused));
}

void
tokend_put(struct tokend *t, enum proto_refresh outcome, const char *token)
{
	struct proto_put put = {.outcome = outcome};

	if (token != NULL)
		hold(t, token);
	/* Without a question of its own, a new token is told all the same. */
	if (!is_open(t) || (t->refresh_id == 0 && token == NULL))
		return;
	if (token != NULL)
		(void)util_strlcpy(put.token, token, sizeof(put.token));
	send_put(t, &put);
	explicit_bzero(&put, sizeof(put));
}

void
tokend_expect_end(struct tokend *t)
{
	t->end_expected = true;
}

struct tokend *
tokend_create(struct event_base *base, struct metrics *metrics,
    const struct tokend_ops *ops, void *arg)
{
	struct tokend *t = calloc(1, sizeof(*t));

	if (t == NULL)
		fatalx("out of memory");
	t->base = base;
	t->metrics = metrics;
	t->ops = ops;
	t->arg = arg;
	return t;
}

void
tokend_free(struct tokend *t)
{
	if (t == NULL)
		return;
	peer_free(t->peer);
	let_go(t);
	free(t);
}
