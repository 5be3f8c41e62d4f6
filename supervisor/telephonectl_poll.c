/* SPDX-License-Identifier: MIT */
/* The conversation of telephonectl_poll.h. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "proto.h"
#include "telephonectl_poll.h"
#include "util.h"

void
poll_init(struct poll_status *p)
{
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

void
poll_close(struct poll_status *p)
{
	util_close(&p->fd);
}

static bool
fail(struct poll_status *p, int code, const char *why)
{
	poll_close(p);
	p->code = code;
	(void)log_plain(p->why, sizeof(p->why), why);
	return true;
}

void
poll_ask(struct poll_status *p, const char *path)
{
	const struct ipc_frame question = {.type = PROTO_STATUS, .fd = -1};
	char why[1280];
	int code;

	if (p->fd != -1)
		return;
	memset(&p->answers, 0, sizeof(p->answers));
	p->said[0] = '\0';
	p->due_ms = util_mono_ms() + POLL_DUE_MS;
	p->fd = telephonectl_dial(path, &code, why, sizeof(why));
	if (p->fd == -1)
		(void)fail(p, code, why);
	else if (ipc_send(p->fd, &question) == -1 && errno != EPIPE &&
	    errno != ECONNRESET) /* then it is told why */
		(void)fail(p, EX_UNAVAILABLE, strerror(errno));
}

/* Why it is not told: it is done with that, or says so before. */
static void
take_text(struct poll_status *p, const struct ipc_frame *frame)
{
	static char text[PROTO_TEXT_MAX];

	if (proto_get_text(frame, text) == 0)
		(void)log_plain(p->said, sizeof(p->said), text);
}

static bool
finish(struct poll_status *p, const struct ipc_frame *frame)
{
	uint8_t code = EX_SOFTWARE;

	if (proto_get_u8(frame, &code) == -1 || code != EX_OK)
		return fail(p, code,
		    p->said[0] != '\0' ? p->said
				       : "the telephone does not tell");
	poll_close(p);
	p->status = p->answers.status;
	p->has_status = true;
	p->why[0] = '\0';
	return true;
}

static bool
nothing(struct poll_status *p)
{
	if (errno != EAGAIN)
		return fail(
		    p, EX_UNAVAILABLE, "the telephone ended the conversation");
	if (util_mono_ms() < p->due_ms)
		return false;
	return fail(p, EX_UNAVAILABLE, "the telephone does not answer");
}

bool
poll_read(struct poll_status *p)
{
	struct ipc_frame frame;
	int n;

	if (p->fd == -1)
		return false;
	for (;;) {
		n = telephonectl_recv(p->fd, p->space, &frame);
		if (n == 0)
			return fail(p, EX_UNAVAILABLE,
			    "the telephone ended the conversation");
		if (n == -1)
			return nothing(p);
		ipc_close_fd(&frame.fd);
		if (proto_check(&frame, PROTO_SUPERVISOR, PROTO_CTL,
			PROTO_RUNNING) != NULL)
			break;
		if (frame.type == PROTO_DONE)
			return finish(p, &frame);
		if (frame.type == PROTO_TEXT)
			take_text(p, &frame);
		else if (telephonectl_take(&p->answers, &frame) == -1)
			break;
	}
	return fail(p, EX_SOFTWARE, "an answer of another version");
}
