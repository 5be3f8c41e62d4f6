/* SPDX-License-Identifier: MIT */
/* ipc.h: a packet as it may arrive, with as many descriptors as the first byte
 * says (0 to 3), through a real socket. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "ipc.h"

static void
send_packet(int fd, const uint8_t *data, size_t len, size_t fds)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(3 * sizeof(int))];
	uint8_t *copy = fuzz_copy(data, len, 0);
	struct iovec iov = {copy, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	const int passed[3] = {fd, fd, fd};
	struct cmsghdr *c;

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
	FUZZ_MUST(sendmsg(fd, &msg, 0) == (ssize_t)len);
	free(copy);
}

/* The next descriptor that is free: the same as long as none is left open. */
static int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	FUZZ_MUST(fd != -1);
	(void)close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t space[IPC_FRAME_MAX];
	static int sv[2] = {-1, -1};
	struct ipc_frame f, again;
	size_t fds;
	int n, free_fd;

	if (sv[0] == -1)
		FUZZ_MUST(ipc_pair(sv) == 0);
	if (len == 0 || len > IPC_FRAME_MAX + 100)
		return 0;
	fds = data[0] % 4;
	free_fd = next_fd();
	send_packet(sv[0], data + 1, len - 1, fds);
	n = ipc_recv(sv[1], space, &f);
	if (n == 1) {
		FUZZ_MUST(fds == (f.fd != -1) && f.flags == 0);
		FUZZ_MUST(f.len + IPC_HEADER_LEN == len - 1);
		/* What was taken can be sent, and is taken again as it was. */
		again = f;
		again.payload = fuzz_copy(f.payload, f.len, 0);
		FUZZ_MUST(ipc_send(sv[0], &again) == 0);
		if (f.fd != -1)
			(void)close(f.fd);
		FUZZ_MUST(ipc_recv(sv[1], space, &f) == 1);
		FUZZ_MUST(f.type == again.type && f.id == again.id &&
		    f.len == again.len &&
		    memcmp(f.payload, again.payload, f.len) == 0);
		free((void *)(uintptr_t)again.payload);
		if (f.fd != -1)
			(void)close(f.fd);
	} else {
		FUZZ_MUST(n == 0 || errno == EBADMSG);
	}
	FUZZ_MUST(next_fd() == free_fd); /* nothing is left open */
	return 0;
}
