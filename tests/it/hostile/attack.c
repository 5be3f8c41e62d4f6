/* SPDX-License-Identifier: MIT */
/*
 * What turns a child into an attacker's: linked into the executables of
 * build/hostile and into nothing else. Before main() it reads its orders from
 * the file "attacks" beside its executable, one a line. At SIGUSR1, sent with
 * sigqueue(3), it carries out the line whose number came with the signal, in
 * whatever walls stand by then, and says on standard error what came of it. A
 * line that begins with `asked` is carried out in the fork that asks name
 * servers, as if one of them had taken it over.
 *
 *	call NAME ARG…	the system call; an argument is a number, @TEXT (a
 *			pointer to it), or # (a pointer to 4096 zeroed bytes)
 *	frame WHERE TYPE FLAGS ANNOUNCED LEN FDS TIMES
 *			TIMES packets with LEN zeroed bytes of payload and FDS
 *			descriptors, to `supervisor` or `peer` (worker, tokend)
 *	hello WHERE BUILD	HELLO with another build
 *	hold		descriptors until there are no more
 *	connect PORT	to a port of this machine
 *	spin		for ever
 *	linger WHERE PORT	a descriptor whose last close waits for a peer
 *			(127.0.0.1, PORT) that does not read
 *	listener HOW	the health listener is shut down (shut) or blocks
 *	bomb		forks until there are no more, 50 at most
 *	stay		a fork that says each second that it lives
 *	send WHERE TYPE ID HEX	one packet with this payload
 *	puts N PAD	N TOKEN_PUTs to tokend, each with another forged token,
 *			PAD bytes longer than needed, while its answers are read
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include "ipc.h"
#include "proto.h"
#include "sandbox_parts.h"
#include "util.h"

#define CHANNEL_FD 3
#define FDS_SEEN 256
#define FDS_SENT 4
#define WORDS_MAX 10

/* A meta test looks for it where it may not be. */
static const char mark[] = "attack build: not for use";

static char orders[64 * 1024];
static uint8_t zeroes[70 * 1024];

static void
say(const char *what, long result, int error)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "attack: %s = %ld %s\n", what,
	    result, result < 0 ? strerrorname_np(error) : "");

	if (n > 0)
		(void)!write(STDERR_FILENO, line, (size_t)n);
}

/* --- system calls --------------------------------------------------------- */

static int
number_of(const char *name)
{
	const struct sandbox_call_name *c;

	for (c = sandbox_call_names; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c->nr;
	return -1;
}

static long
argument(const char *word)
{
	if (word == NULL)
		return 0;
	if (word[0] == '@')
		return (long)(word + 1);
	if (word[0] == '#')
		return (long)zeroes;
	return strtol(word, NULL, 0);
}

static void
attack_call(char **w)
{
	int nr = number_of(w[1]);
	long result;

	if (nr == -1) {
		say("unknown call", -1, ENOSYS);
		return;
	}
	result = syscall(nr, argument(w[2]), argument(w[3]), argument(w[4]),
	    argument(w[5]), argument(w[6]), argument(w[7]));
	say(w[1], result, errno);
}

/* --- frames --------------------------------------------------------------- */

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

static int is_tokend;

static int
where(const char *word)
{
	int fd;

	if (strcmp(word, "supervisor") == 0)
		return CHANNEL_FD;
	for (fd = FDS_SEEN; fd > CHANNEL_FD; fd--)
		if (is_peer(fd) && (is_tokend || is_of_supervisor(fd)))
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
	    {(void *)(p->frame.payload != NULL ? p->frame.payload : zeroes),
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

static void
attack_frame(char **w)
{
	struct packet p;
	long i, times = argument(w[7]), sent = 0;
	int fd = where(w[1]);

	memset(&p, 0, sizeof(p));
	p.frame.type = (uint16_t)argument(w[2]);
	p.frame.flags = (uint16_t)argument(w[3]);
	p.frame.len = (uint32_t)argument(w[4]);
	p.len = (size_t)argument(w[5]);
	p.fds = (size_t)argument(w[6]);
	for (i = 0; i < times && sent >= 0; i++) {
		sent = send_packet(fd, &p);
		if (sent < 0 && errno == EAGAIN) {
			(void)sched_yield(); /* a flood waits for room */
			sent = 0;
		}
	}
	say("frame", sent, errno);
}

static void
attack_hello(char **w)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct packet p;
	int n = proto_put_hello(space, is_tokend ? PROTO_TOKEND : PROTO_WORKER);

	memset(&p, 0, sizeof(p));
	/* the build is the last thing in it */
	space[n - 1] ^= 1;
	p.frame.type = PROTO_HELLO;
	p.frame.len = (uint32_t)n;
	p.frame.payload = space;
	p.len = (size_t)n;
	say("hello", send_packet(where(w[1]), &p), errno);
}

static void
attack_hold(char **w)
{
	long held = 0;

	(void)w;
	while (fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) != -1)
		held++;
	say("hold", -held, errno);
}

/* To a port of this machine. */
static void
attack_connect(char **w)
{
	struct sockaddr_in sin;
	char what[32];
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)argument(w[1]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	(void)snprintf(what, sizeof(what), "connect %s", w[1]);
	say(what, result, errno);
	(void)close(fd);
}

static void
attack_spin(char **w)
{
	volatile int for_ever = 1;

	(void)w;
	say("spin", 0, 0);
	while (for_ever)
		;
}

/* --- sockets and forks ---------------------------------------------------- */

static void
attack_linger(char **w)
{
	static const struct linger forever = {1, 30};
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)argument(w[2])),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ipc_frame f = {.type = PROTO_JOINED};
	long result;

	f.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(f.fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		say("connect", -1, errno);
	result =
	    setsockopt(f.fd, SOL_SOCKET, SO_LINGER, &forever, sizeof(forever));
	say("setsockopt", result, errno);
	while (send(f.fd, zeroes, sizeof(zeroes), MSG_DONTWAIT) > 0)
		;
	result = ipc_send(where(w[1]), &f);
	say("linger", result, errno);
	(void)close(f.fd);
}

static void
attack_listener(char **w)
{
	int fd, listens;
	socklen_t len = sizeof(listens);

	for (fd = CHANNEL_FD; fd < FDS_SEEN; fd++) {
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ==
			-1 ||
		    !listens)
			continue;
		if (strcmp(w[1], "shut") == 0)
			say("listener", shutdown(fd, SHUT_RDWR), errno);
		else
			say("listener", fcntl(fd, F_SETFL, 0), errno);
	}
}

#define BOMB_MAX 50

static void
attack_bomb(char **w)
{
	long made = 0;
	pid_t pid = 0;

	(void)w;
	while (made < BOMB_MAX && (pid = fork()) > 0)
		made++;
	if (made < BOMB_MAX && pid == 0)
		_exit(0);
	say("bomb", made > 0 ? made : -1, errno);
}

static void
attack_stay(char **w)
{
	static const struct timespec second = {1, 0};
	pid_t pid = fork();

	(void)w;
	if (pid != 0) {
		say("stay", pid, errno);
		return;
	}
	for (;;) {
		say("still here", 0, 0);
		(void)nanosleep(&second, NULL);
	}
}

static void
attack_send(char **w)
{
	static uint8_t payload[2048];
	struct packet p;
	unsigned byte;

	memset(&p, 0, sizeof(p));
	p.frame.type = (uint16_t)argument(w[2]);
	p.frame.id = (uint32_t)argument(w[3]);
	p.frame.payload = payload;
	while (p.len < sizeof(payload) && w[4] != NULL &&
	    sscanf(w[4] + 2 * p.len, "%2x", &byte) == 1)
		payload[p.len++] = (uint8_t)byte;
	p.frame.len = (uint32_t)p.len;
	say("send", send_packet(where(w[1]), &p), errno);
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

static void
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
	for (i = 0; i < argument(w[1]); i++) {
		forge(put.token, sizeof(put.token), i, (int)argument(w[2]));
		p.frame.len = (uint32_t)proto_put_put(space, &put);
		p.len = p.frame.len;
		while ((sent = send_packet(peer, &p)) < 0 && errno == EAGAIN)
			while (recv(peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
				;
		if (sent < 0)
			break;
	}
	say("puts", sent < 0 ? -1 : i, errno);
}

/* --- orders --------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*carry_out)(char **);
} attacks[] = {
    {"call", attack_call},
    {"frame", attack_frame},
    {"hello", attack_hello},
    {"hold", attack_hold},
    {"connect", attack_connect},
    {"spin", attack_spin},
    {"linger", attack_linger},
    {"listener", attack_listener},
    {"stay", attack_stay},
    {"bomb", attack_bomb},
    {"send", attack_send},
    {"puts", attack_puts},
};

/* One line, up to its end or the file's. */
static void
carry_out(const char *at)
{
	static char line[4096];
	char *words[WORDS_MAX] = {NULL}, *save = NULL;
	size_t i;

	(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	words[0] = strtok_r(line, " ", &save);
	for (i = 1; i < WORDS_MAX && words[i - 1] != NULL; i++)
		words[i] = strtok_r(NULL, " ", &save);
	for (i = 0; words[0] != NULL && i < UTIL_COUNT(attacks); i++)
		if (strcmp(attacks[i].name, words[0]) == 0)
			attacks[i].carry_out(words);
}

static const char *
next_line(const char *at)
{
	at = strchr(at, '\n');
	return at == NULL ? NULL : at + 1;
}

static void
on_order(int sig, siginfo_t *info, void *context)
{
	const char *at = orders;
	int n = info->si_value.sival_int;

	(void)sig;
	(void)context;
	for (; n > 0 && at != NULL; n--)
		at = next_line(at);
	if (at != NULL)
		carry_out(at);
}

/* Stands before the C library's. The helper alone asks for what this machine
 * has addresses for. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");
	const char *at;

	memcpy(&real, &found, sizeof(real));
	if (hints != NULL && hints->ai_flags == AI_ADDRCONFIG)
		for (at = orders; at != NULL; at = next_line(at))
			if (strncmp(at, "asked ", 6) == 0)
				carry_out(at + 6);
	return real(node, service, hints, list);
}

__attribute__((constructor)) static void
turn_coat(void)
{
	char path[PATH_MAX];
	struct sigaction sa;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
	char *name;
	int fd;

	if (n <= 0)
		return;
	path[n] = '\0';
	name = strrchr(path, '/') + 1;
	is_tokend = strcmp(name, "tokend") == 0;
	(void)util_strlcpy(name, "attacks", sizeof("attacks"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	(void)!read(fd, orders, sizeof(orders) - 1);
	(void)close(fd);
	(void)!write(STDERR_FILENO, mark, sizeof(mark) - 1);
	(void)!write(STDERR_FILENO, "\n", 1);
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_order;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	(void)sigaction(SIGUSR1, &sa, NULL);
}
