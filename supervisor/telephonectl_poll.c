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
	p->due_ms = util_mono_ms() + POLL_DUE_MS;
	p->fd = telephonectl_dial(path, &code, why, sizeof(why));
	if (p->fd == -1)
		(void)fail(p, code, why);
	else if (ipc_send(p->fd, &question) == -1)
		(void)fail(p, EX_UNAVAILABLE, strerror(errno));
}

static bool
finish(struct poll_status *p)
{
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
		n = ipc_recv(p->fd, p->space, &frame);
		if (n == 0)
			return fail(p, EX_UNAVAILABLE,
			    "the telephone ended the conversation");
		if (n == -1)
			return nothing(p);
		ipc_close_fd(&frame.fd);
		if (proto_check(&frame, PROTO_SUPERVISOR, PROTO_CTL,
			PROTO_RUNNING) != NULL ||
		    frame.type == PROTO_TEXT)
			break;
		if (frame.type == PROTO_DONE)
			return finish(p);
		if (telephonectl_take(&p->answers, &frame) == -1)
			break;
	}
	return fail(p, EX_SOFTWARE, "an answer of another version");
}
