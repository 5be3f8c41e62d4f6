/* SPDX-License-Identifier: MIT */
/*
 * Events to Plugboard, in the order in which they happened: all of them go
 * behind what is queued (channel_push's would go before). A frame stays as it
 * came until it is sent, and becomes base64 on its way.
 *
 * The tunnel is behind when its queue holds more than BACKLOG_MAX of ours, or
 * more than WS_QUEUE_SIZE of one session, or the memory is tight: then
 * applications are not read, so that what they send waits with them, and HTTP
 * answers in the same queue wait little. Those that wait are let go on in the
 * order in which they stopped.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "ceiling.h"
#include "channel.h"
#include "log.h"
#include "memory.h"
#include "outbox.h"
#include "phx.h"
#include "plugboard.h"
#include "util.h"
#include "ws_base64.h"
#include "wsproxy_parts.h"

#define BACKLOG_MAX (1024 * 1024)
/* What a message costs besides its payload, about. */
#define OVERHEAD 512
#define MESSAGE_MAX 4096 /* of an event without its payload */

struct ws_outgoing {
	LIST_ENTRY(ws_outgoing) entry;
	struct wsproxy *owner;
	struct ws_session *session; /* NULL: gone, or no frame */
	struct ws_lane *lane;
	bool is_frame;
	size_t cost;
	struct buf head; /* up to the payload's base64, or all of it */
	size_t head_sent;
	size_t sent; /* of data */
	size_t len;
	uint8_t data[];
};

/* --- the tunnel is behind ------------------------------------------------- */

static struct ws_lane *
lane_of(struct wsproxy *w, const struct tunnel *tunnel)
{
	struct ws_lane *lane = w->lane;
	size_t i;

	for (i = 0; i < TUNNELS_MAX; i++) {
		lane = &w->lane[i];
		if (lane->tunnel == tunnel)
			return lane;
		if (lane->tunnel == NULL)
			break; /* there are no more of them than lanes */
	}
	lane->tunnel = tunnel;
	TAILQ_INIT(&lane->waiting);
	return lane;
}

static void
add_backlog(struct wsproxy *w, struct ws_lane *lane, ssize_t bytes)
{
	lane->backlog += (size_t)bytes;
	memory_set(w->params.memory, &lane->counted, lane->backlog);
}

static bool
is_behind(const struct ws_session *s, const struct ws_lane *lane)
{
	return lane->backlog >= BACKLOG_MAX ||
	    memory_is_tight(s->owner->params.memory) ||
	    s->queued >= s->owner->params.queue_max;
}

static void
hold(struct ws_session *s, struct ws_lane *lane)
{
	if (s->paused)
		return;
	s->paused = true;
	TAILQ_INSERT_TAIL(&lane->waiting, s, waiting);
	ws_peer_pause(s->peer, true);
}

/* Half of a bound is where reading begins again. */
static void
let_go(struct ws_lane *lane)
{
	struct ws_session *s, *next;

	for (s = TAILQ_FIRST(&lane->waiting);
	     s != NULL && lane->backlog < BACKLOG_MAX / 2; s = next) {
		next = TAILQ_NEXT(s, waiting);
		if (s->peer == NULL ||
		    s->queued > s->owner->params.queue_max / 2)
			continue;
		s->paused = false;
		TAILQ_REMOVE(&lane->waiting, s, waiting);
		ws_peer_pause(s->peer, false);
	}
}

/* --- one message ---------------------------------------------------------- */

static const char tail[] = "\"}]";

/* Whole groups of three bytes, but for the last. */
static size_t
read_data(struct ws_outgoing *o, uint8_t *out, size_t cap)
{
	size_t n = cap / 4 * 3;

	if (n > o->len - o->sent)
		n = o->len - o->sent;
	ws_base64_encode(o->data + o->sent, n, out);
	o->sent += n;
	return WS_BASE64_LEN(n);
}

static size_t
read_outgoing(void *arg, uint8_t *out, size_t cap, bool *done)
{
	struct ws_outgoing *o = arg;
	size_t used = o->head.len - o->head_sent;

	if (used > cap)
		used = cap;
	memcpy(out, o->head.data + o->head_sent, used);
	o->head_sent += used;
	if (o->head_sent < o->head.len)
		return used;
	if (!o->is_frame) {
		*done = true;
		return used;
	}
	used += read_data(o, out + used, cap - used);
	if (o->sent < o->len || cap - used < sizeof(tail) - 1)
		return used;
	memcpy(out + used, tail, sizeof(tail) - 1);
	*done = true;
	return used + sizeof(tail) - 1;
}

static void
end_outgoing(void *arg, bool sent)
{
	struct ws_outgoing *o = arg;

	(void)sent;
	if (o->session != NULL) {
		LIST_REMOVE(o, entry);
		o->session->queued -= o->cost;
	}
	add_backlog(o->owner, o->lane, -(ssize_t)o->cost);
	o->owner->pending--;
	let_go(o->lane);
	buf_clear(&o->head);
	free(o);
}

/* With the beginning of its head: [join_ref, ref, topic, event, {"id":… */
static struct ws_outgoing *
outgoing_create(struct tunnel *tunnel, const char *event, const char *id_name,
    const char *id, size_t len)
{
	struct channel *channel = tunnel_channel(tunnel);
	struct ws_outgoing *o;
	char ref[CHANNEL_REF_MAX];
	struct phx_names names;

	if (!channel_is_joined(channel))
		return NULL;
	o = malloc(sizeof(*o) + len);
	if (o == NULL)
		return NULL;
	memset(o, 0, sizeof(*o));
	o->len = len;
	o->cost = len + OVERHEAD;
	names.join_ref = channel_join_ref(channel);
	names.ref = channel_next_ref(channel, ref);
	names.topic = channel_topic(channel);
	names.event = event;
	buf_init(&o->head, MESSAGE_MAX);
	(void)phx_put_head(&o->head, &names);
	(void)buf_printf(&o->head, "{\"%s\":", id_name);
	(void)json_put_str(&o->head, id, strlen(id));
	return o;
}

static int
outgoing_send(struct ws_outgoing *o, struct wsproxy *w, struct tunnel *tunnel)
{
	struct outbox_message message = {
	    .read = read_outgoing,
	    .end = end_outgoing,
	    .arg = o,
	    .len = o->head.len + WS_BASE64_LEN(o->len),
	    .held = o->is_frame ? 0 : o->cost,
	};

	if (o->head.failed) {
		buf_clear(&o->head);
		free(o);
		return -1;
	}
	o->owner = w;
	o->lane = lane_of(w, tunnel);
	add_backlog(w, o->lane, (ssize_t)o->cost);
	w->pending++;
	plugboard_send(tunnel_plugboard(tunnel), &message, false);
	return 0;
}

bool
ws_send_fits(const struct ws_session *s, size_t len)
{
	return WS_BASE64_LEN(len) + MESSAGE_MAX <=
	    ceiling_max(s->owner->params.ceiling);
}

int
ws_send_frame(struct ws_session *s, enum ws_opcode opcode, const uint8_t *data,
    size_t len)
{
	struct ws_outgoing *o =
	    outgoing_create(s->tunnel, "ws_frame", "connection_id", s->id, len);
	struct ws_lane *lane = lane_of(s->owner, s->tunnel);

	if (o == NULL)
		return -1;
	o->is_frame = true;
	if (len > 0)
		memcpy(o->data, data, len);
	(void)buf_printf(
	    &o->head, ",\"opcode\":\"%s\",\"data\":\"", ws_opcode_name(opcode));
	if (!o->head.failed) {
		o->session = s;
		LIST_INSERT_HEAD(&s->outgoing, o, entry);
		s->queued += o->cost;
	}
	if (outgoing_send(o, s->owner, s->tunnel) == -1)
		return -1;
	if (is_behind(s, lane))
		hold(s, lane);
	return 0;
}

void
ws_send_forget(struct ws_session *s)
{
	struct ws_outgoing *o;

	while ((o = LIST_FIRST(&s->outgoing)) != NULL) {
		LIST_REMOVE(o, entry);
		o->session = NULL;
	}
	if (s->paused)
		TAILQ_REMOVE(
		    &lane_of(s->owner, s->tunnel)->waiting, s, waiting);
	s->paused = false;
}

/* --- events --------------------------------------------------------------- */

/* Sends the rest, "}]" included. */
static void
finish(struct ws_outgoing *o, struct wsproxy *w, struct tunnel *tunnel,
    const char *id)
{
	if (o != NULL) {
		(void)buf_puts(&o->head, "}]");
		if (outgoing_send(o, w, tunnel) == 0)
			return;
	}
	log_warnx("WebSocket %s: plugboard cannot be told", id);
}

static void
put_text(struct ws_outgoing *o, const char *name, const char *text, size_t len)
{
	(void)buf_printf(&o->head, ",\"%s\":", name);
	(void)json_put_str(&o->head, text, len);
}

void
ws_send_check_result(struct wsproxy *w, struct tunnel *tunnel, const char *id,
    const char *protocol, const char *reason)
{
	struct ws_outgoing *o =
	    outgoing_create(tunnel, "ws_check_result", "check_id", id, 0);

	if (o != NULL) {
		(void)buf_printf(&o->head, ",\"supported\":%s",
		    reason == NULL ? "true" : "false");
		if (reason != NULL)
			put_text(o, "reason", reason, strlen(reason));
		else if (protocol[0] != '\0')
			put_text(o, "protocol", protocol, strlen(protocol));
	}
	finish(o, w, tunnel, id);
}

void
ws_send_connected(struct ws_session *s)
{
	struct ws_outgoing *o = outgoing_create(
	    s->tunnel, "ws_connected", "connection_id", s->id, 0);

	if (o != NULL && s->protocol[0] != '\0')
		put_text(o, "protocol", s->protocol, strlen(s->protocol));
	finish(o, s->owner, s->tunnel, s->id);
}

void
ws_send_closed(struct ws_session *s, int code, const char *reason, size_t len)
{
	struct ws_outgoing *o =
	    outgoing_create(s->tunnel, "ws_closed", "connection_id", s->id, 0);

	if (len > 0)
		len = utf8_cut((const uint8_t *)reason, len, WS_REASON_MAX);
	if (o != NULL) {
		(void)buf_printf(&o->head, ",\"code\":%d", code);
		put_text(o, "reason", len > 0 ? reason : "", len);
	}
	finish(o, s->owner, s->tunnel, s->id);
}

void
ws_send_error(struct wsproxy *w, struct tunnel *tunnel, const char *id,
    const char *reason)
{
	struct ws_outgoing *o =
	    outgoing_create(tunnel, "ws_error", "connection_id", id, 0);

	if (o != NULL)
		put_text(o, "reason", reason, strlen(reason));
	finish(o, w, tunnel, id);
}
