/* SPDX-License-Identifier: MIT */
/*
 * What libwebsockets reports of a connection: its beginning, what comes, when
 * more can be written, and its end, by whichever of four callbacks comes
 * first. Called by the loop alone; whatever is reported to the owner may drop
 * the plugboard, and then nothing of it is touched any more.
 */
#include <string.h>

#include <libwebsockets.h>

#include "plugboard_parts.h"
#include "retry_after.h"
#include "sender.h"
#include "timer.h"
#include "util.h"

#define RX_LEN (64 * 1024)

/* --- beginning and end ---------------------------------------------------- */

static void
on_status(struct plugboard *pb, struct lws *wsi)
{
	unsigned status = lws_http_client_http_response(wsi);
	char text[64];

	if (status == 0 || status == 101)
		return;
	pb->end.detail = (uint16_t)status;
	pb->end.reason =
	    status == 403 ? PROTO_REASON_FORBIDDEN : PROTO_REASON_HTTP_STATUS;
	if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_RETRY_AFTER) >
	    0)
		pb->end.retry_after_s =
		    retry_after_parse(text, util_wall_ms() / 1000);
}

static int
on_established(struct plugboard *pb)
{
	timer_stop(pb->deadline);
	pb->open = true;
	memset(&pb->sent, 0, sizeof(pb->sent));
	sender_start(pb->sender, lws_get_socket_fd(pb->link->wsi));
	pb->params.ops->on_open(pb->params.arg);
	return 0;
}

static void
on_lws_gone(struct plugboard *pb, const char *text)
{
	if (!pb->open)
		plugboard_judge_failure(pb, text);
	else if (pb->end.reason == PROTO_REASON_NONE && pb->closing)
		pb->end.reason = PROTO_REASON_CLOSED;
	else if (pb->end.reason == PROTO_REASON_NONE)
		plugboard_judge_end(pb);
	plugboard_gone(pb);
}

static void
on_peer_close(struct plugboard *pb, const uint8_t *in, size_t len)
{
	pb->end.reason = PROTO_REASON_CLOSED;
	pb->end.detail = 1005; /* RFC 6455 §7.1.5: no code was given */
	if (len >= 2)
		pb->end.detail = (uint16_t)(in[0] << 8 | in[1]);
}

/* The connection's own last word: the link goes with it. */
static void
on_destroy(struct link *link)
{
	struct plugboard *pb = link->owner;

	link->wsi = NULL;
	if (pb != NULL)
		on_lws_gone(pb, NULL);
	if (link->calling)
		link->destroyed = true;
	else
		plugboard_link_free(link);
}

/* --- receiving ------------------------------------------------------------ */

static void
discard(struct plugboard *pb, const char *why)
{
	pb->params.ops->on_discard(inbox_size(&pb->inbox), why, pb->params.arg);
	inbox_clear(&pb->inbox);
}

/* Hands a message over. The buffer is out of reach meanwhile, so that a drop
 * from inside does not free what is being read. */
static int
deliver(struct plugboard *pb, const struct link *link)
{
	struct buf message = inbox_take(&pb->inbox);

	pb->params.ops->on_message(message.data, message.len, pb->params.arg);
	if (link->owner == NULL) {
		buf_clear(&message);
		return -1;
	}
	inbox_give(&pb->inbox, &message);
	return 0;
}

/* The same for what is left of one that was too long: it stands in the inbox,
 * which goes with the plugboard only. */
static int
deliver_envelope(struct plugboard *pb, const struct link *link)
{
	struct envelope *e = &pb->inbox.envelope;
	const char *why = envelope_end(e);

	if (why != NULL)
		discard(pb, why);
	else
		pb->params.ops->on_too_long(
		    e->text, e->len, inbox_size(&pb->inbox), pb->params.arg);
	return link->owner == NULL ? -1 : 0;
}

static int
on_receive(struct link *link, struct lws *wsi, const void *in, size_t len)
{
	struct plugboard *pb = link->owner;
	size_t left = lws_remaining_packet_payload(wsi);

	if (lws_is_first_fragment(wsi))
		inbox_begin(&pb->inbox, len + left);
	inbox_append(&pb->inbox, in, len);
	if (left > 0 || !lws_is_final_fragment(wsi))
		return 0;
	if (lws_frame_is_binary(wsi)) {
		discard(pb, "a binary frame");
		return 0;
	}
	return pb->inbox.skip ? deliver_envelope(pb, link) : deliver(pb, link);
}

/* --- sending -------------------------------------------------------------- */

/* Sends one fragment of the first message. 0, or -1: the socket is gone. */
static int
write_fragment(struct plugboard *pb, struct lws *wsi)
{
	struct outbox_fragment f;
	int flags;

	sender_read(pb->sender, pb->tx + LWS_PRE, FRAGMENT_LEN, &f);
	flags = f.first ? LWS_WRITE_TEXT : LWS_WRITE_CONTINUATION;
	if (!f.last)
		flags |= LWS_WRITE_NO_FIN;
	if (lws_write(wsi, pb->tx + LWS_PRE, f.len,
		(enum lws_write_protocol)flags) < (int)f.len)
		return -1;
	sender_wrote(pb->sender, &f);
	plugboard_set_deaf(pb);
	ceiling_wrote(&pb->sent, f.len, f.last);
	return 0;
}

static int
on_writable(struct plugboard *pb, struct lws *wsi)
{
	while (!sender_is_empty(pb->sender)) {
		if (lws_partial_buffered(wsi) || lws_send_pipe_choked(wsi)) {
			(void)lws_callback_on_writable(wsi);
			return 0;
		}
		if (write_fragment(pb, wsi) == -1)
			return -1;
	}
	if (pb->closing)
		timer_set_ms(pb->farewell, 0);
	return 0;
}

/* --- the callback --------------------------------------------------------- */

static int
on_link(struct link *link, struct lws *wsi, enum lws_callback_reasons reason,
    void *in, size_t len)
{
	struct plugboard *pb = link->owner;

	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return on_established(pb);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_receive(link, wsi, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(pb, wsi);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		on_peer_close(pb, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_HTTP_REDIRECT:
		/* Never: the token would go to whomever Location names. */
		pb->end.reason = PROTO_REASON_HTTP_STATUS;
		pb->end.detail = (uint16_t)len;
		return 1;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		link->ended = true;
		on_status(pb, wsi);
		on_lws_gone(pb, len > 0 ? in : NULL);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
		link->ended = true;
		on_lws_gone(pb, NULL);
		return 0;
	default:
		return 0;
	}
}

/* Reasons for which `user` is what info.userdata was. For others, which
 * concern a context or an SSL_CTX, it is something else. */
static bool
is_about_a_link(enum lws_callback_reasons reason)
{
	static const enum lws_callback_reasons ours[] = {
	    LWS_CALLBACK_CLIENT_ESTABLISHED,
	    LWS_CALLBACK_CLIENT_RECEIVE,
	    LWS_CALLBACK_CLIENT_WRITEABLE,
	    LWS_CALLBACK_WS_PEER_INITIATED_CLOSE,
	    LWS_CALLBACK_CLIENT_HTTP_REDIRECT,
	    LWS_CALLBACK_CLIENT_CONNECTION_ERROR,
	    LWS_CALLBACK_CLIENT_CLOSED,
	    LWS_CALLBACK_CLOSED_CLIENT_HTTP,
	    LWS_CALLBACK_WSI_DESTROY,
	};
	size_t i;

	for (i = 0; i < UTIL_COUNT(ours); i++)
		if (ours[i] == reason)
			return true;
	return false;
}

/* After a drop: whatever would go on is ended instead. */
static int
on_orphan(enum lws_callback_reasons reason)
{
	return reason == LWS_CALLBACK_CLIENT_WRITEABLE ||
		reason == LWS_CALLBACK_CLIENT_RECEIVE ||
		reason == LWS_CALLBACK_CLIENT_ESTABLISHED ||
		reason == LWS_CALLBACK_CLIENT_HTTP_REDIRECT
	    ? -1
	    : 0;
}

static int
on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
    size_t len)
{
	struct link *link = user;

	if (!is_about_a_link(reason) || link == NULL)
		return 0;
	if (reason == LWS_CALLBACK_WSI_DESTROY) {
		on_destroy(link);
		return 0;
	}
	if (link->owner == NULL)
		return on_orphan(reason);
	return on_link(link, wsi, reason, in, len);
}

static const struct lws_protocols protocols[] = {
    {
	.name = "plugboard",
	.callback = on_lws,
	.rx_buffer_size = RX_LEN,
	.tx_packet_size = FRAGMENT_LEN,
    },
    {.name = NULL},
};

const struct lws_protocols *
plugboard_protocols(void)
{
	return protocols;
}
