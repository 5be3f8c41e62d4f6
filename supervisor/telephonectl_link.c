/* SPDX-License-Identifier: MIT */
/* The conversation of telephonectl_link.h. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "proto.h"
#include "telephonectl.h"
#include "telephonectl_link.h"
#include "util.h"

void
link_init(struct link *l)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

void
link_close(struct link *l)
{
	util_close(&l->fd);
	l->state = LINK_DOWN;
}

static int
fail(struct link *l, int code, const char *why)
{
	link_close(l);
	l->code = code;
	(void)log_plain(l->why, sizeof(l->why), why);
	return -1;
}

int
link_refuse(struct link *l, const char *what)
{
	char why[LINK_WHY_MAX];

	(void)util_fmt(
	    why, sizeof(why), "an answer of another version: %s", what);
	return fail(l, EX_SOFTWARE, why);
}

static int
say(struct link *l, uint16_t type, const void *payload, int len)
{
	const struct ipc_frame frame = {
	    .type = type, .payload = payload, .len = (uint32_t)len, .fd = -1};

	if (ipc_send(l->fd, &frame) == 0)
		return 0;
	/* Why it is over may be told, and is then still to be read. */
	if (errno == EPIPE || errno == ECONNRESET)
		return 0;
	return fail(l, EX_UNAVAILABLE, strerror(errno));
}

int
link_open(struct link *l, const char *path)
{
	link_close(l);
	l->why[0] = '\0';
	l->fd = telephonectl_dial(path, &l->code, l->why, sizeof(l->why));
	if (l->fd == -1)
		return -1;
	l->state = LINK_CALLED;
	l->due_ms = util_mono_ms() + LINK_ANSWER_MS;
	return say(l, PROTO_WATCH, NULL, 0);
}

void
link_ask(struct link *l, uint16_t type, const void *payload, int len,
    int64_t wait_ms)
{
	l->state = LINK_ASKED;
	l->due_ms = util_mono_ms() + wait_ms + LINK_ANSWER_MS;
	(void)say(l, type, payload, len);
}

/* --- receiving ------------------------------------------------------------ */

/* The supervisor or the worker cannot serve us, and says why. */
static int
take_text(struct link *l, const struct ipc_frame *frame)
{
	static char text[PROTO_TEXT_MAX];

	if (proto_get_text(frame, text) == 0)
		(void)log_plain(l->why, sizeof(l->why), text);
	return 0;
}

static int
take_done(struct link *l, const struct ipc_frame *frame)
{
	uint8_t code = EX_SOFTWARE;

	(void)proto_get_u8(frame, &code);
	link_close(l);
	l->code = code == EX_OK ? EX_UNAVAILABLE : code;
	if (l->why[0] == '\0')
		return fail(l, l->code, "the telephone has ended it");
	return -1;
}

static int
take(struct link *l, const struct ipc_frame *frame)
{
	bool waits = l->state == LINK_CALLED;
	enum proto_role from = waits && frame->type != PROTO_WATCHED
	    ? PROTO_SUPERVISOR
	    : PROTO_WORKER;

	if (proto_check(frame, from, PROTO_CTL, PROTO_RUNNING) != NULL)
		return link_refuse(l, proto_name(frame->type));
	if (frame->type == PROTO_TEXT)
		return take_text(l, frame);
	if (frame->type == PROTO_DONE)
		return take_done(l, frame);
	if (l->state == LINK_ASKED && frame->type != PROTO_WATCHED) {
		l->state = LINK_READY;
		return 1;
	}
	if (!waits || watch_get_greeting(frame, &l->greeting) == -1)
		return link_refuse(l, proto_name(frame->type));
	l->state = LINK_READY;
	return 0;
}

static int
nothing(struct link *l)
{
	if (errno == EBADMSG)
		return link_refuse(l, "no frame");
	if (errno != EAGAIN)
		return fail(l, EX_UNAVAILABLE, "the worker has ended");
	if (l->state != LINK_READY && util_mono_ms() >= l->due_ms)
		return fail(l, EX_UNAVAILABLE, "the worker does not answer");
	return 0;
}

int
link_read(struct link *l, struct ipc_frame *frame)
{
	enum link_state before;
	int n;

	if (l->state == LINK_DOWN)
		return -1;
	do {
		before = l->state;
		n = telephonectl_recv(l->fd, l->space, frame);
		if (n == 0)
			return fail(l, EX_UNAVAILABLE,
			    before == LINK_CALLED
				? "the worker ended before it answered"
				: "the worker has ended");
		if (n == -1)
			return nothing(l);
		ipc_close_fd(&frame->fd);
		n = take(l, frame);
	} while (n == 0 && l->state == before); /* a text: more follows */
	return n;
}

int64_t
link_due_ms(const struct link *l)
{
	return l->state == LINK_DOWN || l->state == LINK_READY ? -1 : l->due_ms;
}
