/* SPDX-License-Identifier: MIT */
/*
 * The helper's side of lookup.h. It never returns into the worker's code and
 * leaves with _exit: what the worker registered for its own end is not ours.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lookup.h"
#include "priv.h"
#include "util.h"

/* As long as "telephone: worker": it is written over that. */
#define LOOKUP_TITLE "telephone: lookup"
#define LOOKUP_FD 3

/* Questions that wait for a fork, the oldest first. */
static struct waiting {
	struct lookup_question question;
	int64_t end_ms; /* nobody waits any longer */
} waiting[LOOKUP_WAITING_MAX];
static unsigned waiting_first, waiting_count;

static void
on_child(int sig)
{
	(void)sig; /* only to interrupt ppoll */
}

static void
fill(struct lookup_answer *a, const struct addrinfo *list)
{
	const struct addrinfo *ai;

	for (ai = list; ai != NULL && a->count < LOOKUP_ADDRS_MAX;
	     ai = ai->ai_next) {
		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, a->addr[a->count],
			LOOKUP_ADDR_MAX, NULL, 0, NI_NUMERICHOST) == 0)
			a->count++;
	}
}

static void
answer(int fd, const struct lookup_question *q)
{
	struct lookup_answer a;
	struct addrinfo hints, *list = NULL;

	memset(&a, 0, sizeof(a));
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_ADDRCONFIG;
	a.id = q->id;
	a.error = getaddrinfo(q->host, NULL, &hints, &list);
	if (a.error == 0)
		fill(&a, list);
	if (a.error == 0 && a.count == 0)
		a.error = EAI_NONAME;
	if (list != NULL)
		freeaddrinfo(list);
	(void)send(fd, &a, sizeof(a), MSG_NOSIGNAL);
}

/* SIGALRM ends this process: getaddrinfo may take far longer than anybody
 * waits for it. */
static void
live(uint32_t ms)
{
	struct itimerval life;

	memset(&life, 0, sizeof(life));
	life.it_value.tv_sec = ms / 1000;
	life.it_value.tv_usec = (suseconds_t)(ms % 1000) * 1000 + 1;
	(void)setitimer(ITIMER_REAL, &life, NULL);
}

static void
answer_presence(int fd)
{
	struct lookup_answer a;

	memset(&a, 0, sizeof(a));
	(void)send(fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
wait_turn(const struct lookup_question *q)
{
	struct waiting *w;

	if (waiting_count == LOOKUP_WAITING_MAX) {
		waiting_first = (waiting_first + 1) % LOOKUP_WAITING_MAX;
		waiting_count--;
	}
	w = &waiting[(waiting_first + waiting_count++) % LOOKUP_WAITING_MAX];
	w->question = *q;
	w->end_ms = util_mono_ms() + q->life_ms;
}

/* One question: 1, or 0 when the worker is gone. */
static int
take(int fd)
{
	struct lookup_question q;
	ssize_t n = recv(fd, &q, sizeof(q), MSG_DONTWAIT);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n != (ssize_t)sizeof(q))
		return 0;
	q.host[sizeof(q.host) - 1] = '\0';
	if (q.host[0] == '\0')
		answer_presence(fd);
	else
		wait_turn(&q);
	return 1;
}

/* Begins what may begin. Without a fork the worker's own deadline speaks. */
static void
begin(int fd, enum sandbox_mode mode, unsigned *forks)
{
	struct waiting *w;
	int64_t left_ms;
	pid_t pid;

	while (waiting_count > 0 && *forks < LOOKUP_FORKS_MAX) {
		w = &waiting[waiting_first];
		waiting_first = (waiting_first + 1) % LOOKUP_WAITING_MAX;
		waiting_count--;
		left_ms = w->end_ms - util_mono_ms();
		if (left_ms <= 0)
			continue;
		pid = fork();
		if (pid == 0) {
			live((uint32_t)left_ms);
			if (sandbox_enter_question(mode) == 0)
				answer(fd, &w->question);
			_exit(0);
		}
		if (pid > 0)
			(*forks)++;
	}
}

static void
serve(int fd, enum sandbox_mode mode)
{
	struct sigaction sa;
	sigset_t chld, none;
	unsigned forks = 0;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_child;
	(void)sigaction(SIGCHLD, &sa, NULL);
	(void)sigemptyset(&none);
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &chld, NULL);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (ppoll(&p, 1, NULL, &none) == -1 && errno != EINTR)
			return;
		while (forks > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			forks--;
		if ((p.revents & (POLLERR | POLLNVAL)) != 0)
			return;
		if ((p.revents & (POLLIN | POLLHUP)) != 0 && !take(fd))
			return;
		begin(fd, mode, &forks);
	}
}

static void
be_helper(int fd, const struct lookup_params *params, pid_t parent)
{
	char *argv0 = params->argv0;

	if (argv0 != NULL && strlen(argv0) >= strlen(LOOKUP_TITLE))
		memcpy(argv0, LOOKUP_TITLE, strlen(LOOKUP_TITLE));
	(void)prctl(PR_SET_NAME, "lookup");
	/* Nothing of the worker's: neither its loop nor its channel, whose
	 * copy here would hide the worker's death from the supervisor. */
	if (dup2(fd, LOOKUP_FD) == -1 || util_close_from(LOOKUP_FD + 1) == -1)
		_exit(1);
	priv_die_with_parent(parent);
	sandbox_enter_lookup(params->mode, params->own_user);
	(void)send(LOOKUP_FD, "", 1, MSG_NOSIGNAL);
	serve(LOOKUP_FD, params->mode);
	_exit(0);
}

int
lookup_fork(const struct lookup_params *params)
{
	pid_t parent = getpid(), pid;
	char ready;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		be_helper(sv[1], params, parent);
	(void)close(sv[1]);
	/* Its walls stand before anybody here says READY. */
	if (pid == -1 || recv(sv[0], &ready, 1, 0) != 1) {
		(void)close(sv[0]);
		return -1;
	}
	return sv[0];
}
