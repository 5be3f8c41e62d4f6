/* SPDX-License-Identifier: MIT */
/* The attacks of attack.h that need nothing but system calls. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include "attack.h"
#include "sandbox_parts.h"

static int
number_of(const char *name)
{
	const struct sandbox_call_name *c;

	for (c = sandbox_call_names; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c->nr;
	return -1;
}

void
attack_call(char **w)
{
	int nr = number_of(w[1]);
	long result;

	if (nr == -1) {
		attack_say("unknown call", -1, ENOSYS);
		return;
	}
	result = syscall(nr, attack_argument(w[2]), attack_argument(w[3]),
	    attack_argument(w[4]), attack_argument(w[5]), attack_argument(w[6]),
	    attack_argument(w[7]));
	attack_say(w[1], result, errno);
}

void
attack_hold(char **w)
{
	long held = 0;

	(void)w;
	while (fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) != -1)
		held++;
	attack_say("hold", -held, errno);
}

/* To a port of this machine. */
void
attack_connect(char **w)
{
	struct sockaddr_in sin;
	char what[32];
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)attack_argument(w[1]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	(void)snprintf(what, sizeof(what), "connect %s", w[1]);
	attack_say(what, result, errno);
	(void)close(fd);
}

void
attack_spin(char **w)
{
	volatile int for_ever = 1;

	(void)w;
	attack_say("spin", 0, 0);
	while (for_ever)
		;
}

/* --- what is shared, and forks -------------------------------------------- */

void
attack_listener(char **w)
{
	int fd, listens;
	socklen_t len = sizeof(listens);

	for (fd = ATTACK_CHANNEL_FD; fd < ATTACK_FDS_SEEN; fd++) {
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ==
			-1 ||
		    !listens)
			continue;
		if (strcmp(w[1], "shut") == 0)
			attack_say("listener", shutdown(fd, SHUT_RDWR), errno);
		else
			attack_say("listener", fcntl(fd, F_SETFL, 0), errno);
	}
}

#define BOMB_MAX 50

void
attack_bomb(char **w)
{
	long made = 0;
	pid_t pid = 0;

	(void)w;
	while (made < BOMB_MAX && (pid = fork()) > 0)
		made++;
	if (made < BOMB_MAX && pid == 0)
		_exit(0);
	attack_say("bomb", made > 0 ? made : -1, errno);
}

void
attack_stay(char **w)
{
	static const struct timespec second = {1, 0};
	pid_t pid = fork();

	(void)w;
	if (pid != 0) {
		attack_say("stay", pid, errno);
		return;
	}
	for (;;) {
		attack_say("still here", 0, 0);
		(void)nanosleep(&second, NULL);
	}
}
