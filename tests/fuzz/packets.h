/* SPDX-License-Identifier: MIT */
/*
 * For targets that speak through a real socket: an input as a row of packets,
 * and whether a descriptor was left open. Of the input each packet takes two
 * bytes of length, one that says how many descriptors go along (0 to 3), and
 * itself; what is announced longer than the rest is the rest.
 */
#ifndef TESTS_FUZZ_PACKETS_H
#define TESTS_FUZZ_PACKETS_H

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

#define PACKETS_FDS 4
#define PACKETS_HEAD 3

struct packets {
	const uint8_t *data;
	size_t len;
};

/* One packet, as sendmsg(2) says of it; its descriptors are copies of fd. */
static inline ssize_t
packets_send(int fd, const uint8_t *data, size_t len, size_t fds)
{
	_Alignas(struct cmsghdr)
	    uint8_t control[CMSG_SPACE(PACKETS_FDS * sizeof(int))];
	const int passed[PACKETS_FDS] = {fd, fd, fd, fd};
	uint8_t *copy = fuzz_copy(data, len, 0);
	struct iovec iov = {copy, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t sent;

	memset(control, 0, sizeof(control));
	if (fds > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(c), passed, fds * sizeof(int));
	}
	sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(copy);
	return sent;
}

/* The next one goes, whether the other side takes it or not. False: there was
 * none. */
static inline bool
packets_next(struct packets *p, int fd)
{
	size_t len;

	if (p->len < PACKETS_HEAD)
		return false;
	len = (size_t)p->data[0] << 8 | p->data[1];
	len = len < p->len - PACKETS_HEAD ? len : p->len - PACKETS_HEAD;
	(void)packets_send(
	    fd, p->data + PACKETS_HEAD, len, p->data[2] % PACKETS_FDS);
	p->data += PACKETS_HEAD + len;
	p->len -= PACKETS_HEAD + len;
	return true;
}

/* The next descriptor that is free: the same as long as none is left open. */
static inline int
packets_next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	FUZZ_MUST(fd != -1);
	(void)close(fd);
	return fd;
}

#endif
