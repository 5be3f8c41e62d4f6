/* SPDX-License-Identifier: MIT */
/* The attacks of attack.h on the other ends of this process's channels. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <netinet/in.h>

#include "attack.h"
#include "ipc.h"
#include "proto.h"

#define FDS_SENT 4

/* --- packets -------------------------------------------------------------- */

/* tokend may ask nothing of a socket, and has no others. */
static int
is_peer(int fd)
{
	struct stat sb;

	return fstat(fd, &sb) == 0 && S_ISSOCK(sb.st_mode);
}

/* The pair that the supervisor made: its end says so. */
static int
is_of_supervisor(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.pid == getppid();
}

static int
where(const char *word)
{
	int fd;

	if (strcmp(word, "supervisor") == 0)
		return ATTACK_CHANNEL_FD;
	for (fd = ATTACK_FDS_SEEN; fd > ATTACK_CHANNEL_FD; fd--)
		if (is_peer(fd) && (attack_is_tokend || is_of_supervisor(fd)))
			return fd;
	return -1;
}

struct packet {
	struct ipc_frame frame; /* as it is announced */
	size_t len;		/* as it is */
	size_t fds;
};

static long
send_packet(int fd, const struct packet *p)
{
	uint8_t header[IPC_HEADER_LEN];
	struct iovec iov[2] = {
	    {header, sizeof(header)},
	    {(void *)(p->frame.payload != NULL ? p->frame.payload
					       : attack_zeroes),
		p->len},
	};
	union {
		char space[CMSG_SPACE(FDS_SENT * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	struct cmsghdr *c;
	size_t i, bytes = p->fds * sizeof(int);
	int zero = STDIN_FILENO;

	memcpy(header, &p->frame.type, 2);
	memcpy(header + 2, &p->frame.flags, 2);
	memcpy(header + 4, &p->frame.id, 4);
	memcpy(header + 8, &p->frame.len, 4);
	if (p->fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		for (i = 0; i < p->fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &zero,
			    sizeof(zero));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

void
attack_frame(char **w)
{
	struct packet p;
	long i, times = attack_argument(w[7]), sent = 0;
	int fd = where(w[1]);

	memset(&p, 0, sizeof(p));
	p.frame.type = (uint16_t)attack_argument(w[2]);
	p.frame.flags = (uint16_t)attack_argument(w[3]);
	p.frame.len = (uint32_t)attack_argument(w[4]);
	p.len = (size_t)attack_argument(w[5]);
	p.fds = (size_t)attack_argument(w[6]);
	for (i = 0; i < times && sent >= 0; i++) {
		sent = send_packet(fd, &p);
		if (sent < 0 && errno == EAGAIN) {
			(void)sched_yield(); /* a flood waits for room */
			sent = 0;
		}
	}
	attack_say("frame", sent, errno);
}

void
attack_hello(char **w)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct packet p;
	int n = proto_put_hello(
	    space, attack_is_tokend ? PROTO_TOKEND : PROTO_WORKER);

	memset(&p, 0, sizeof(p));
	/* the build is the last thing in it */
	space[n - 1] ^= 1;
	p.frame.type = PROTO_HELLO;
	p.frame.len = (uint32_t)n;
	p.frame.payload = space;
	p.len = (size_t)n;
	attack_say("hello", send_packet(where(w[1]), &p), errno);
}

void
attack_send(char **w)
{
	static uint8_t payload[2048];
	struct packet p;
	unsigned byte;

	memset(&p, 0, sizeof(p));
	p.frame.type = (uint16_t)attack_argument(w[2]);
	p.frame.id = (uint32_t)attack_argument(w[3]);
	p.frame.payload = payload;
	while (p.len < sizeof(payload) && w[4] != NULL &&
	    sscanf(w[4] + 2 * p.len, "%2x", &byte) == 1)
		payload[p.len++] = (uint8_t)byte;
	p.frame.len = (uint32_t)p.len;
	attack_say("send", send_packet(where(w[1]), &p), errno);
}

void
attack_linger(char **w)
{
	static const struct linger forever = {1, 30};
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)attack_argument(w[2])),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ipc_frame f = {.type = PROTO_JOINED};
	long result;

	f.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(f.fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		attack_say("connect", -1, errno);
	result =
	    setsockopt(f.fd, SOL_SOCKET, SO_LINGER, &forever, sizeof(forever));
	attack_say("setsockopt", result, errno);
	while (
	    send(f.fd, attack_zeroes, sizeof(attack_zeroes), MSG_DONTWAIT) > 0)
		;
	result = ipc_send(where(w[1]), &f);
	attack_say("linger", result, errno);
	(void)close(f.fd);
}

/* --- forged tokens -------------------------------------------------------- */

/* of a length that three divides */
static size_t
base64url(char *out, const char *in, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				     "opqrstuvwxyz0123456789-_";
	const uint8_t *at = (const uint8_t *)in, *end = at + len;
	size_t n = 0;
	uint32_t v;
	int shift;

	for (; at < end; at += 3) {
		v = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
		for (shift = 18; shift >= 0; shift -= 6)
			out[n++] = digits[v >> shift & 63];
	}
	return n;
}

/* Issued in 2065, the next one a second later, good until 2096. */
static void
forge(char *token, size_t size, long i, int pad)
{
	static char json[12000], encoded[16000];
	int n = snprintf(json, sizeof(json),
	    "{\"sub\":\"s\",\"path_id\":\"demo\",\"jti\":\"forged-%ld\","
	    "\"iat\":%ld,\"exp\":4000000000,\"pad\":\"%*s\"}",
	    i, 3000000000 + i, pad, "");

	while (n % 3 != 0)
		json[n++] = ' ';
	encoded[base64url(encoded, json, (size_t)n)] = '\0';
	(void)snprintf(token, size, "eyJhbGciOiJIUzI1NiJ9.%s.AAAA", encoded);
}

void
attack_puts(char **w)
{
	static struct proto_put put = {.outcome = PROTO_REFRESH_OK};
	static uint8_t space[IPC_PAYLOAD_MAX];
	static char sink[IPC_HEADER_LEN + IPC_PAYLOAD_MAX];
	struct packet p;
	int peer = where("peer");
	long i, sent = 0;

	memset(&p, 0, sizeof(p));
	p.frame.type = PROTO_TOKEN_PUT;
	p.frame.payload = space;
	for (i = 0; i < attack_argument(w[1]); i++) {
		forge(put.token, sizeof(put.token), i,
		    (int)attack_argument(w[2]));
		p.frame.len = (uint32_t)proto_put_put(space, &put);
		p.len = p.frame.len;
		while ((sent = send_packet(peer, &p)) < 0 && errno == EAGAIN)
			while (recv(peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
				;
		if (sent < 0)
			break;
	}
	attack_say("puts", sent < 0 ? -1 : i, errno);
}
