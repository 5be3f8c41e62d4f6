/* SPDX-License-Identifier: MIT */
/*
 * A peer is freed in two steps when that happens inside its own callback:
 * peer_free closes it and marks it, the receiving loop frees it when it gets
 * control back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "log.h"
#include "peer.h"
#include "util.h"

/* Frames taken in one turn of the loop: others want theirs. */
#define TURN_MAX 32
/* A queue longer than this belongs to somebody who does not read. */
#define QUEUE_FRAMES 256
#define QUEUE_BYTES (4u << 20)

struct queued {
	TAILQ_ENTRY(queued) entry;
	struct ipc_frame frame; /* with a descriptor of its own */
	uint8_t payload[];
};

struct peer {
	struct peer_params params;
	enum proto_state state;
	struct event *readable, *writable;
	struct event *ending; /* reports an end found while sending */
	enum peer_end end;
	int error;  /* with PEER_ERROR */
	bool deaf;  /* the other side reads no more */
	bool ended; /* nothing is sent or received any more */
	bool busy;  /* inside a callback of its own */
	bool freed; /* … which freed it */
	TAILQ_HEAD(queued_list, queued) queue;
	size_t frames, bytes;
	uint8_t space[IPC_FRAME_MAX];
};

static void
queued_free(struct peer *p, struct queued *q)
{
	TAILQ_REMOVE(&p->queue, q, entry);
	p->frames--;
	p->bytes -= q->frame.len;
	ipc_close_fd(&q->frame.fd);
	explicit_bzero(q->payload, q->frame.len); /* may be a token */
	free(q);
}

static void
drop_queue(struct peer *p)
{
	while (!TAILQ_EMPTY(&p->queue))
		queued_free(p, TAILQ_FIRST(&p->queue));
	(void)event_del(p->writable);
}

static void
destroy(struct peer *p)
{
	explicit_bzero(p->space, sizeof(p->space));
	free(p);
}

void
peer_free(struct peer *p)
{
	if (p == NULL || p->freed)
		return;
	drop_queue(p);
	event_free(p->readable);
	event_free(p->writable);
	event_free(p->ending);
	ipc_close(&p->params.fd);
	p->ended = p->freed = true;
	if (!p->busy)
		destroy(p);
}

int
peer_release(struct peer *p)
{
	int fd = p->params.fd;

	p->params.fd = -1;
	peer_free(p);
	return fd;
}

/* The connection is over; the owner hears of it from the loop. */
static void
end_later(struct peer *p, enum peer_end end, int error)
{
	if (p->ended)
		return;
	p->ended = true;
	p->end = end;
	p->error = error;
	(void)event_del(p->readable);
	drop_queue(p);
	event_active(p->ending, EV_TIMEOUT, 0);
}

/*
 * The other side reads no more. What it said before it left still counts (why
 * a child leaves, for one), so the end comes when that is read.
 */
static void
go_deaf(struct peer *p)
{
	p->deaf = true;
	drop_queue(p);
	event_active(p->readable, EV_READ, 0);
}

static void
on_ending(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	errno = p->error;
	p->params.ops->on_end(p, p->end, p->params.arg);
}

/* --- receiving ------------------------------------------------------------ */

static void
breach(struct peer *p, const char *name, const char *what)
{
	log_warnx(
	    "%s sent %s: %s", proto_role_name(p->params.other), name, what);
	end_later(p, PEER_BREACH, 0);
}

static void
hand_over(struct peer *p, struct ipc_frame *frame)
{
	const char *fault =
	    proto_check(frame, p->params.other, p->params.self, p->state);

	if (fault != NULL) {
		breach(p, proto_name(frame->type), fault);
		return;
	}
	p->busy = true;
	p->params.ops->on_frame(p, frame, p->params.arg);
	p->busy = false;
}

/* What ipc_recv said instead of giving a frame: true when there may be one
 * all the same. */
static bool
receive_failed(struct peer *p, int error)
{
	switch (error) {
	case EAGAIN:
		if (p->deaf)
			end_later(p, PEER_EOF, 0);
		return false;
	case ECONNRESET:
		/* It closed with frames of ours unread. Linux says so once,
		 * in front of the frames that it had sent before. */
		go_deaf(p);
		return true;
	case EBADMSG:
		breach(p, "a packet", "it is no frame");
		return false;
	default:
		end_later(p, PEER_ERROR, error);
		return false;
	}
}

/* One frame: true when there may be another. */
static bool
receive(struct peer *p)
{
	struct ipc_frame frame;
	int n = ipc_recv(p->params.fd, p->space, &frame);

	if (n == 1) {
		hand_over(p, &frame);
		ipc_close_fd(&frame.fd);
		return !p->ended;
	}
	if (n == -1)
		return receive_failed(p, errno);
	end_later(p, PEER_EOF, 0);
	return false;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < TURN_MAX && receive(p); i++)
		;
	if (p->freed)
		destroy(p);
	else
		explicit_bzero(p->space, sizeof(p->space));
}

/* --- sending -------------------------------------------------------------- */

/* True when the frame is gone. When it is not and the reason is not a full
 * socket, the queue is empty and nothing more may be sent. */
static bool
transmit(struct peer *p, const struct ipc_frame *frame)
{
	if (ipc_send(p->params.fd, frame) == 0)
		return true;
	if (errno == EPIPE || errno == ECONNRESET)
		go_deaf(p);
	else if (errno != EAGAIN)
		end_later(p, PEER_ERROR, errno);
	return false;
}

void
peer_flush(struct peer *p)
{
	struct queued *q;

	while ((q = TAILQ_FIRST(&p->queue)) != NULL) {
		if (!transmit(p, &q->frame))
			return;
		queued_free(p, q);
	}
	(void)event_del(p->writable);
}

size_t
peer_waiting(const struct peer *p)
{
	return p->frames;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	peer_flush(arg);
}

static void
enqueue(struct peer *p, const struct ipc_frame *frame)
{
	struct queued *q;

	if (p->frames >= QUEUE_FRAMES || p->bytes + frame->len > QUEUE_BYTES) {
		log_warnx("%s does not read: %zu messages are waiting",
		    proto_role_name(p->params.other), p->frames);
		end_later(p, PEER_OVERFLOW, 0);
		return;
	}
	q = malloc(sizeof(*q) + frame->len);
	if (q == NULL)
		fatalx("out of memory");
	q->frame = *frame;
	if (frame->len > 0)
		memcpy(q->payload, frame->payload, frame->len);
	q->frame.payload = q->payload;
	TAILQ_INSERT_TAIL(&p->queue, q, entry);
	p->frames++;
	p->bytes += frame->len;
	if (frame->fd != -1 &&
	    (q->frame.fd = fcntl(frame->fd, F_DUPFD_CLOEXEC, 3)) == -1) {
		end_later(p, PEER_ERROR, errno);
		return;
	}
	if (event_add(p->writable, NULL) == -1)
		fatalx("an event cannot be added");
}

void
peer_send(struct peer *p, uint16_t type, uint32_t id, const void *payload,
    size_t len, int fd)
{
	struct ipc_frame frame = {
	    .type = type, .id = id, .payload = payload, .fd = fd};
	const char *fault;

	if (p->ended || p->deaf)
		return;
	/* What is longer than any frame stays too long. */
	frame.len = len > IPC_FRAME_MAX ? IPC_FRAME_MAX : (uint32_t)len;
	fault = proto_check(&frame, p->params.self, p->params.other, p->state);
	if (fault != NULL)
		fatalx("sending %s to %s: %s", proto_name(type),
		    proto_role_name(p->params.other), fault);
	if (TAILQ_EMPTY(&p->queue) && transmit(p, &frame))
		return;
	if (!p->ended && !p->deaf)
		enqueue(p, &frame);
}

void
peer_send_put(
    struct peer *p, uint16_t type, uint32_t id, const uint8_t *space, int len)
{
	if (len < 0)
		fatalx("%s does not fit", proto_name(type));
	peer_send(p, type, id, space, (size_t)len, -1);
}

void
peer_send_empty(struct peer *p, uint16_t type, uint32_t id)
{
	peer_send(p, type, id, NULL, 0, -1);
}

/* --- life ----------------------------------------------------------------- */

enum proto_state
peer_state(const struct peer *p)
{
	return p->state;
}

void
peer_set_state(struct peer *p, enum proto_state state)
{
	p->state = state;
}

struct peer *
peer_create(const struct peer_params *params)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		fatalx("out of memory");
	p->params = *params;
	p->state = PROTO_NEW;
	TAILQ_INIT(&p->queue);
	p->readable = event_new(
	    params->base, params->fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(
	    params->base, params->fd, EV_WRITE | EV_PERSIST, on_writable, p);
	p->ending = event_new(params->base, -1, 0, on_ending, p);
	if (p->readable == NULL || p->writable == NULL || p->ending == NULL ||
	    event_add(p->readable, NULL) == -1)
		fatalx("out of memory");
	return p;
}
