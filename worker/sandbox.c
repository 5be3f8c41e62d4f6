/* SPDX-License-Identifier: MIT */
/*
 * The rights of the worker, which reads what outsiders wrote, from when
 * everything is open and warm; and of its look-up helper, which reads what
 * name servers wrote. Neither executes anything, sees another process, or
 * opens a file by a path (the helper: those of the resolver). A new feature
 * that needs a call adds a row, and says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>

#include "backend.h"
#include "conf.h"
#include "conf_check.h"
#include "lookup.h"
#include "otel.h"
#include "reach.h"
#include "sandbox.h"
#include "url.h"
#include "util.h"

#define TYPE_MASK 0xfu /* of socket(2)'s second argument; above it: flags */
#define TYPE_ARG(type) SANDBOX_ARG_BITS(1, TYPE_MASK, type)

/*
 * TCP, and for the helper UDP. Landlock's rules for ports know connect(2) on
 * TCP: MPTCP is another protocol to them, SCTP is one that protocol 0 means
 * with SOCK_SEQPACKET, and a SYN that sendto(2) sends with the first bytes
 * (MSG_FASTOPEN) is no connect.
 */
#define INTERNET_ROWS(family, type, protocol)                             \
	SANDBOX_OK_IF(socket, SANDBOX_ARG(0, family), TYPE_ARG(type),     \
	    SANDBOX_ARG(2, 0)),                                           \
	    SANDBOX_OK_IF(socket, SANDBOX_ARG(0, family), TYPE_ARG(type), \
		SANDBOX_ARG(2, protocol))
#define TCP_ROWS                                          \
	INTERNET_ROWS(AF_INET, SOCK_STREAM, IPPROTO_TCP), \
	    INTERNET_ROWS(AF_INET6, SOCK_STREAM, IPPROTO_TCP)
#define UDP_ROWS                                         \
	INTERNET_ROWS(AF_INET, SOCK_DGRAM, IPPROTO_UDP), \
	    INTERNET_ROWS(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)
#define SENDING_ROWS                                 \
	SANDBOX_IF_BITS(sendto, 3, MSG_FASTOPEN, 0), \
	    SANDBOX_IF_BITS(sendmsg, 2, MSG_FASTOPEN, 0)

/* The health listener is one open description for all workers, and a socket
 * may end with whoever it was given to: no filter, no device, no lingering. */
#define OPTION_ROW(level, name) \
	SANDBOX_OK_IF(setsockopt, SANDBOX_ARG(1, level), SANDBOX_ARG(2, name))
#define OPTION_ROWS                                    \
	OPTION_ROW(SOL_SOCKET, SO_REUSEADDR),          \
	    OPTION_ROW(SOL_SOCKET, SO_KEEPALIVE),      \
	    OPTION_ROW(SOL_SOCKET, SO_SNDBUF),         \
	    OPTION_ROW(SOL_SOCKET, SO_RCVBUF),         \
	    OPTION_ROW(IPPROTO_TCP, TCP_NODELAY),      \
	    OPTION_ROW(IPPROTO_TCP, TCP_KEEPIDLE),     \
	    OPTION_ROW(IPPROTO_TCP, TCP_KEEPINTVL),    \
	    OPTION_ROW(IPPROTO_TCP, TCP_KEEPCNT),      \
	    OPTION_ROW(IPPROTO_TCP, TCP_USER_TIMEOUT), \
	    OPTION_ROW(IPPROTO_TCP, TCP_QUICKACK),     \
	    OPTION_ROW(IPPROTO_IPV6, IPV6_V6ONLY),     \
	    SANDBOX_FAIL(setsockopt, EPERM)

#define LOG_ROWS                                                  \
	SANDBOX_KEEP_LOG(shutdown), SANDBOX_KEEP_LOG(setsockopt), \
	    SANDBOX_KEEP_LOG(connect), SANDBOX_KEEP_LOG(fcntl),   \
	    SANDBOX_KEEP_LOG(ioctl), SANDBOX_KEEP_LOG(dup3),      \
	    SANDBOX_KEEP_LOG(lseek), SANDBOX_KEEP_LOG(pwrite64),  \
	    SANDBOX_KEEP_LOG(ftruncate)

/* A connection for each request and each WebSocket, and room. */
#define FILES_MAX 16384

/* Of address space besides MEMORY_MAX, which is what may be used of it: for
 * whatever the counting of that does not see. */
#define SPACE_MORE (256LL << 20)

/* --- the worker ----------------------------------------------------------- */

static const struct sandbox_call worker_calls[] = {
    /* only with BACKEND_URL=unix:, see sandbox_enter: it opens every socket
     * that the worker's user may connect to, whatever its path */
    SANDBOX_OK_IF(socket, SANDBOX_ARG(0, AF_UNIX), TYPE_ARG(SOCK_STREAM)),
    LOG_ROWS,
    /* bytes */
    SANDBOX_OK(read),
    SANDBOX_OK(write),
    SANDBOX_OK(readv),
    SANDBOX_OK(writev),
    SANDBOX_OK(recvfrom),
    SANDBOX_OK(recvmsg),
    SENDING_ROWS,
    SANDBOX_OK(close),
    /* the loop */
    SANDBOX_OK(epoll_pwait),
#ifdef SYS_epoll_wait
    SANDBOX_OK(epoll_wait),
#endif
    SANDBOX_OK(epoll_ctl),
    SANDBOX_OK(ppoll),
#ifdef SYS_poll
    SANDBOX_OK(poll),
#endif
    SANDBOX_OK(clock_gettime),
    SANDBOX_OK(gettimeofday),
    SANDBOX_OK(timerfd_settime),
    SANDBOX_OK(futex),
    SANDBOX_OK(sched_yield),
    SANDBOX_OK(restart_syscall),
    /* sockets: to dial, and those that the health listener accepts */
    TCP_ROWS,
    /* asked by getaddrinfo(3) even for a numeric address, to no harm */
    SANDBOX_FAIL_IF(socket, EAFNOSUPPORT, SANDBOX_ARG(0, AF_NETLINK)),
    SANDBOX_OK(connect),
    SANDBOX_OK(accept4),
    SANDBOX_FAIL(accept, EINVAL), /* what libevent tries when accept4 fails */
    SANDBOX_OK(shutdown),
    SANDBOX_OK(getsockopt),
    OPTION_ROWS,
    SANDBOX_OK(getsockname),
    SANDBOX_OK(getpeername),
    SANDBOX_FCNTL,
    SANDBOX_OK(dup3), /* a socket to Plugboard, to where libwebsockets has it */
    SANDBOX_IF(ioctl, 1, FIONBIO),
    SANDBOX_IF(ioctl, 1, FIONREAD),
    SANDBOX_IF(ioctl, 1, SIOCOUTQ), /* what Plugboard has yet to take */
    SANDBOX_OK(pipe2),
    SANDBOX_OK(eventfd2),
    SANDBOX_FAIL(io_uring_setup, ENOSYS), /* libuv asks, and does without */
    /* what is open already, and no path */
    SANDBOX_OK(lseek),
    SANDBOX_OK(fstat),
    SANDBOX_OK(pread64), /* the spool */
    SANDBOX_OK(pwrite64),
    SANDBOX_OK(ftruncate),
    SANDBOX_IF(newfstatat, 3, AT_EMPTY_PATH),
    SANDBOX_MEMORY,
    /* itself */
    SANDBOX_WHO_AM_I,
    SANDBOX_OK(getrandom),
    SANDBOX_OK(getrusage),
    SANDBOX_OK(uname),
    SANDBOX_OK(sysinfo),
    SANDBOX_OK(wait4), /* how the look-up helper ended */
    SANDBOX_ENDING,
};

static void
add_port(struct sandbox_policy *policy, uint16_t port)
{
	if (port != 0 && policy->port_count < SANDBOX_PORTS_MAX)
		policy->ports[policy->port_count++] = port;
}

/* Where it dials, and nowhere else. */
static void
add_ports(struct sandbox_policy *policy, const struct conf *conf)
{
	struct proxy_url proxy;
	struct url url;

	if (url_parse(&url, conf_text(conf, CONF_PLUGBOARD_URL)) == NULL) {
		bool by_proxy = reach_choose(&proxy, conf, &url);

		add_port(policy, by_proxy ? proxy.port : url.port);
		explicit_bzero(&proxy, sizeof(proxy));
	}
	add_port(policy, (uint16_t)conf_num(conf, CONF_BACKEND_PORT));
	if (otel_is_on(conf) && otel_endpoint(conf, &url))
		add_port(policy, url.port);
}

static bool
has_unix_backend(const struct conf *conf)
{
	struct backend_params params;

	backend_configure(&params, conf);
	return params.unix_path[0] != '\0';
}

void
sandbox_enter(const struct conf *conf)
{
	struct sandbox_limits limits = {
	    .files = FILES_MAX,
	    .processes_plus_one = 1,
	};
	struct sandbox_policy policy = {
	    .process = SANDBOX_WORKER,
	    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),
	    .otherwise = SANDBOX_VIOLATION,
	    .calls = worker_calls,
	    .call_count = UTIL_COUNT(worker_calls),
	    .landlock = true,
	};

	if (!has_unix_backend(conf)) {
		policy.calls++;
		policy.call_count--;
	}

	/* The spool is the one file that is written. */
	limits.file_bytes =
	    (uint64_t)conf_num(conf, CONF_SPOOL_MAX) + (1u << 20);
	limits.memory_bytes = (uint64_t)(conf_memory_max(conf) + SPACE_MORE);
	add_ports(&policy, conf);
	if (policy.mode != SANDBOX_OFF)
		sandbox_limit(&limits);
	sandbox_apply(&policy, false);
}

/* --- the look-up helper --------------------------------------------------- */

/* getaddrinfo(3) with whatever modules nsswitch.conf(5) names: wide, but no
 * execution, no listening, no namespace, no other process. */
static const struct sandbox_call lookup_calls[] = {
    /* only with a user of its own, see sandbox_enter_lookup: what modules ask
     * (nscd, systemd-resolved) listens on a path, and so does much else */
    SANDBOX_OK_IF(socket, SANDBOX_ARG(0, AF_UNIX), TYPE_ARG(SOCK_STREAM)),
    SANDBOX_FAIL_IF(socket, EAFNOSUPPORT, SANDBOX_ARG(0, AF_UNIX)),
    LOG_ROWS,
    SANDBOX_KEEP_LOG(dup),
#ifdef SYS_dup2
    SANDBOX_KEEP_LOG(dup2),
#endif
    SANDBOX_OK(read),
    SANDBOX_OK(write),
    SANDBOX_OK(readv),
    SANDBOX_OK(writev),
    SANDBOX_OK(pread64),
    SANDBOX_OK(recvfrom),
    SANDBOX_OK(recvmsg),
    SANDBOX_OK(recvmmsg),
    SENDING_ROWS,
    SANDBOX_IF_BITS(sendmmsg, 3, MSG_FASTOPEN, 0),
    SANDBOX_OK(close),
    SANDBOX_OK(ppoll),
    SANDBOX_OK(pselect6),
    SANDBOX_OK(epoll_pwait),
    SANDBOX_OK(epoll_ctl),
    SANDBOX_OK(epoll_create1),
    SANDBOX_OK(eventfd2),
    SANDBOX_OK(timerfd_create),
    SANDBOX_OK(timerfd_settime),
    SANDBOX_OK(signalfd4),
    SANDBOX_OK(pipe2),
#ifdef SYS_poll
    SANDBOX_OK(poll),
    SANDBOX_OK(select),
    SANDBOX_OK(epoll_wait),
    SANDBOX_OK(alarm),
    SANDBOX_OK(open),
    SANDBOX_OK(stat),
    SANDBOX_OK(lstat),
    SANDBOX_OK(access),
    SANDBOX_OK(readlink),
    SANDBOX_OK(dup2),
    SANDBOX_OK(time),
#endif
    SANDBOX_OK(setitimer), /* alarm(3) */
    SANDBOX_OK(clock_gettime),
    SANDBOX_OK(clock_getres),
    SANDBOX_OK(clock_nanosleep),
    SANDBOX_OK(nanosleep),
    SANDBOX_OK(gettimeofday),
    SANDBOX_OK(futex),
    SANDBOX_OK(sched_yield),
    SANDBOX_OK(sched_getaffinity),
    SANDBOX_OK(restart_syscall),
    /* sockets */
    TCP_ROWS,
    UDP_ROWS,
    /* which families this machine has */
    SANDBOX_OK_IF(
	socket, SANDBOX_ARG(0, AF_NETLINK), SANDBOX_ARG(2, NETLINK_ROUTE)),
    SANDBOX_FAIL_IF(socket, EAFNOSUPPORT, SANDBOX_ARG(0, AF_NETLINK)),
    SANDBOX_FAIL(socketpair, EAFNOSUPPORT), /* one end could connect(2) */
    SANDBOX_OK(connect),
    SANDBOX_OK(bind),
    SANDBOX_OK(shutdown),
    SANDBOX_OK(getsockopt),
    SANDBOX_OK(setsockopt),
    SANDBOX_OK(getsockname),
    SANDBOX_OK(getpeername),
    SANDBOX_FCNTL,
    SANDBOX_IF(fcntl, 1, F_DUPFD), /* modules of others: what they may use */
    SANDBOX_IF(fcntl, 1, F_GETLK),
    SANDBOX_IF(fcntl, 1, F_SETLK),
    SANDBOX_IF(fcntl, 1, F_SETLKW),
    SANDBOX_IF(ioctl, 1, FIONBIO),
    SANDBOX_IF(ioctl, 1, FIONREAD),
    SANDBOX_NO_IF(ioctl, SANDBOX_ARG(1, FIOSETOWN)), /* to the same effect */
    SANDBOX_NO_IF(ioctl, SANDBOX_ARG(1, SIOCSPGRP)), /* as fcntl's F_SETOWN */
    SANDBOX_IF_BITS(ioctl, 1, 0xffffff00u, 0x8900),  /* SIOCGIF… */
    SANDBOX_OK(dup),
    SANDBOX_OK(dup3),
    /* files: Landlock says which */
    SANDBOX_OK(openat),
    SANDBOX_OK(fstat),
    SANDBOX_OK(newfstatat),
    SANDBOX_OK(statx),
    SANDBOX_OK(faccessat),
#ifdef SYS_faccessat2
    SANDBOX_OK(faccessat2),
#endif
    SANDBOX_OK(readlinkat),
    SANDBOX_OK(getdents64),
    SANDBOX_OK(getcwd),
    SANDBOX_OK(lseek),
    SANDBOX_OK(statfs),
    SANDBOX_OK(fstatfs),
    /* memory: modules are loaded */
    SANDBOX_OK(brk),
    SANDBOX_OK(mmap),
    SANDBOX_OK(munmap),
    SANDBOX_OK(mprotect),
    SANDBOX_OK(mremap),
    SANDBOX_OK(madvise),
    /* a fork for each question */
    SANDBOX_IF_BITS(clone, 0, SANDBOX_NAMESPACES, 0),
#ifdef SYS_clone3
    SANDBOX_FAIL(clone3, ENOSYS), /* its flags stand in memory */
#endif
    SANDBOX_OK_IF(seccomp, SANDBOX_ARG(0, SECCOMP_SET_MODE_FILTER),
	SANDBOX_ARG(1, 0)), /* and its own walls */
    SANDBOX_OK(wait4),
    SANDBOX_OK(set_robust_list),
    SANDBOX_OK(set_tid_address),
#ifdef SYS_rseq
    SANDBOX_OK(rseq),
#endif
    SANDBOX_IF_NULL(prlimit64, 2), /* asks, and sets nothing */
    /* itself */
    SANDBOX_WHO_AM_I,
    SANDBOX_OK(getresuid),
    SANDBOX_OK(getresgid),
    SANDBOX_OK(getrandom),
    SANDBOX_OK(getrusage),
    SANDBOX_OK(uname),
    SANDBOX_OK(sysinfo),
    SANDBOX_ENDING,
};

/* Directories where a file is replaced by renaming need be named as such: a
 * rule on the file would be one on its first version. */
static const struct sandbox_path lookup_paths[] = {
    {"/etc", SANDBOX_READ},
    {"/lib", SANDBOX_READ},
    {"/lib64", SANDBOX_READ},
    {"/usr/lib", SANDBOX_READ},
    {"/usr/lib64", SANDBOX_READ},
    {"/usr/local/lib", SANDBOX_READ},
    {"/usr/etc", SANDBOX_READ},
    {"/run/systemd/resolve", SANDBOX_READ},
    {"/run/resolvconf", SANDBOX_READ},
    {"/run/NetworkManager", SANDBOX_READ},
    {"/run/connman", SANDBOX_READ},
    {"/run/nscd", SANDBOX_READ},
    {"/var/lib/sss/mc", SANDBOX_READ},
    {"/proc/sys/kernel", SANDBOX_READ},
    {"/sys/devices/system/cpu", SANDBOX_READ},
};

#define DNS_PORT 53
#define LOOKUP_FILES_MAX 64
#define LOOKUP_MEMORY_MAX (128ULL << 20)
/* All that one user has: workers that serve, come and drain, with helpers. */
#define LOOKUP_PROCESSES_MAX 512

void
sandbox_enter_lookup(enum sandbox_mode mode, bool own_user)
{
	struct sandbox_limits limits = {
	    .files = LOOKUP_FILES_MAX,
	    .processes_plus_one = own_user ? LOOKUP_PROCESSES_MAX + 1 : 0,
	    .memory_bytes = LOOKUP_MEMORY_MAX,
	};
	struct sandbox_policy policy = {
	    .process = SANDBOX_LOOKUP,
	    .mode = mode,
	    .otherwise = SANDBOX_VIOLATION,
	    .calls = lookup_calls,
	    .call_count = UTIL_COUNT(lookup_calls),
	    .landlock = true,
	    .paths = lookup_paths,
	    .path_count = UTIL_COUNT(lookup_paths),
	    .ports = {DNS_PORT},
	    .port_count = 1,
	};

	if (!own_user) {
		policy.calls++;
		policy.call_count--;
	}
	if (mode != SANDBOX_OFF)
		sandbox_limit(&limits);
	sandbox_apply(&policy, false);
}

int
sandbox_enter_question(enum sandbox_mode mode)
{
	static const struct sandbox_call calls[] = {
	    SANDBOX_FAIL(clone, EPERM),
	    SANDBOX_FAIL(clone3, ENOSYS),
#ifdef SYS_fork
	    SANDBOX_FAIL(fork, EPERM),
	    SANDBOX_FAIL(vfork, EPERM),
#endif
	    SANDBOX_FAIL(seccomp, EPERM),
	};
	static const struct sandbox_policy policy = {
	    .process = SANDBOX_LOOKUP,
	    .mode = SANDBOX_ENFORCE,
	    .otherwise = SANDBOX_ALLOW,
	    .calls = calls,
	    .call_count = UTIL_COUNT(calls),
	};

	/* Without seccomp the helper has said so, and goes on without. */
	return mode == SANDBOX_ENFORCE && sandbox_own()->seccomp
	    ? sandbox_narrow(&policy)
	    : 0;
}
