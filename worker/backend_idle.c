/* SPDX-License-Identifier: MIT */
/* A list of descriptors. Its owner closes them: here they are shut down and
 * read empty, so that libcurl finds them ended when it looks whether one is
 * alive. With a byte left in one it would take it, and lose a request. */
#include <poll.h>
#include <sys/socket.h>

#include "backend_idle.h"

/* Reads of one connection: who sends more than this is cut all the same. */
#define READS_MAX 64

static void
cut(int fd)
{
	char scrap[16 * 1024];
	int i;

	(void)shutdown(fd, SHUT_RDWR);
	for (i = 0; i < READS_MAX; i++)
		if (recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) <= 0)
			return;
}

void
backend_idle_remove(struct backend_idle *idle, int fd)
{
	unsigned i;

	for (i = 0; i < idle->count; i++)
		if (idle->fd[i] == fd) {
			idle->fd[i] = idle->fd[--idle->count];
			return;
		}
}

void
backend_idle_add(struct backend_idle *idle, int fd)
{
	backend_idle_remove(idle, fd);
	if (idle->count == BACKEND_IDLE_MAX)
		cut(fd);
	else
		idle->fd[idle->count++] = fd;
}

void
backend_idle_sweep(struct backend_idle *idle)
{
	struct pollfd set[BACKEND_IDLE_MAX];
	unsigned i, n = idle->count;

	for (i = 0; i < n; i++) {
		set[i].fd = idle->fd[i];
		set[i].events = POLLIN;
		set[i].revents = 0;
	}
	if (n == 0 || poll(set, n, 0) <= 0)
		return;
	for (i = 0; i < n; i++) {
		if (set[i].revents == 0)
			continue;
		cut(set[i].fd);
		backend_idle_remove(idle, set[i].fd);
	}
}
