/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util.h"
#include "ws_socket.h"

#define TYPE (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int
connect_to(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (fd == -1)
		return -1;
	/* EAGAIN: the backlog of a Unix socket is full; nothing is under way
	 * then, so it is an error like any other. */
	if (connect(fd, addr, len) == -1 && errno != EINPROGRESS)
		util_close(&fd);
	return fd;
}

int
ws_socket_tcp(const char *addr, uint16_t port)
{
	struct addrinfo hints, *ai = NULL;
	char service[8];
	int fd, on = 1;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	(void)util_fmt(service, sizeof(service), "%u", port);
	if (getaddrinfo(addr, service, &hints, &ai) != 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	fd = socket(ai->ai_family, TYPE, 0);
	if (fd != -1) {
		/* Messages are small and should not wait for each other; an
		 * application that vanished should be found out. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	fd = connect_to(fd, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return fd;
}

int
ws_socket_unix(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (util_strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return connect_to(socket(AF_UNIX, TYPE, 0),
	    (const struct sockaddr *)&sun, sizeof(sun));
}

int
ws_socket_error(int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	return error;
}
