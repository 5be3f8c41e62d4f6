/* SPDX-License-Identifier: MIT */
/*
 * Framing between our processes: SOCK_SEQPACKET, one frame a packet, a twelve
 * byte header {u16 type, u16 flags, u32 id, u32 len} and at most one
 * descriptor by SCM_RIGHTS. Knows no message (proto.h does) and no loop
 * (peer.h does).
 */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stddef.h>
#include <stdint.h>

#define IPC_HEADER_LEN 12
#define IPC_PAYLOAD_MAX (64 * 1024)
#define IPC_FRAME_MAX (IPC_HEADER_LEN + IPC_PAYLOAD_MAX)

struct ipc_frame {
	uint16_t type;
	uint16_t flags; /* none defined: must be 0 */
	uint32_t id;	/* pairs an answer with its question; 0: unasked */
	uint32_t len;
	const uint8_t *payload;
	int fd; /* -1: none. After ipc_recv the receiver owns it */
};

/* A connected pair, close-on-exec and non-blocking. 0, or -1 with errno. */
int ipc_pair(int sv[2]);

/*
 * Nobody can send a descriptor to this end any more (EPERM for him). -1 where
 * the kernel does not know that (before Linux 6.16). For channels on which no
 * message brings one: a descriptor has its effects even on him who closes it.
 */
int ipc_refuse_fds(int fd);

/*
 * Close what came by a frame, and an end with all that was not read: without
 * waiting, whatever whoever sent a descriptor had set up for its last close
 * (SO_LINGER). *fd is -1 afterwards.
 */
void ipc_close_fd(int *fd);
void ipc_close(int *fd);

/* Sends one frame; the descriptor stays the caller's. 0, or -1 with errno
 * (EAGAIN: try again when writable; EMSGSIZE: larger than IPC_PAYLOAD_MAX). */
int ipc_send(int fd, const struct ipc_frame *);

/*
 * Receives one frame into space (IPC_FRAME_MAX bytes; payload points there).
 * Returns 1, 0 at end of file, or -1 with errno: EAGAIN, or EBADMSG for a
 * packet that is no frame (short, longer than announced, flags set, more than
 * one descriptor; whatever descriptors came with it are closed).
 */
int ipc_recv(int fd, uint8_t *space, struct ipc_frame *);

#endif
