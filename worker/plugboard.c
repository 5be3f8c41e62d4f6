/* SPDX-License-Identifier: MIT */
/*
 * The connection's life: idle → reaching (reach.c connects) → opening
 * (libwebsockets speaks TLS and upgrades) → open → idle.
 * Connecting is plugboard_connect.c, what libwebsockets reports afterwards
 * plugboard_lws.c. Here is what the owner asks for, and the way back to idle.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <libwebsockets.h>

#include "loop.h"
#include "plugboard.h"
#include "plugboard_parts.h"
#include "reach.h"
#include "sender.h"
#include "timer.h"
#include "tls.h"
#include "util.h"

/* What is said to Plugboard because of what it said: more than this, and no
 * more of it is heard until half of that was taken. */
#define HELD_MAX (1024 * 1024)

/* --- the queue ------------------------------------------------------------ */

void
plugboard_set_deaf(struct plugboard *pb)
{
	size_t held = sender_held(pb->sender);
	bool deaf = pb->deaf ? held > HELD_MAX / 2 : held > HELD_MAX;

	if (deaf == pb->deaf || pb->link == NULL || pb->link->wsi == NULL)
		return;
	pb->deaf = deaf;
	(void)lws_rx_flow_control(pb->link->wsi, deaf ? 0 : 1);
	loop_kick(pb->params.loop);
}

static void
ask_writable(struct plugboard *pb)
{
	if (pb->link == NULL || pb->link->wsi == NULL)
		return;
	(void)lws_callback_on_writable(pb->link->wsi);
	loop_kick(pb->params.loop);
}

void
plugboard_send(
    struct plugboard *pb, const struct outbox_message *message, bool urgent)
{
	if (!plugboard_is_open(pb)) {
		message->end(message->arg, false);
		return;
	}
	if (sender_push(pb->sender, message, urgent) == -1)
		return;
	ask_writable(pb);
	plugboard_set_deaf(pb);
}

int
plugboard_send_text(
    struct plugboard *pb, const uint8_t *data, size_t len, bool urgent)
{
	struct outbox_message message;

	if (outbox_text(&message, data, len) == -1)
		return -1;
	plugboard_send(pb, &message, urgent);
	return 0;
}

const struct pace *
plugboard_pace(struct plugboard *pb)
{
	return sender_pace(pb->sender);
}

struct ceiling_sent *
plugboard_sent(struct plugboard *pb)
{
	return &pb->sent;
}

/* --- the end of a connection ---------------------------------------------- */

void
plugboard_path_wipe(struct plugboard *pb)
{
	if (pb->path != NULL)
		explicit_bzero(pb->path, strlen(pb->path));
	free(pb->path);
	pb->path = NULL;
}

/* Back to idle. What libwebsockets still holds is told to close by itself. */
static void
reset(struct plugboard *pb)
{
	struct link *link = pb->link;

	pb->link = NULL;
	pb->open = pb->closing = pb->deaf = false;
	reach_cancel(pb->reach);
	pb->reach = NULL;
	timer_stop(pb->deadline);
	timer_stop(pb->failure);
	timer_stop(pb->farewell);
	plugboard_path_wipe(pb);
	inbox_clear(&pb->inbox);
	sender_stop(pb->sender);
	if (link != NULL) {
		link->owner = NULL;
		if (link->wsi != NULL && !link->ended) {
			lws_set_timeout(link->wsi, PENDING_TIMEOUT_USER_OK,
			    LWS_TO_KILL_ASYNC);
			loop_kick(pb->params.loop);
		}
	}
}

void
plugboard_gone(struct plugboard *pb)
{
	struct plugboard_end end = pb->end;
	char text[PLUGBOARD_TEXT_MAX];

	if (end.text != NULL) { /* it may be the link's */
		(void)util_strlcpy(text, end.text, sizeof(text));
		end.text = text;
	}
	reset(pb);
	pb->params.ops->on_gone(&end, pb->params.arg);
}

void
plugboard_fail(struct plugboard *pb, enum proto_reason reason, const char *text)
{
	pb->end.reason = reason;
	pb->end.text = text;
	plugboard_gone(pb);
}

void
plugboard_drop(struct plugboard *pb)
{
	reset(pb);
}

static void
on_stuck(enum proto_reason reason, const char *text, void *arg)
{
	plugboard_fail(arg, reason, text);
}

static void
on_long(void *arg)
{
	struct plugboard *pb = arg;

	pb->params.ops->on_long(pb->params.arg);
}

static const struct sender_ops sender_ops = {on_long, on_stuck};

/* All is sent, and the close frame follows. Not from WRITEABLE: when -1 is
 * returned there, libwebsockets 4.1 closes without the frame, whatever
 * lws_close_reason() was told. */
static void
on_farewell(evutil_socket_t fd, short what, void *arg)
{
	struct plugboard *pb = arg;
	struct lws *wsi = pb->link->wsi;

	(void)fd;
	(void)what;
	lws_close_reason(wsi, (enum lws_close_status)pb->close_code,
	    (unsigned char *)pb->close_reason, strlen(pb->close_reason));
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
	loop_kick(pb->params.loop);
}

/* --- life and questions --------------------------------------------------- */

void
plugboard_link_free(struct link *link)
{
	tls_peer_free(link->peer);
	free(link);
}

bool
plugboard_is_open(const struct plugboard *pb)
{
	return pb->open && !pb->closing;
}

void
plugboard_close(struct plugboard *pb, uint16_t code, const char *reason)
{
	if (!pb->open || pb->closing)
		return;
	pb->closing = true;
	pb->close_code = code;
	(void)util_strlcpy(pb->close_reason, reason, sizeof(pb->close_reason));
	ask_writable(pb);
}

struct plugboard *
plugboard_create(const struct plugboard_params *params)
{
	struct plugboard *pb = calloc(1, sizeof(*pb));
	struct event_base *base = loop_base(params->loop);
	struct sender_params sender = {
	    .stall_ms = params->send_timeout_ms,
	    .message_ms = params->message_send_ms,
	    .ops = &sender_ops,
	    .arg = pb,
	};

	if (pb == NULL)
		return NULL;
	pb->params = *params;
	if (params->proxy != NULL) {
		pb->proxy = *params->proxy;
		pb->params.proxy = &pb->proxy;
	}
	inbox_init(&pb->inbox, params->message_max);
	pb->deadline = timer_create_ms(base, plugboard_on_deadline, pb);
	pb->failure = timer_create_ms(base, plugboard_on_failure, pb);
	pb->farewell = timer_create_ms(base, on_farewell, pb);
	sender.base = base;
	pb->sender = sender_create(&sender);
	if (pb->sender == NULL) {
		plugboard_free(pb);
		return NULL;
	}
	return pb;
}

void
plugboard_free(struct plugboard *pb)
{
	if (pb == NULL)
		return;
	reset(pb);
	timer_clear(&pb->deadline);
	timer_clear(&pb->failure);
	timer_clear(&pb->farewell);
	sender_free(pb->sender);
	free(pb);
}
