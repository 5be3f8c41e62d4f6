/* SPDX-License-Identifier: MIT */
/*
 * The conversation of telephonectl: one question, its answers, DONE with the
 * exit code.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "ipc.h"
#include "log.h"
#include "proto.h"
#include "telephonectl.h"
#include "util.h"

/* Longer than a reload may take in the supervisor. */
#define ANSWER_MS (100 * 1000)

int
telephonectl_fail(int code, const char *what, const char *more)
{
	(void)fprintf(stderr, "telephonectl: %s%s%s\n", what,
	    more[0] != '\0' ? ": " : "", more);
	return code;
}

/* --- the socket ----------------------------------------------------------- */

/* The same default as the supervisor's. */
void
telephonectl_socket(char *path, size_t size)
{
	const char *env = getenv("CONTROL_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (env != NULL && env[0] != '\0') {
		(void)util_strlcpy(path, env, size);
		return;
	}
	if (geteuid() == 0)
		(void)util_strlcpy(path, "/run/telephone/telephone.sock", size);
	else if (runtime != NULL && runtime[0] == '/')
		(void)util_fmt(path, size, "%s/telephone.sock", runtime);
	else
		(void)util_fmt(
		    path, size, "/tmp/telephone-%u/telephone.sock", geteuid());
	/* An ordinary user of a telephone that root has started. */
	if (geteuid() != 0 && access(path, F_OK) == -1 &&
	    access("/run/telephone/telephone.sock", F_OK) == 0)
		(void)util_strlcpy(path, "/run/telephone/telephone.sock", size);
}

/* Why that failed, as an exit code and for people. */
static int
dial_failed(int error, char *why, size_t size, const char *path)
{
	const char *text = error == EACCES
	    ? "you may not ask this telephone (be root, its user, or in group "
	      "telephone)"
	    : error == ENAMETOOLONG ? "the socket's path is too long"
	    : error == EAGAIN	    ? "too many ask at once"
	    : error == ENOENT || error == ECONNREFUSED
	    ? "no telephone is running here"
	    : strerror(error);

	(void)util_fmt(why, size, "%s: %s", text, path);
	return error == EACCES	    ? EX_NOPERM
	    : error == ENAMETOOLONG ? EX_USAGE
				    : EX_UNAVAILABLE;
}

static int
dial(const char *path, int flags)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd;

	if (util_strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		util_close(&fd);
	return fd;
}

int
telephonectl_dial(const char *path, int *code, char *why, size_t size)
{
	int fd = dial(path, SOCK_NONBLOCK);

	if (fd == -1)
		*code = dial_failed(errno, why, size, path);
	return fd;
}

int
telephonectl_connect(const char *path, int *code)
{
	char why[1280];
	int fd = dial(path, 0);

	if (fd == -1)
		*code = telephonectl_fail(
		    dial_failed(errno, why, sizeof(why), path), why, "");
	return fd;
}

/* --- the conversation ----------------------------------------------------- */

struct talk {
	int fd;
	int answer_ms; /* how long an answer may take, -1: as long as it does */
	struct answers *answers;
	uint8_t space[IPC_FRAME_MAX];
};

/* Waits for one frame: 0, or -1. */
static int
receive(struct talk *t, struct ipc_frame *frame)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	const char *fault;

	if (poll(&p, 1, t->answer_ms) <= 0) {
		(void)telephonectl_fail(0, "the telephone does not answer", "");
		return -1;
	}
	if (ipc_recv(t->fd, t->space, frame) != 1) {
		(void)telephonectl_fail(
		    0, "the telephone ended the conversation", "");
		return -1;
	}
	util_close(&frame->fd);
	fault = proto_check(frame, PROTO_SUPERVISOR, PROTO_CTL, PROTO_RUNNING);
	if (fault != NULL) {
		(void)telephonectl_fail(0, proto_name(frame->type), fault);
		return -1;
	}
	return 0;
}

static int
take_walls(struct status *s, const struct ipc_frame *frame)
{
	struct proto_sandbox walls;

	if (proto_get_sandbox(frame, &walls) == -1)
		return -1;
	s->walls[walls.process] = walls;
	s->has_walls[walls.process] = true;
	return 0;
}

int
telephonectl_take(struct answers *answers, const struct ipc_frame *frame)
{
	static char text[PROTO_TEXT_MAX], plain[LOG_PLAIN_MAX];
	struct status *s = &answers->status;

	switch (frame->type) {
	case PROTO_TEXT:
		if (proto_get_text(frame, text) == -1)
			return -1;
		(void)printf("%s\n", log_plain(plain, sizeof(plain), text));
		return 0;
	case PROTO_SUPERVISOR_STATUS:
		return proto_get_supervisor_status(frame, &s->supervisor);
	case PROTO_SANDBOX:
		return take_walls(s, frame);
	case PROTO_WORKER_STATUS:
		s->has_worker = true;
		return proto_get_worker_status(frame, &s->worker);
	case PROTO_TOKEND_STATUS:
		s->has_tokend = true;
		return proto_get_tokend_status(frame, &s->tokend);
	case PROTO_TOKEN_REPORT:
		answers->has_report = true;
		return proto_get_report(frame, &answers->report);
	default:
		return -1;
	}
}

static int
converse(struct talk *t, const struct ipc_frame *question)
{
	struct ipc_frame frame = *question;
	uint8_t code;

	if (ipc_send(t->fd, &frame) == -1)
		return telephonectl_fail(
		    EX_UNAVAILABLE, "cannot ask", strerror(errno));
	for (;;) {
		if (receive(t, &frame) == -1)
			return EX_UNAVAILABLE;
		if (frame.type == PROTO_DONE)
			return proto_get_u8(&frame, &code) == 0 ? code
								: EX_SOFTWARE;
		if (telephonectl_take(t->answers, &frame) == -1)
			return telephonectl_fail(EX_SOFTWARE,
			    "an answer of another version",
			    proto_name(frame.type));
	}
}

int
telephonectl_ask(
    const char *path, const struct ipc_frame *question, struct answers *answers)
{
	static struct talk t;
	int code;

	memset(answers, 0, sizeof(*answers));
	t.answers = answers;
	/* A drain has its bound there, SHUTDOWN_TIMEOUT; its end is heard. */
	t.answer_ms = question->type == PROTO_DRAIN ? -1 : ANSWER_MS;
	t.fd = telephonectl_connect(path, &code);
	if (t.fd == -1)
		return code;
	code = converse(&t, question);
	util_close(&t.fd);
	return code;
}
