/* SPDX-License-Identifier: MIT */
/* A list of descriptors. Its owner closes them: here they are shut down, which
 * libcurl sees when it looks whether one is alive. */
#include <poll.h>
#include <sys/socket.h>

#include "backend_idle.h"

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
		(void)shutdown(fd, SHUT_RDWR);
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
		(void)shutdown(set[i].fd, SHUT_RDWR);
		backend_idle_remove(idle, set[i].fd);
	}
}
