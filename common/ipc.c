/* SPDX-License-Identifier: MIT */
/* The framing of ipc.h. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc.h"
#include "pack.h"

/* Room for as many as the kernel lets a packet bring (SCM_MAX_FD), though one
 * is legal: those that were cut off it would close itself, and wait for that.
 */
#define IPC_FDS_SEEN 253

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

/* More packets than fit into a socket's buffer. */
#define UNREAD_MAX 2048

int
ipc_pair(int sv[2])
{
	return socketpair(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv);
}

static void
attach_fd(struct msghdr *msg, void *control, size_t len, int fd)
{
	struct cmsghdr *c;

	msg->msg_control = control;
	msg->msg_controllen = len;
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int
ipc_send(int fd, const struct ipc_frame *f)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
	uint8_t header[IPC_HEADER_LEN];
	struct iovec iov[2] = {{header, sizeof(header)}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	struct pack p;
	ssize_t n;

	if (f->len > IPC_PAYLOAD_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	pack_init(&p, header, sizeof(header));
	pack_u16(&p, f->type);
	pack_u16(&p, f->flags);
	pack_u32(&p, f->id);
	pack_u32(&p, f->len);
	memcpy(&iov[1].iov_base, &f->payload, sizeof(f->payload));
	iov[1].iov_len = f->len;
	if (f->fd != -1)
		attach_fd(&msg, control, sizeof(control), f->fd);
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0; /* a packet goes whole or not at all */
}

int
ipc_refuse_fds(int fd)
{
	int off = 0;

	return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

/* The last close of a socket may wait for bytes that its peer does not read.
 * No socket, or no right: then it does not, or we cannot help it. */
static void
do_not_linger(int fd)
{
	static const struct linger none = {0, 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void
ipc_close_fd(int *fd)
{
	if (*fd == -1)
		return;
	do_not_linger(*fd);
	(void)close(*fd);
	*fd = -1;
}

/* Takes the descriptors out: the first to *fd, the rest are closed. Returns
 * how many there were. */
static size_t
detach_fds(struct msghdr *msg, int *fd)
{
	struct cmsghdr *c;
	size_t i, n, seen = 0;
	int got;

	*fd = -1;
	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++, seen++) {
			memcpy(
			    &got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
			if (seen == 0)
				*fd = got;
			else
				ipc_close_fd(&got);
		}
	}
	return seen;
}

/* A packet with its descriptors; the first of them is the caller's. As
 * recvmsg(2), and *cut: there was more of either. */
struct received {
	size_t fds;
	int fd;
	bool cut;
};

static ssize_t
receive(int fd, void *space, size_t size, struct received *r)
{
	_Alignas(struct cmsghdr)
	    uint8_t control[CMSG_SPACE(IPC_FDS_SEEN * sizeof(int))];
	struct iovec iov = {space, size};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n;

	r->fd = -1;
	r->fds = 0;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	r->fds = detach_fds(&msg, &r->fd);
	r->cut = (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
	return n;
}

/* The kernel would close what the unread packets bring along. */
void
ipc_close(int *fd)
{
	struct received r;
	uint8_t byte;
	int i;

	if (*fd == -1)
		return;
	(void)shutdown(*fd, SHUT_RD); /* nothing new meanwhile */
	for (i = 0; i < UNREAD_MAX; i++) {
		ssize_t n = receive(*fd, &byte, sizeof(byte), &r);

		ipc_close_fd(&r.fd);
		if (n == -1 ? errno != ECONNRESET : n == 0 && r.fds == 0)
			break;
	}
	(void)close(*fd);
	*fd = -1;
}

static int
decode(const uint8_t *space, size_t n, struct ipc_frame *f)
{
	struct unpack u;

	unpack_init(&u, space, n);
	f->type = unpack_u16(&u);
	f->flags = unpack_u16(&u);
	f->id = unpack_u32(&u);
	f->len = unpack_u32(&u);
	f->payload = u.data;
	return u.failed || f->flags != 0 || f->len != u.len ? -1 : 0;
}

int
ipc_recv(int fd, uint8_t *space, struct ipc_frame *f)
{
	struct received r;
	ssize_t n = receive(fd, space, IPC_FRAME_MAX, &r);

	if (n == -1)
		return -1;
	f->fd = r.fd;
	if (n == 0 && r.fds == 0)
		return 0;
	if (r.fds > 1 || r.cut || decode(space, (size_t)n, f) == -1) {
		ipc_close_fd(&f->fd);
		errno = EBADMSG;
		return -1;
	}
	return 1;
}
