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
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "buf.h"
#include "ipc.h"
#include "log.h"
#include "proto.h"
#include "telephonectl.h"
#include "util.h"

/* Longer than a reload, or a question to tokend, may take in the supervisor …
 */
#define ANSWER_MS (100 * 1000)
/* … and what it answers by itself, or without one that is late. */
#define PROMPT_MS (20 * 1000)
/* Lines of an answer, together: a reload may have a fault for each key. */
#define TEXT_MAX ((size_t)1 << 20)

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
	    ? "no telephone is running here (-s names another socket)"
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
	const struct timeval bound = {.tv_sec = PROMPT_MS / 1000};
	int fd;

	if (util_strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	/* Where so many wait already that nobody can join them. */
	if (fd != -1)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
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
	struct buf text; /* lines for people, until it is known of what */
	uint8_t space[IPC_FRAME_MAX];
};

int
telephonectl_recv(int fd, uint8_t *space, struct ipc_frame *frame)
{
	int n = ipc_recv(fd, space, frame);

	if (n == -1 && errno == ECONNRESET)
		n = ipc_recv(fd, space, frame);
	return n;
}

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
	if (telephonectl_recv(t->fd, t->space, frame) != 1) {
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
	struct status *s = &answers->status;

	switch (frame->type) {
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
take_text(struct talk *t, const struct ipc_frame *frame)
{
	static char text[PROTO_TEXT_MAX], plain[LOG_PLAIN_MAX];

	if (proto_get_text(frame, text) == -1)
		return -1;
	(void)log_plain(plain, sizeof(plain), text);
	return buf_printf(&t->text, "%s\n", plain);
}

static int
take(struct talk *t, const struct ipc_frame *frame)
{
	return frame->type == PROTO_TEXT ? take_text(t, frame)
					 : telephonectl_take(t->answers, frame);
}

/* The exit code. */
static int
converse(struct talk *t, const struct ipc_frame *question)
{
	struct ipc_frame frame = *question;
	uint8_t code;

	/* One that is not let in is told so, whatever it has asked. */
	if (ipc_send(t->fd, &frame) == -1 && errno != EPIPE &&
	    errno != ECONNRESET)
		return telephonectl_fail(
		    EX_UNAVAILABLE, "cannot ask", strerror(errno));
	for (;;) {
		if (receive(t, &frame) == -1)
			return EX_UNAVAILABLE;
		if (frame.type == PROTO_DONE)
			return proto_get_u8(&frame, &code) == 0 ? code
								: EX_SOFTWARE;
		if (take(t, &frame) == -1)
			return telephonectl_fail(EX_SOFTWARE,
			    "an answer of another version",
			    proto_name(frame.type));
	}
}

/* What was asked for is for standard output; why it was not had is not, and
 * would be taken for it by a program. */
static void
print_text(const struct talk *t, int code)
{
	if (t->text.len > 0)
		(void)fwrite(t->text.data, 1, t->text.len,
		    code == EX_OK ? stdout : stderr);
}

static int
bound_of(uint16_t question)
{
	switch (question) {
	case PROTO_DRAIN: /* its bound is there; its end is heard */
		return -1;
	case PROTO_RELOAD:
	case PROTO_TOKEN_SET:
	case PROTO_TOKEN_ROTATE:
		return ANSWER_MS;
	default:
		return PROMPT_MS;
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
	t.answer_ms = bound_of(question->type);
	t.fd = telephonectl_connect(path, &code);
	if (t.fd == -1)
		return code;
	buf_init(&t.text, TEXT_MAX);
	code = converse(&t, question);
	print_text(&t, code);
	buf_clear(&t.text);
	util_close(&t.fd);
	return code;
}
