/* SPDX-License-Identifier: MIT */
/*
 * idle → joining → joined → (leaving) → idle; phx_error and phx_close lead
 * from joined back to joining, at once the first time, later and later when
 * it goes on. One timer a deadline: `reply` for join and leave, `refresh`,
 * `rejoin` for its delay.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "buf.h"
#include "ceiling.h"
#include "channel_parts.h"
#include "heartbeat.h"
#include "log.h"
#include "plugboard.h"
#include "timer.h"
#include "util.h"

/* Outsiders can crash the channel, so rejoining is routine; but not in a
 * tight loop, and not for ever on a socket whose server cannot do it. */
#define REJOIN_FIRST_MS 50
#define REJOIN_CAP_MS 2000
#define REJOIN_TRIES 10
/* A join that held this long was a good one: start counting anew. */
#define REJOIN_STABLE_MS 5000

/* Leaving is a courtesy: well below what the supervisor grants for it. */
#define LEAVE_TIMEOUT_MS 2000

#define CONTROL_MESSAGE_MAX 1024
#define REASON_MAX 128

/* --- sending -------------------------------------------------------------- */

const char *
channel_next_ref(struct channel *c, char space[CHANNEL_REF_MAX])
{
	(void)snprintf(space, CHANNEL_REF_MAX, "%" PRIu64, ++c->last_ref);
	return space;
}

/* 0, or -1 when there is no memory or the event does not fit. */
static int
send_event(
    struct channel *c, const char *ref, const char *event, const char *payload)
{
	struct phx_names names = {c->join_ref, ref, c->topic, event};
	struct buf b;
	int result = -1;

	buf_init(&b, CONTROL_MESSAGE_MAX + strlen(payload));
	if (phx_put_msg(&b, &names, payload) == 0)
		result = plugboard_send_text(
		    c->params.plugboard, b.data, b.len, true);
	buf_clear(&b);
	return result;
}

int
channel_push(struct channel *c, const char *event, const char *payload)
{
	char ref[CHANNEL_REF_MAX];

	if (c->state != CHANNEL_JOINED)
		return -1;
	return send_event(c, channel_next_ref(c, ref), event, payload);
}

/* --- ends ----------------------------------------------------------------- */

static void
end_refresh(struct channel *c, enum proto_refresh outcome, const char *token)
{
	if (!c->refreshing)
		return;
	c->refreshing = false;
	timer_stop(c->refresh);
	c->params.ops->on_refresh(outcome, token, c->params.arg);
}

/* Everything that belongs to one join. */
static void
forget_join(struct channel *c)
{
	bool was_joined = channel_is_joined(c);

	c->state = CHANNEL_IDLE;
	timer_stop(c->reply);
	timer_stop(c->rejoin);
	heartbeat_stop(c->heartbeat);
	c->refresh_ref[0] = '\0';
	c->refreshes_owed = 0;
	end_refresh(c, PROTO_REFRESH_LOST, NULL);
	if (was_joined) {
		metrics_add(c->params.metrics, METRICS_TUNNELS_JOINED, -1);
		c->params.ops->on_lost(c->params.arg);
	}
}

static void
die(struct channel *c, enum proto_reason reason, const char *text)
{
	forget_join(c);
	c->params.ops->on_dead(reason, text, c->params.arg);
}

void
channel_closed(struct channel *c)
{
	forget_join(c);
	c->crashes = 0;
}

/* --- join and rejoin ------------------------------------------------------ */

static void
join(struct channel *c)
{
	c->state = CHANNEL_JOINING;
	(void)channel_next_ref(c, c->join_ref);
	if (send_event(c, c->join_ref, "phx_join", "{}") == -1) {
		die(c, PROTO_REASON_JOIN_TIMEOUT, "out of memory");
		return;
	}
	timer_set_ms(c->reply, c->params.reply_timeout_ms);
}

void
channel_open(struct channel *c, const char *path_id)
{
	c->crashes = 0;
	heartbeat_reset(c->heartbeat);
	(void)util_fmt(c->topic, sizeof(c->topic), "telephone:%s", path_id);
	join(c);
}

static int64_t
rejoin_delay_ms(unsigned crashes)
{
	int64_t ms = REJOIN_FIRST_MS;

	if (crashes <= 1)
		return 0;
	for (; crashes > 2 && ms < REJOIN_CAP_MS; crashes--)
		ms *= 2;
	return ms < REJOIN_CAP_MS ? ms : REJOIN_CAP_MS;
}

/* The server has no channel for us any more, but the socket is fine. */
void
channel_rejoin(struct channel *c, const char *why, enum metrics_id metric)
{
	int64_t delay_ms;

	if (c->state == CHANNEL_JOINED &&
	    util_mono_ms() - c->joined_at_ms >= REJOIN_STABLE_MS)
		c->crashes = 0;
	c->crashes++;
	if (c->crashes > REJOIN_TRIES) {
		die(c, PROTO_REASON_CHANNEL_CRASHES, why);
		return;
	}
	delay_ms = rejoin_delay_ms(c->crashes);
	log_info(
	    "channel %s ended by the server (%s), joining again in %" PRId64
	    " ms",
	    c->topic, why, delay_ms);
	metrics_add(c->params.metrics, metric, 1);
	forget_join(c);
	if (delay_ms == 0) {
		join(c);
		return;
	}
	c->state = CHANNEL_WAITING;
	timer_set_ms(c->rejoin, delay_ms);
}

static void
on_rejoin(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	join(arg);
}

static void
on_joined(struct channel *c)
{
	timer_stop(c->reply);
	c->state = CHANNEL_JOINED;
	c->generation++;
	c->joined_at_ms = util_mono_ms();
	metrics_add(c->params.metrics, METRICS_TUNNELS_JOINED, 1);
	heartbeat_start(c->heartbeat);
	c->params.ops->on_joined(c->params.arg);
}

void
channel_on_join_reply(struct channel *c, const struct phx_reply *reply)
{
	char reason[REASON_MAX];

	if (reply->ok) {
		on_joined(c);
		return;
	}
	if (!phx_get_str(reply->response, "reason", reason, sizeof(reason)))
		(void)util_strlcpy(reason, "no reason given", sizeof(reason));
	forget_join(c);
	c->params.ops->on_refused(reason, c->params.arg);
}

/* Join, or leave, went unanswered. */
static void
on_reply_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CHANNEL_LEAVING)
		channel_end_leave(c);
	else
		die(c, PROTO_REASON_JOIN_TIMEOUT,
		    "phx_join was not answered in time");
}

void
channel_end_leave(struct channel *c)
{
	c->state = CHANNEL_LEFT;
	timer_stop(c->reply);
	c->params.ops->on_left(c->params.arg);
}

void
channel_leave(struct channel *c)
{
	if (c->state != CHANNEL_JOINED)
		return;
	(void)channel_next_ref(c, c->leave_ref);
	if (send_event(c, c->leave_ref, "phx_leave", "{}") == -1)
		log_warnx("channel %s: phx_leave could not be sent", c->topic);
	c->state = CHANNEL_LEAVING;
	heartbeat_stop(c->heartbeat);
	timer_set_ms(c->reply, LEAVE_TIMEOUT_MS);
}

/* --- heartbeat ------------------------------------------------------------ */

static void
on_beat_sent(void *arg)
{
	struct channel *c = arg;

	heartbeat_sent(c->heartbeat);
	ceiling_asked(plugboard_sent(c->params.plugboard));
}

static int
send_beat(int64_t ts, void *arg)
{
	struct channel *c = arg;
	char ref[CHANNEL_REF_MAX], payload[48];
	struct phx_names names = {
	    c->join_ref, channel_next_ref(c, ref), c->topic, "heartbeat"};
	struct outbox_message message;
	struct buf b;
	int result = -1;

	(void)util_fmt(payload, sizeof(payload), "{\"ts\":%" PRId64 "}", ts);
	buf_init(&b, CONTROL_MESSAGE_MAX);
	if (phx_put_msg(&b, &names, payload) == 0)
		result = outbox_text(&message, b.data, b.len);
	buf_clear(&b);
	if (result == -1)
		return -1;
	message.sent = on_beat_sent;
	message.sent_arg = c;
	plugboard_send(c->params.plugboard, &message, true);
	return 0;
}

static const struct pace *
pace_of(void *arg)
{
	struct channel *c = arg;

	return plugboard_pace(c->params.plugboard);
}

static void
on_ack(void *arg)
{
	struct channel *c = arg;

	c->params.ops->on_ack(c->params.arg);
}

static void
on_stable(void *arg)
{
	struct channel *c = arg;

	c->params.ops->on_stable(c->params.arg);
}

static void
on_dead(void *arg)
{
	die(arg, PROTO_REASON_HEARTBEAT,
	    "a heartbeat was not acknowledged within HEARTBEAT_TIMEOUT");
}

static const struct heartbeat_ops heartbeat_ops = {
    .send = send_beat,
    .pace = pace_of,
    .on_ack = on_ack,
    .on_stable = on_stable,
    .on_dead = on_dead,
};

void
channel_beat(struct channel *c)
{
	heartbeat_now(c->heartbeat);
}

/* --- refresh -------------------------------------------------------------- */

bool
channel_refresh(struct channel *c)
{
	if (c->state != CHANNEL_JOINED || c->refreshing)
		return false;
	(void)channel_next_ref(c, c->refresh_ref);
	if (send_event(c, c->refresh_ref, "refresh_token", "{}") == -1) {
		c->refresh_ref[0] = '\0';
		return false;
	}
	c->refreshing = true;
	c->refreshes_owed++;
	timer_set_ms(c->refresh, c->params.reply_timeout_ms);
	return true;
}

static void
on_refresh_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_refresh(arg, PROTO_REFRESH_TIMEOUT, NULL);
}

/* One that comes when its time is up is worth as much as any: the server has
 * put the token before out of use. */
static void
take_token(struct channel *c, struct json_str payload)
{
	char token[PROTO_TOKEN_MAX];

	if (!phx_get_str(payload, "token", token, sizeof(token)) ||
	    token[0] == '\0') {
		end_refresh(c, PROTO_REFRESH_REFUSED, NULL);
	} else if (c->refreshing) {
		end_refresh(c, PROTO_REFRESH_OK, token);
	} else {
		log_info(
		    "channel %s: the answer to a refresh came late", c->topic);
		c->params.ops->on_refresh(
		    PROTO_REFRESH_OK, token, c->params.arg);
	}
	explicit_bzero(token, sizeof(token));
	if (payload.data != NULL) /* where it stood */
		explicit_bzero(payload.data, payload.len);
}

void
channel_on_refresh_push(struct channel *c, struct json_str payload)
{
	if (c->refreshes_owed == 0)
		return;
	c->refreshes_owed--;
	take_token(c, payload);
}

void
channel_on_refresh_reply(struct channel *c, const struct phx_reply *reply)
{
	char reason[REASON_MAX] = "";

	c->refresh_ref[0] = '\0';
	c->refreshes_owed = 0; /* the replies before it are of no use now */
	if (reply->ok) {
		take_token(c, reply->response);
		return;
	}
	(void)phx_get_str(reply->response, "reason", reason, sizeof(reason));
	end_refresh(c,
	    strcmp(reason, ":token_revoked") == 0 ? PROTO_REFRESH_REVOKED
						  : PROTO_REFRESH_REFUSED,
	    NULL);
}

/* --- life and questions --------------------------------------------------- */

bool
channel_is_joined(const struct channel *c)
{
	return c->state == CHANNEL_JOINED || c->state == CHANNEL_LEAVING ||
	    c->state == CHANNEL_LEFT;
}

bool
channel_is_joining(const struct channel *c)
{
	return c->state == CHANNEL_JOINING;
}

uint64_t
channel_generation(const struct channel *c)
{
	return c->generation;
}

const char *
channel_join_ref(const struct channel *c)
{
	return c->join_ref;
}

const char *
channel_topic(const struct channel *c)
{
	return c->topic;
}

int64_t
channel_joined_ms(const struct channel *c)
{
	return channel_is_joined(c) ? util_mono_ms() - c->joined_at_ms : -1;
}

int64_t
channel_heartbeat_ms(const struct channel *c)
{
	return heartbeat_age_ms(c->heartbeat);
}

struct channel *
channel_create(const struct channel_params *params)
{
	struct channel *c = calloc(1, sizeof(*c));
	struct heartbeat_params heartbeat = {
	    .base = params->base,
	    .metrics = params->metrics,
	    .interval_ms = params->heartbeat_interval_ms,
	    .timeout_ms = params->heartbeat_timeout_ms,
	    .ops = &heartbeat_ops,
	    .arg = c,
	};

	if (c == NULL)
		return NULL;
	c->params = *params;
	c->heartbeat = heartbeat_create(&heartbeat);
	if (c->heartbeat == NULL) {
		free(c);
		return NULL;
	}
	c->reply = timer_create_ms(params->base, on_reply_deadline, c);
	c->refresh = timer_create_ms(params->base, on_refresh_deadline, c);
	c->rejoin = timer_create_ms(params->base, on_rejoin, c);
	return c;
}

void
channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	timer_clear(&c->reply);
	timer_clear(&c->refresh);
	timer_clear(&c->rejoin);
	heartbeat_free(c->heartbeat);
	free(c);
}
