/* SPDX-License-Identifier: MIT */
/*
 * What arrives: replies are found by their refs, pushes by the join's. The
 * channel's own events first, then those of the event table.
 */
#include <string.h>

#include "channel_parts.h"
#include "heartbeat.h"
#include "log.h"
#include "util.h"

#define REASON_MAX 128

static void
drop_message(struct channel *c, const char *why)
{
	metrics_add(c->params.metrics, METRICS_MESSAGES_DROPPED, 1);
	log_debug("channel: message dropped: %s", why);
}

/* Something was sent to a channel that the server does not have (any more),
 * and nobody told us. */
static void
on_stray_reply(
    struct channel *c, const struct phx_msg *m, const struct phx_reply *reply)
{
	char reason[REASON_MAX];

	if (c->state == CHANNEL_JOINED && !reply->ok &&
	    phx_is(m->topic, c->topic) &&
	    phx_get_str(reply->response, "reason", reason, sizeof(reason)) &&
	    strcmp(reason, "unmatched topic") == 0)
		channel_rejoin(c, reason, METRICS_REJOIN_UNMATCHED);
}

static void
on_reply(struct channel *c, const struct phx_msg *m)
{
	struct phx_reply reply;

	if (!phx_parse_reply(&reply, m->payload))
		drop_message(c, "a phx_reply without status");
	else if (c->state == CHANNEL_JOINING && phx_is(m->ref, c->join_ref))
		channel_on_join_reply(c, &reply);
	else if (c->state == CHANNEL_LEAVING && phx_is(m->ref, c->leave_ref))
		channel_end_leave(c);
	else if (c->refresh_ref[0] != '\0' && phx_is(m->ref, c->refresh_ref))
		channel_on_refresh_reply(c, &reply);
	else
		on_stray_reply(c, m, &reply);
}

/* The channel is over, the socket is not. */
static void
end_join(struct channel *c, const char *why, enum metrics_id metric)
{
	if (c->state == CHANNEL_LEAVING)
		channel_end_leave(c);
	else if (c->state == CHANNEL_JOINED || c->state == CHANNEL_JOINING)
		channel_rejoin(c, why, metric);
}

static void
on_error(struct channel *c, const struct phx_msg *m)
{
	(void)m;
	end_join(c, "phx_error", METRICS_REJOIN_ERROR);
}

static void
on_close(struct channel *c, const struct phx_msg *m)
{
	(void)m;
	end_join(c, "phx_close", METRICS_REJOIN_CLOSE);
}

static void
on_ack_push(struct channel *c, const struct phx_msg *m)
{
	int64_t ts;

	if (phx_get_int(m->payload, "ts", &ts))
		heartbeat_ack(c->heartbeat, ts);
}

static void
on_refresh_push(struct channel *c, const struct phx_msg *m)
{
	channel_on_refresh_push(c, m->payload);
}

/* The events that the channel itself answers to. */
static const struct {
	const char *name;
	void (*handle)(struct channel *, const struct phx_msg *);
	bool needs_payload;
} own_events[] = {
    {"phx_error", on_error, false},
    {"phx_close", on_close, false},
    {"heartbeat_ack", on_ack_push, true},
    {"refresh_token_ack", on_refresh_push, true},
};

/* What crosses our phx_leave on the wire is answered with 502 by Plugboard,
 * whatever we do: so nothing is done about it. */
static void
hand_over(struct channel *c, const struct channel_event *e,
    const struct phx_msg *m, bool too_long)
{
	if (c->state == CHANNEL_JOINED || !e->is_request) {
		(too_long ? e->on_too_long : e->on_push)(
		    m->payload.data, m->payload.len, e->arg);
		return;
	}
	metrics_add(c->params.metrics, METRICS_CROSSED, 1);
	log_info("channel %s: a request crossed phx_leave on the wire and was "
		 "not begun",
	    c->topic);
}

static void
on_push(struct channel *c, const struct phx_msg *m, bool too_long)
{
	const struct channel_event *e;
	size_t i;

	for (i = 0; i < UTIL_COUNT(own_events); i++) {
		if (!phx_is(m->event, own_events[i].name))
			continue;
		if (too_long && own_events[i].needs_payload)
			drop_message(c, "an event that is too long");
		else
			own_events[i].handle(c, m);
		return;
	}
	if (!channel_is_joined(c)) {
		drop_message(c, "an event before the join");
		return;
	}
	for (i = 0; i < c->params.event_count; i++) {
		e = &c->params.events[i];
		if (phx_is(m->event, e->name)) {
			hand_over(c, e, m, too_long);
			return;
		}
	}
	drop_message(c, "an event of unknown name");
}

void
channel_message(struct channel *c, uint8_t *data, size_t len, bool too_long)
{
	struct phx_msg m;
	const char *error = phx_parse(&m, data, len);

	if (error != NULL) {
		metrics_add(c->params.metrics, METRICS_MESSAGES_DROPPED, 1);
		log_warnx(
		    "plugboard sent what is no Phoenix message: %s", error);
		return;
	}
	if (phx_is(m.event, "phx_reply") && too_long)
		drop_message(c, "a reply that is too long");
	else if (phx_is(m.event, "phx_reply"))
		on_reply(c, &m); /* found by its ref; join_ref may be null */
	else if (!phx_is(m.topic, c->topic))
		drop_message(c, "another topic");
	else if (!phx_is(m.join_ref, c->join_ref))
		drop_message(c, "the reference of an earlier join");
	else
		on_push(c, &m, too_long);
}
