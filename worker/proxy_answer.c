/* SPDX-License-Identifier: MIT */
/* The way back: one proxy_res for each request, on the tunnel it came from. */
#include <string.h>

#include "body.h"
#include "ceiling.h"
#include "channel.h"
#include "log.h"
#include "metrics.h"
#include "plugboard.h"
#include "proxy_parts.h"
#include "response.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

/* Plugboard has long given the request up: the answer would only be in the
 * way of others. */
static void
expire(struct proxied *p)
{
	static const struct proxied_refusal expired = {504, "request_expired",
	    "the answer waited for the tunnel until REQUEST_TTL was over"};

	proxied_put_error(p, &expired, 0);
	if (p->small.failed) { /* then the answer itself */
		buf_clear(&p->small);
		return;
	}
	p->owner->failures++;
	p->entry.outcome = METRICS_TIMEOUT;
	p->entry.status = expired.status;
	p->entry.cause = expired.code;
	(void)util_strlcpy(
	    p->entry.reason, expired.reason, sizeof(p->entry.reason));
}

static size_t
read_answer(void *arg, uint8_t *out, size_t cap, bool *done)
{
	struct proxied *p = arg;
	size_t n;

	if (!p->begun && p->tunnel != NULL && util_mono_ms() >= p->expires_ms)
		expire(p);
	p->begun = true;
	if (p->small.len > 0)
		return proxied_read_error(p, out, cap, done);
	n = response_read(p->response, out, cap, done);
	if (*done && response_failure(p->response) != 0)
		log_warnx("request %s: the spool cannot be read: %s; the "
			  "connection to plugboard is given up with it",
		    p->id, strerror(response_failure(p->response)));
	return n;
}

void
proxied_end(struct proxied *p, bool sent)
{
	if (sent) {
		p->owner->answered++;
	} else {
		p->owner->bereft++;
		p->entry.outcome = METRICS_LOST;
		p->entry.status = 0;
		p->entry.bytes_out = 0;
		p->entry.cause = "tunnel_lost";
		(void)util_strlcpy(p->entry.reason,
		    "the tunnel ended before its answer was sent",
		    sizeof(p->entry.reason));
	}
	proxied_free(p);
}

static void
on_answer_end(void *arg, bool sent)
{
	proxied_end(arg, sent);
}

static void
send_answer(struct proxied *p, struct response *response)
{
	struct outbox_message message = {
	    .read = read_answer,
	    .end = on_answer_end,
	    .arg = p,
	};

	p->response = response;
	p->stage = PROXIED_ANSWERING;
	timer_stop(p->timer);
	if (response == NULL || p->tunnel == NULL) {
		proxied_end(p, false);
		return;
	}
	message.len = response_estimate(response);
	message.yields = true;
	plugboard_send(tunnel_plugboard(p->tunnel), &message, false);
}

/* Nothing else, not even a heartbeat, can go between the fragments of an
 * answer: one that would hold the tunnel for too long is not begun. */
static bool
is_too_slow(const struct proxied *p, const struct response *response)
{
	const struct pace *pace = plugboard_pace(tunnel_plugboard(p->tunnel));

	return pace_project_ms(pace, response_estimate(response),
		   util_mono_ms()) > p->owner->params.send_max_ms;
}

static void
fill_params(const struct proxied *p, struct response_params *params,
    char ref[CHANNEL_REF_MAX])
{
	struct channel *channel = tunnel_channel(p->tunnel);

	memset(params, 0, sizeof(*params));
	params->join_ref = channel_join_ref(channel);
	params->ref = channel_next_ref(channel, ref);
	params->topic = channel_topic(channel);
	params->request_id = p->id;
	params->chunk_max = p->owner->params.chunk_max;
}

static void
refuse_slow(struct proxied *p)
{
	p->entry.outcome = METRICS_REFUSED;
	proxied_refuse(p, 503, "tunnel_too_slow",
	    "the answer would take longer than MAX_SEND_TIME to send");
}

/* Whether plugboard takes so long a message, as far as is known. */
static bool
fits(const struct proxied *p, struct response *response)
{
	struct ceiling *c = p->owner->params.ceiling;

	return response_fits(response, ceiling_max(c)) ||
	    (response_fits(response, ceiling_fixed(c)) &&
		ceiling_try(c, util_mono_ms()));
}

static void
refuse_long(struct proxied *p)
{
	static const struct proxied_refusal too_long = {502,
	    "tunnel_message_too_large",
	    "the application's answer, as it goes to plugboard, is longer "
	    "than plugboard takes, or than TUNNEL_MESSAGE_MAX"};

	proxied_refuse_limit(p, &too_long, 0);
}

void
proxied_answer(struct proxied *p)
{
	struct response_params params;
	struct response *response;
	char ref[CHANNEL_REF_MAX];

	if (p->tunnel == NULL) {
		proxied_end(p, false);
		return;
	}
	fill_params(p, &params, ref);
	params.status = p->status;
	params.head = &p->head;
	params.body = p->body;
	p->entry.bytes_out = (int64_t)body_len(p->body);
	p->entry.got_us = util_mono_us();
	p->body = NULL; /* the response owns it now */
	response = response_create(&params);
	if (response != NULL && is_too_slow(p, response)) {
		response_free(response);
		refuse_slow(p);
		return;
	}
	if (response != NULL && !fits(p, response)) {
		response_free(response);
		refuse_long(p);
		return;
	}
	p->entry.outcome = METRICS_OK;
	p->entry.cause = NULL;
	p->entry.status = p->status;
	send_answer(p, response);
}
