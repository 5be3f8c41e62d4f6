/* SPDX-License-Identifier: MIT */
/* ipc.h: a packet as it may arrive, with as many descriptors as the first byte
 * says (0 to 3), through a real socket. */
#include <errno.h>

#include "ipc.h"
#include "packets.h"

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
	fds = data[0] % PACKETS_FDS;
	free_fd = packets_next_fd();
	FUZZ_MUST(
	    packets_send(sv[0], data + 1, len - 1, fds) == (ssize_t)(len - 1));
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
	FUZZ_MUST(packets_next_fd() == free_fd); /* nothing is left open */
	return 0;
}
