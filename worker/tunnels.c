/* SPDX-License-Identifier: MIT */
/* A lane is one tunnel and what it needs of the set it belongs to. */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "conf.h"
#include "loop.h"
#include "timer.h"
#include "tunnels.h"
#include "util.h"

/* One dials this much after another: a server that starts anew, or a token that
 * all of them have waited for, should not bring them in one moment. */
#define APART_MS 500

struct lane {
	struct tunnels *set;
	struct tunnel *tunnel;
	uint64_t waits;	    /* its place among those that wait, 0: none */
	int64_t dialled_ms; /* by util_mono_ms, 0: never */
	struct channel_event events[TUNNELS_EVENTS_MAX];
	struct lane_event {
		struct lane *lane;
		const struct tunnels_event *event;
	} event_args[TUNNELS_EVENTS_MAX];
	bool asked; /* in this round of a refresh */
	bool left;
};

struct tunnels {
	struct tunnels_params params;
	struct lane lane[TUNNELS_MAX];
	unsigned count;
	uint64_t places;     /* that were given out, to lanes that wait */
	struct event *turn;  /* of the first of them */
	bool refreshing;     /* from tunnels_refresh to on_refresh */
	bool need_token;     /* held back while refreshing */
	struct lane *asking; /* by which the refresh goes now */
};

/* --- tokens and refreshes ------------------------------------------------- */

static bool
is_any_joined(const struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		if (tunnel_is_joined(s->lane[i].tunnel))
			return true;
	return false;
}

/* Asks by a joined one that was not asked in this round. */
static bool
ask_refresh(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		struct lane *l = &s->lane[i];

		if (l->asked || !tunnel_is_joined(l->tunnel))
			continue;
		l->asked = true;
		if (tunnel_refresh(l->tunnel)) {
			s->asking = l;
			return true;
		}
	}
	return false;
}

void
tunnels_refresh(struct tunnels *s)
{
	unsigned i;

	if (s->asking != NULL)
		return; /* its answer will do */
	for (i = 0; i < s->count; i++)
		s->lane[i].asked = false;
	s->refreshing = true;
	(void)ask_refresh(s); /* else the next that joins */
}

static void
end_refresh(struct tunnels *s, enum proto_refresh outcome, const char *token)
{
	s->refreshing = false;
	s->params.ops->on_refresh(outcome, token, s->params.arg);
	if (!s->need_token)
		return;
	s->need_token = false;
	s->params.ops->on_need_token(s->params.arg);
}

static void
on_refresh(enum proto_refresh outcome, const char *token, void *arg)
{
	struct lane *l = arg;
	struct tunnels *s = l->set;
	bool lost =
	    outcome == PROTO_REFRESH_LOST || outcome == PROTO_REFRESH_TIMEOUT;

	/* Too late: the server's last word will come by the other one. */
	if (s->asking != NULL && s->asking != l)
		return;
	s->asking = NULL;
	/* The server may have made a new token and put the old one out of
	 * use: on another socket it answers with a valid one. */
	if (lost && ask_refresh(s))
		return;
	end_refresh(s, outcome, token);
}

static void
ask_token(struct tunnels *s)
{
	/* In a moment the token that would be given is a dead one. */
	if (s->asking != NULL)
		s->need_token = true;
	else
		s->params.ops->on_need_token(s->params.arg);
}

static void
on_need_token(void *arg)
{
	struct lane *l = arg;

	if (l->waits == 0)
		l->waits = ++l->set->places;
	ask_token(l->set);
}

static void
on_token_refused(uint16_t status, const char *jti, void *arg)
{
	struct lane *l = arg;

	l->set->params.ops->on_token_refused(status, jti, l->set->params.arg);
}

/* Whoever waits longest for a token; NULL: nobody. */
static struct lane *
first_of(struct tunnels *s)
{
	struct lane *first = NULL;
	unsigned i;

	for (i = 0; i < s->count; i++) {
		struct lane *l = &s->lane[i];

		if (l->waits != 0 && tunnel_wants_token(l->tunnel) &&
		    (first == NULL || l->waits < first->waits))
			first = l;
	}
	return first;
}

/* How long it has to wait for the others. Its own attempts, and what they came
 * to, are its own affair (backoff.h). */
static int64_t
turn_in_ms(const struct tunnels *s, const struct lane *of, int64_t now_ms)
{
	int64_t at_ms = now_ms;
	unsigned i;

	for (i = 0; i < s->count; i++) {
		const struct lane *l = &s->lane[i];

		if (l != of && l->dialled_ms != 0 &&
		    l->dialled_ms + APART_MS > at_ms)
			at_ms = l->dialled_ms + APART_MS;
	}
	return at_ms - now_ms;
}

/* In the order in which they came to want one: none can be overtaken for ever
 * by one whose attempts fail at once. */
void
tunnels_token(struct tunnels *s, const struct proto_token *token)
{
	struct lane *l;

	while (token->state != PROTO_TOKEN_NONE && (l = first_of(s)) != NULL) {
		int64_t now_ms = util_mono_ms();
		int64_t wait_ms = turn_in_ms(s, l, now_ms);

		if (wait_ms > 0) { /* there may be a newer one by then */
			timer_set_ms(s->turn, wait_ms);
			return;
		}
		l->waits = 0;
		l->dialled_ms = now_ms;
		tunnel_token(l->tunnel, token);
	}
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct tunnels *s = arg;

	(void)fd;
	(void)what;
	if (first_of(s) != NULL)
		ask_token(s);
}

void
tunnels_news(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		tunnel_token_news(s->lane[i].tunnel);
}

void
tunnels_reconnect(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		tunnel_reconnect(s->lane[i].tunnel);
}

/* --- lives ---------------------------------------------------------------- */

static void
on_joined(void *arg)
{
	struct lane *l = arg;
	struct tunnels *s = l->set;

	s->params.ops->on_joined(s->params.arg);
	if (s->refreshing && s->asking == NULL) {
		l->asked = false;
		(void)ask_refresh(s);
	}
}

static void
on_lost(void *arg)
{
	struct lane *l = arg;

	l->set->params.ops->on_lost(l->tunnel, l->set->params.arg);
}

static void
on_left(void *arg)
{
	struct lane *l = arg;
	struct tunnels *s = l->set;
	unsigned i;

	l->left = true;
	for (i = 0; i < s->count; i++)
		if (!s->lane[i].left)
			return;
	s->params.ops->on_left(s->params.arg);
}

static bool
on_given_up(void *arg)
{
	struct lane *l = arg;

	if (is_any_joined(l->set))
		return true;
	l->set->params.ops->on_given_up(l->set->params.arg);
	return false;
}

static const struct tunnel_ops tunnel_ops = {
    .on_need_token = on_need_token,
    .on_token_refused = on_token_refused,
    .on_joined = on_joined,
    .on_lost = on_lost,
    .on_refresh = on_refresh,
    .on_left = on_left,
    .on_given_up = on_given_up,
};

static void
on_push(uint8_t *payload, size_t len, void *arg)
{
	struct lane_event *e = arg;

	e->event->on_push(
	    e->lane->tunnel, payload, len, e->lane->set->params.events_arg);
}

static void
on_too_long(uint8_t *payload, size_t len, void *arg)
{
	struct lane_event *e = arg;

	e->event->on_too_long(
	    e->lane->tunnel, payload, len, e->lane->set->params.events_arg);
}

void
tunnels_start(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		tunnel_start(s->lane[i].tunnel);
}

void
tunnels_drain(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		tunnel_drain(s->lane[i].tunnel);
	}
}

void
tunnels_leave(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		tunnel_leave(s->lane[i].tunnel);
	}
}

/* --- status --------------------------------------------------------------- */

/* One that wants a token when there is one waits for its turn, or for the end
 * of a refresh. */
static void
look(const struct lane *l, struct proto_worker_status *one)
{
	const struct tunnels *s = l->set;
	bool held = s->need_token || evtimer_pending(s->turn, NULL) != 0;

	memset(one, 0, sizeof(*one));
	tunnel_status(l->tunnel, one);
	if (one->tunnel != PROTO_TUNNEL_NO_TOKEN || l->waits == 0 || !held)
		return;
	one->tunnel = PROTO_TUNNEL_WAITING;
	one->retry_ms = turn_in_ms(s, l, util_mono_ms());
}

void
tunnels_states(const struct tunnels *s, unsigned states[PROTO_TUNNELS])
{
	struct proto_worker_status one;
	unsigned i;

	memset(states, 0, PROTO_TUNNELS * sizeof(states[0]));
	for (i = 0; i < s->count; i++) {
		look(&s->lane[i], &one);
		states[one.tunnel]++;
	}
}

unsigned
tunnels_each(
    const struct tunnels *s, struct proto_worker_status each[TUNNELS_MAX])
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		look(&s->lane[i], &each[i]);
	}
	return s->count;
}

void
tunnels_status(const struct tunnels *s, struct proto_worker_status *out)
{
	struct proto_worker_status one;
	bool described = false;
	unsigned i;

	for (i = 0; i < s->count; i++) {
		look(&s->lane[i], &one);
		if (i == 0 ||
		    (!described && one.tunnel == PROTO_TUNNEL_JOINED)) {
			*out = one;
			described = one.tunnel == PROTO_TUNNEL_JOINED;
		}
	}
	out->tunnels = (uint8_t)s->count;
	out->tunnels_joined = 0;
	_Static_assert(TUNNELS_MAX <= PROTO_TUNNELS_MAX, "a place for each");
	for (i = 0; i < s->count; i++) {
		look(&s->lane[i], &one);
		out->tunnel_list[i] = (struct proto_tunnel_status){one.tunnel,
		    one.last_reason, one.last_detail, one.joined_ms,
		    one.heartbeat_ms, one.retry_ms};
		if (one.tunnel == PROTO_TUNNEL_JOINED) {
			out->tunnels_joined++;
		} else if (one.last_reason != PROTO_REASON_NONE) {
			out->last_reason = one.last_reason;
			out->last_detail = one.last_detail;
		}
	}
}

/* --- birth and death ------------------------------------------------------ */

static int
open_lane(struct tunnels *s, unsigned i)
{
	struct lane *l = &s->lane[i];
	const struct tunnels_params *p = &s->params;
	struct tunnel_params params = {
	    .loop = p->loop,
	    .resolve = p->resolve,
	    .tls = p->tls,
	    .metrics = p->metrics,
	    .ceiling = p->ceiling,
	    .conf = p->conf,
	    .number = i + 1,
	    .events = l->events,
	    .event_count = p->event_count,
	    .ops = &tunnel_ops,
	    .arg = l,
	};
	size_t e;

	for (e = 0; e < p->event_count; e++) {
		l->event_args[e].lane = l;
		l->event_args[e].event = &p->events[e];
		l->events[e].name = p->events[e].name;
		l->events[e].on_push = on_push;
		l->events[e].on_too_long = on_too_long;
		l->events[e].is_request = p->events[e].is_request;
		l->events[e].arg = &l->event_args[e];
	}
	l->set = s;
	l->tunnel = tunnel_create(&params);
	return l->tunnel == NULL ? -1 : 0;
}

struct tunnels *
tunnels_create(const struct tunnels_params *params)
{
	struct tunnels *s = calloc(1, sizeof(*s));
	unsigned want = (unsigned)conf_num(params->conf, CONF_TUNNELS);

	if (s == NULL || params->event_count > TUNNELS_EVENTS_MAX)
		goto fail;
	s->params = *params;
	s->turn = timer_create_ms(loop_base(params->loop), on_turn, s);
	while (s->count < want && s->count < TUNNELS_MAX)
		if (open_lane(s, s->count++) == -1)
			goto fail;
	return s;
fail:
	tunnels_free(s);
	return NULL;
}

void
tunnels_free(struct tunnels *s)
{
	unsigned i;

	if (s == NULL)
		return;
	timer_clear(&s->turn);
	for (i = 0; i < s->count; i++)
		tunnel_free(s->lane[i].tunnel);
	free(s);
}
