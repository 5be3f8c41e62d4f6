/* SPDX-License-Identifier: MIT */
/*
 * dialling → connecting → (securing) → asking → open → closing → dead. A peer
 * is freed by its own timer only, so that any callback may close it.
 *
 * An address that answered is used for all that connect in the next seconds;
 * those that come while one is being looked for wait for it together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "dial.h"
#include "memory.h"
#include "timer.h"
#include "util.h"
#include "ws_base64.h"
#include "ws_peer_parts.h"
#include "ws_socket.h"

/* How long the application may take to answer a close frame. */
#define CLOSE_MS 2000
/* Closed ones that may wait for that at once. */
#define CLOSING_MAX 64
/* What waits for all applications together, in queues of one. */
#define ALL_QUEUES 16
/* As in names.h: a container that moved is found again soon. */
#define ADDR_LIFE_MS 5000
/* Of a request, and of what is known of its head's answer. */
#define REQUEST_MAX (192 * 1024)

static const char unreachable[] = "the application cannot be reached";

/* --- ends ----------------------------------------------------------------- */

static void
peer_free(struct ws_peer *p)
{
	TAILQ_REMOVE(&p->owner->list, p, entry);
	ws_peer_detach(p);
	timer_clear(&p->timer);
	ws_reader_clear(&p->reader);
	buf_wipe(&p->request);
	buf_clear(&p->in);
	if (p->out != NULL)
		evbuffer_free(p->out);
	memory_set(p->owner->params.memory, &p->counted, 0);
	free(p);
}

void
ws_peer_die(struct ws_peer *p)
{
	if (p->state == PEER_CLOSING)
		p->owner->closing--;
	p->state = PEER_DEAD;
	p->owner->queued -= ws_peer_queued(p);
	(void)evbuffer_drain(p->out, ws_peer_queued(p));
	ws_peer_detach(p);
	timer_set_ms(p->timer, 0);
}

/* From now on only the queue is sent, and the application's end awaited. */
static void
linger(struct ws_peer *p)
{
	if (p->owner->closing >= CLOSING_MAX) {
		ws_peer_die(p);
		return;
	}
	p->state = PEER_CLOSING;
	p->owner->closing++;
	timer_set_ms(p->timer, CLOSE_MS);
	ws_peer_arm(p);
}

static void
put_close(struct ws_peer *p, int code, const char *reason, size_t len)
{
	uint8_t payload[WS_CONTROL_MAX];

	len = ws_put_close(payload, code, reason, len);
	(void)ws_peer_put(p, WS_CLOSE, payload, len);
}

static void
report(struct ws_peer *p, const struct ws_end *end)
{
	const struct ws_peer_ops *ops = p->ops;

	p->ops = NULL;
	if (ops != NULL)
		ops->on_gone(end, p->arg);
}

void
ws_peer_fail(
    struct ws_peer *p, int status, const char *text, const char *detail)
{
	struct ws_end end = {
	    .status = status,
	    .code = 1006,
	    .text = text,
	    .detail = detail,
	};

	ws_peer_die(p);
	report(p, &end);
}

void
ws_peer_end(struct ws_peer *p, const struct ws_end *end, int close_code)
{
	if (close_code == 0) {
		ws_peer_die(p);
	} else {
		put_close(p, close_code, end->by_peer ? "" : end->text,
		    end->by_peer ? 0 : strlen(end->text));
		linger(p);
	}
	report(p, end);
}

void
ws_peer_close(struct ws_peer *p, int code, const char *reason, size_t len)
{
	if (p == NULL)
		return;
	p->ops = NULL;
	if (p->state == PEER_OPEN) {
		put_close(p, code, reason, len);
		linger(p);
	} else if (p->state < PEER_OPEN) {
		ws_peer_die(p);
	}
}

void
ws_peer_drop(struct ws_peer *p)
{
	p->ops = NULL;
	if (p->state != PEER_DEAD)
		ws_peer_die(p);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ws_peer *p = arg;

	(void)fd;
	(void)what;
	if (p->state == PEER_DEAD)
		peer_free(p);
	else if (p->state == PEER_CLOSING)
		ws_peer_die(p);
	else if (p->early != NULL)
		ws_peer_fail(p, 0, unreachable, p->early);
	else
		ws_peer_fail(p, 0,
		    "the application did not answer within "
		    "WS_CONNECT_TIMEOUT",
		    NULL);
}

/* --- connecting ----------------------------------------------------------- */

static void
fail_later(struct ws_peer *p, const char *detail)
{
	p->early = detail;
	timer_set_ms(p->timer, 0);
}

static void
begin(struct ws_peer *p, int fd)
{
	if (fd == -1) {
		fail_later(p, strerror(errno));
	} else if (ws_peer_attach(p, fd) == -1) {
		util_close(&fd);
		fail_later(p, "out of memory");
	} else {
		p->state = PEER_CONNECTING;
		ws_peer_arm(p);
	}
}

static void
on_dialled(const struct dial_result *result, void *arg)
{
	struct ws_peers *o = arg;
	struct ws_peer *p, *next;
	char addr[LOOKUP_ADDR_MAX];

	o->dial = NULL;
	if (result->reason == PROTO_REASON_NONE) {
		memcpy(o->addr, result->addr, sizeof(o->addr));
		o->addr_ms = util_mono_ms();
	}
	memcpy(addr, result->addr, sizeof(addr));
	for (p = TAILQ_FIRST(&o->list); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (p->state != PEER_DIALLING || p->early != NULL)
			continue;
		if (result->reason == PROTO_REASON_NONE)
			begin(p, ws_socket_tcp(addr, o->params.port));
		else
			ws_peer_fail(p, 0, unreachable, result->error);
	}
}

/* The peer is DIALLING: an address for it, at once or when there is one. */
static void
find_address(struct ws_peer *p)
{
	struct ws_peers *o = p->owner;
	struct dial_params dial = {
	    .base = o->params.base,
	    .resolve = o->params.resolve,
	    .host = o->params.host,
	    .port = o->params.port,
	    .timeout_ms = o->params.connect_timeout_ms,
	    .cb = on_dialled,
	    .arg = o,
	};

	if (o->params.unix_path[0] != '\0') {
		begin(p, ws_socket_unix(o->params.unix_path));
		return;
	}
	if (o->addr_ms > 0 && util_mono_ms() - o->addr_ms < ADDR_LIFE_MS) {
		begin(p, ws_socket_tcp(o->addr, o->params.port));
		return;
	}
	if (o->dial == NULL)
		o->dial = dial_start(&dial);
	if (o->dial == NULL)
		fail_later(p, "the look-up could not be started");
}

void
ws_peer_unreachable(struct ws_peer *p, int error)
{
	if (p->retried || p->owner->params.unix_path[0] != '\0') {
		ws_peer_fail(p, 0, unreachable, strerror(error));
		return;
	}
	/* The address may be an old one. */
	p->retried = true;
	p->owner->addr_ms = 0;
	ws_peer_detach(p);
	p->state = PEER_DIALLING;
	find_address(p);
}

/* The key of this attempt: RFC 6455 §4.1, 16 random bytes. */
static int
make_request(struct ws_peer *p, const struct buf *request)
{
	char key[WS_KEY_LEN + 1];
	uint8_t random[16];

	util_random(random, sizeof(random));
	ws_base64_encode(random, sizeof(random), (uint8_t *)key);
	key[WS_KEY_LEN] = '\0';
	ws_tls_accept(key, p->accept);
	buf_init(&p->request, REQUEST_MAX);
	(void)buf_append(&p->request, request->data, request->len);
	return ws_handshake_finish(&p->request, key);
}

struct ws_peer *
ws_peer_connect(struct ws_peers *owner, const struct buf *request,
    const struct ws_peer_ops *ops, void *arg)
{
	struct ws_peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->owner = owner;
	p->ops = ops;
	p->arg = arg;
	p->fd = -1;
	p->out = evbuffer_new();
	if (p->out == NULL || make_request(p, request) == -1) {
		if (p->out != NULL)
			evbuffer_free(p->out);
		buf_wipe(&p->request);
		free(p);
		return NULL;
	}
	buf_init(&p->in, WS_ANSWER_MAX);
	ws_reader_init(&p->reader, owner->params.message_max);
	p->timer = timer_create_ms(owner->params.base, on_timer, p);
	TAILQ_INSERT_TAIL(&owner->list, p, entry);
	timer_set_ms(p->timer, owner->params.connect_timeout_ms);
	find_address(p);
	return p;
}

/* --- sending -------------------------------------------------------------- */

int
ws_peer_put(struct ws_peer *p, enum ws_opcode opcode, uint8_t *data, size_t len)
{
	uint8_t head[WS_HEAD_MAX], mask[4];
	size_t head_len;

	util_random(mask, sizeof(mask));
	head_len = ws_put_head(head, opcode, len, mask);
	ws_mask(data, len, mask);
	if (evbuffer_add(p->out, head, head_len) == -1 ||
	    (len > 0 && evbuffer_add(p->out, data, len) == -1))
		return -1;
	p->owner->queued += head_len + len;
	ws_peer_count(p);
	ws_peer_arm(p);
	return 0;
}

size_t
ws_peer_queued(const struct ws_peer *p)
{
	return evbuffer_get_length(p->out);
}

int
ws_peer_send(
    struct ws_peer *p, enum ws_opcode opcode, uint8_t *data, size_t len)
{
	const struct ws_peers *o = p->owner;
	size_t queued = ws_peer_queued(p);

	if (p->state > PEER_OPEN)
		return 0; /* it has an end already */
	if (queued > 0 &&
	    (queued + len > o->params.queue_max ||
		o->queued + len > ALL_QUEUES * o->params.queue_max ||
		!memory_has(o->params.memory, len)))
		return -1;
	return ws_peer_put(p, opcode, data, len);
}

void
ws_peer_pause(struct ws_peer *p, bool paused)
{
	if (p->paused == paused)
		return;
	p->paused = paused;
	ws_peer_arm(p);
	if (!paused)
		ws_peer_poke(p);
}

/* --- all of them ---------------------------------------------------------- */

size_t
ws_peers_closing(const struct ws_peers *o)
{
	return o->closing;
}

struct ws_peers *
ws_peers_create(const struct ws_peers_params *params)
{
	struct ws_peers *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->params = *params;
	TAILQ_INIT(&o->list);
	if (params->tls == NULL)
		return o;
	o->tls = ws_tls_create(params->tls);
	if (o->tls == NULL) {
		free(o);
		return NULL;
	}
	return o;
}

void
ws_peers_free(struct ws_peers *o)
{
	struct ws_peer *p;

	if (o == NULL)
		return;
	dial_cancel(o->dial);
	while ((p = TAILQ_FIRST(&o->list)) != NULL)
		peer_free(p);
	ws_tls_free(o->tls);
	free(o);
}
