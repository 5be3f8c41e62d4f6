/* SPDX-License-Identifier: MIT */
/* fork, exec, and the little that is known of each child. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "child.h"
#include "log.h"
#include "util.h"

#define CHANNEL_FD 3

struct child {
	struct child_params params;
	struct peer *peer;
	pid_t pid;
	bool running;
	unsigned unheard; /* polls since its last word */
	int64_t born_ms;
};

/* --- exec ----------------------------------------------------------------- */

/* Moves fds to 3, 4, … and closes all others. */
static void
arrange_fds(const int *fds, int count)
{
	int high[2], i;

	/* Above all targets first, so that none overwrites another. */
	for (i = 0; i < count; i++) {
		high[i] = fcntl(fds[i], F_DUPFD, CHANNEL_FD + count);
		if (high[i] == -1)
			_exit(EX_OSERR);
	}
	for (i = 0; i < count; i++)
		if (dup2(high[i], CHANNEL_FD + i) == -1)
			_exit(EX_OSERR);
	if (util_close_from(CHANNEL_FD + count) == -1) {
		log_errorx("close_range(2) is refused here (%s): a child would "
			   "inherit descriptors; use a kernel of 5.9 or later, "
			   "or a container that allows it",
		    strerror(errno));
		_exit(EX_OSERR);
	}
}

static void
default_signals(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

struct program {
	const char *name; /* sibling executable */
	char **argv;
	const int *fds;
	int fd_count;
	bool mute; /* no standard output: often it is the log's description */
};

static void
become(const struct program *p)
{
	static char *const environment[] = {NULL};
	char path[PATH_MAX];
	int null = open("/dev/null", O_RDWR);

	if (util_sibling(path, sizeof(path), p->name) == -1)
		_exit(EX_OSERR);
	(void)setpgid(0, 0);
	default_signals();
	if (null != -1)
		(void)dup2(null, STDIN_FILENO);
	if (null != -1 && p->mute)
		(void)dup2(null, STDOUT_FILENO);
	arrange_fds(p->fds, p->fd_count);
	(void)execve(path, p->argv, environment);
	log_errorx("%s cannot be executed: %s; is the package complete?", path,
	    strerror(errno));
	_exit(EX_UNAVAILABLE);
}

static pid_t
spawn(const struct program *p)
{
	sigset_t all, before;
	pid_t pid;

	/* Until exec the child has our handlers, and they write to a pipe that
	 * it shares with us: a signal to it would count as one to us. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(p);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid == -1)
		log_errorx("no process for %s: %s; look at the limits of "
			   "processes and memory (pids.max, ulimit -u)",
		    p->name, strerror(errno));
	return pid;
}

/* --- messages ------------------------------------------------------------- */

static void
on_hello(struct child *c, struct ipc_frame *frame)
{
	char build[PROTO_BUILD_MAX];
	enum proto_role role;

	if (proto_get_hello(frame, &role, build) == -1 ||
	    role != c->params.role) {
		child_kill(c, "its HELLO is malformed");
		return;
	}
	if (strcmp(build, proto_build()) != 0) {
		c->params.ops->on_stranger(c, build, c->params.arg);
		return;
	}
	peer_set_state(c->peer, PROTO_SETUP);
	c->params.ops->on_hello(c, c->params.arg);
}

static void
on_frame(struct peer *peer, struct ipc_frame *frame, void *arg)
{
	struct child *c = arg;

	(void)peer;
	c->unheard = 0;
	if (frame->type == PROTO_HELLO)
		on_hello(c, frame);
	else
		c->params.ops->on_frame(c, frame, c->params.arg);
}

/* An end of file is followed by the end of the process, which waitpid
 * reports; whoever ended the conversation otherwise is ended. */
static void
on_end(struct peer *peer, enum peer_end end, void *arg)
{
	struct child *c = arg;

	(void)peer;
	if (end != PEER_EOF)
		child_kill(c, "its conversation is over");
}

static const struct peer_ops peer_ops = {on_frame, on_end};

/* --- life ----------------------------------------------------------------- */

struct child *
child_start(const struct child_params *params)
{
	static char worker_title[] = "telephone: worker";
	static char tokend_title[] = "telephone: tokend";
	bool worker = params->role == PROTO_WORKER;
	char *argv[] = {worker ? worker_title : tokend_title, NULL};
	struct peer_params peer = {
	    .base = params->base,
	    .self = PROTO_SUPERVISOR,
	    .other = params->role,
	    .ops = &peer_ops,
	};
	struct program program = {.name = worker ? "worker" : "tokend",
	    .argv = argv,
	    .fd_count = 1,
	    .mute = true};
	struct child *c;
	int sv[2];
	pid_t pid;

	if (ipc_pair(sv) == -1) {
		log_warn("no socket pair for a child");
		return NULL;
	}
	(void)ipc_refuse_fds(sv[0]); /* children have nothing to give */
	program.fds = &sv[1];
	pid = spawn(&program);
	(void)close(sv[1]);
	if (pid == -1) {
		(void)close(sv[0]);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		fatalx("out of memory");
	c->params = *params;
	c->pid = pid;
	c->born_ms = util_mono_ms();
	peer.fd = sv[0];
	peer.arg = c;
	c->peer = peer_create(&peer);
	log_debug("%s started, pid %d", proto_role_name(params->role), pid);
	return c;
}

void
child_free(struct child *c)
{
	if (c == NULL)
		return;
	peer_free(c->peer);
	free(c);
}

struct peer *
child_peer(struct child *c)
{
	return c->peer;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

enum proto_role
child_role(const struct child *c)
{
	return c->params.role;
}

bool
child_is_running(const struct child *c)
{
	return c->running;
}

void
child_set_running(struct child *c)
{
	c->running = true;
	peer_set_state(c->peer, PROTO_RUNNING);
}

int64_t
child_age_ms(const struct child *c)
{
	return util_mono_ms() - c->born_ms;
}

unsigned
child_poll(struct child *c)
{
	return ++c->unheard;
}

unsigned
child_unheard(const struct child *c)
{
	return c->unheard;
}

bool
child_stop(struct child *c, enum proto_stop why)
{
	uint8_t byte = (uint8_t)why;

	if (peer_state(c->peer) == PROTO_NEW) {
		child_kill(c, NULL);
		return false;
	}
	peer_send(c->peer, PROTO_STOP, 0, &byte, 1, -1);
	return true;
}

void
child_kill(struct child *c, const char *why)
{
	if (why != NULL)
		log_warnx("%s (pid %d) is killed: %s",
		    proto_role_name(c->params.role), c->pid, why);
	if (kill(c->pid, SIGKILL) == -1 && errno != ESRCH)
		log_warn("pid %d cannot be killed", c->pid);
}

const char *
child_status_text(int status, char *space, size_t size)
{
	if (WIFSIGNALED(status))
		(void)util_fmt(space, size, "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		(void)util_fmt(
		    space, size, "exit code %d", WEXITSTATUS(status));
	return space;
}

int
child_check_secrets(const struct config_secrets *s)
{
	static char title[] = "tokend", option[] = "--check";
	static char words[][9] = {"secret", "previous", "jwt_key", "token"};
	const int all[] = {s->secret, s->previous, s->jwt_key, s->token};
	char *argv[3 + UTIL_COUNT(all)] = {title, option};
	struct program program = {.name = "tokend", .argv = argv};
	int fds[UTIL_COUNT(all)], status;
	size_t i;
	pid_t pid;

	for (i = 0; i < UTIL_COUNT(all); i++) {
		if (all[i] == -1)
			continue;
		argv[2 + program.fd_count] = words[i];
		fds[program.fd_count++] = all[i];
	}
	program.fds = fds;
	pid = spawn(&program);
	if (pid == -1)
		return EX_SOFTWARE;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_SOFTWARE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}
