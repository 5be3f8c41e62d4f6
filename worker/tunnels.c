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

/* The first one dials at once, each further one this much later: a server
 * that starts anew should not meet all of them in one moment. */
#define APART_MS 500

struct lane {
	struct tunnels *set;
	struct tunnel *tunnel;
	struct event *start;
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

	s->asking = NULL;
	/* The server may have made a new token and put the old one out of
	 * use: on another socket it answers with a valid one. */
	if (lost && ask_refresh(s))
		return;
	end_refresh(s, outcome, token);
}

static void
on_need_token(void *arg)
{
	struct lane *l = arg;
	struct tunnels *s = l->set;

	/* In a moment the token that would be given is a dead one. */
	if (s->asking != NULL)
		s->need_token = true;
	else
		s->params.ops->on_need_token(s->params.arg);
}

static void
on_token_refused(uint16_t status, const char *jti, void *arg)
{
	struct lane *l = arg;

	l->set->params.ops->on_token_refused(status, jti, l->set->params.arg);
}

void
tunnels_token(struct tunnels *s, const struct proto_token *token)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		tunnel_token(s->lane[i].tunnel, token);
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

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	struct lane *l = arg;

	(void)fd;
	(void)what;
	tunnel_start(l->tunnel);
}

void
tunnels_start(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		timer_set_ms(s->lane[i].start, (int64_t)i * APART_MS);
}

void
tunnels_drain(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		timer_stop(s->lane[i].start);
		tunnel_drain(s->lane[i].tunnel);
	}
}

void
tunnels_leave(struct tunnels *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		timer_stop(s->lane[i].start);
		tunnel_leave(s->lane[i].tunnel);
	}
}

/* --- status --------------------------------------------------------------- */

void
tunnels_states(const struct tunnels *s, unsigned states[PROTO_TUNNELS])
{
	struct proto_worker_status one;
	unsigned i;

	memset(states, 0, PROTO_TUNNELS * sizeof(states[0]));
	for (i = 0; i < s->count; i++) {
		memset(&one, 0, sizeof(one));
		tunnel_status(s->lane[i].tunnel, &one);
		states[one.tunnel]++;
	}
}

unsigned
tunnels_each(
    const struct tunnels *s, struct proto_worker_status each[TUNNELS_MAX])
{
	unsigned i;

	for (i = 0; i < s->count; i++) {
		memset(&each[i], 0, sizeof(each[i]));
		tunnel_status(s->lane[i].tunnel, &each[i]);
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
		memset(&one, 0, sizeof(one));
		tunnel_status(s->lane[i].tunnel, &one);
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
		memset(&one, 0, sizeof(one));
		tunnel_status(s->lane[i].tunnel, &one);
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
	l->start = timer_create_ms(loop_base(p->loop), on_start, l);
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
	for (i = 0; i < s->count; i++) {
		timer_clear(&s->lane[i].start);
		tunnel_free(s->lane[i].tunnel);
	}
	free(s);
}
