/* SPDX-License-Identifier: MIT */
/* What worker/sandbox.c allows the worker, the look-up helper and a question.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "../walls.h"
#include "conf.h"
#include "lookup.h"

#define SELF ((uint64_t)getpid())
/* What fork(3) is. */
#define FORK (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD)

static void
enter(const char *backend)
{
	struct conf conf;
	char text[64];

	conf_init(&conf);
	if (backend != NULL) {
		(void)util_strlcpy(text, backend, sizeof(text));
		ck_assert_int_eq(
		    conf_set(&conf, CONF_BACKEND_URL, text, CONF_FILE, "here"),
		    0);
	}
	sandbox_enter(&conf);
	ck_assert_uint_eq(walls_set, 1);
	conf_clear(&conf);
}

/* The ways that the C library has on this architecture. */
START_TEST(the_worker_can_work)
{
	const struct walls_row rows[] = {
	    {"epoll_wait|epoll_pwait", {3}, WALLS_ALLOW},
	    {"epoll_pwait", {3}, WALLS_ALLOW}, /* libuv's */
	    {"epoll_ctl", {3}, WALLS_ALLOW},
	    {"poll|ppoll", {0}, WALLS_ALLOW},
	    {"read", {3}, WALLS_ALLOW},
	    {"write", {2}, WALLS_ALLOW},
	    {"socket", {AF_INET, SOCK_STREAM}, WALLS_ALLOW},
	    {"socket", {AF_INET6, SOCK_STREAM, IPPROTO_TCP}, WALLS_ALLOW},
	    {"connect", {3}, WALLS_ALLOW},
	    {"accept4", {3}, WALLS_ALLOW},
	    {"sendto", {3}, WALLS_ALLOW},
	    {"recvfrom", {3}, WALLS_ALLOW},
	    {"pread64", {3}, WALLS_ALLOW},
	    {"pwrite64", {3}, WALLS_ALLOW},
	    {"dup3", {3}, WALLS_ALLOW},
	    {"pipe2", {0}, WALLS_ALLOW},
	    {"fcntl", {3, F_SETFL}, WALLS_ALLOW},
	    {"newfstatat", {3, 0, 0, AT_EMPTY_PATH}, WALLS_ALLOW},
	    {"fstat", {3}, WALLS_ALLOW},
	    {"mmap", {0, 0, PROT_READ | PROT_WRITE}, WALLS_ALLOW},
	    {"tgkill", {SELF, SELF, SIGABRT}, WALLS_ALLOW},
	    {"setsockopt", {3, IPPROTO_TCP, TCP_NODELAY}, WALLS_ALLOW},
	    {"rt_sigreturn", {0}, WALLS_ALLOW},
	    {"exit_group", {0}, WALLS_ALLOW},
	};

	enter(NULL);
	walls_check(rows, UTIL_COUNT(rows));
}
END_TEST

START_TEST(the_worker_can_do_no_more)
{
	static const char *const never[] = {WALLS_NOBODY, WALLS_NO_CHILD,
	    "open", "openat", "stat", "access", "faccessat", "unlink",
	    "unlinkat", "readlink", "readlinkat", "bind", "clone",
	    "socketpair"};
	const struct walls_row rows[] = {
	    {"socket", {AF_UNIX, SOCK_STREAM}, WALLS_TRAP},
	    {"socket", {AF_INET, SOCK_STREAM, IPPROTO_MPTCP}, WALLS_TRAP},
	    {"socket", {AF_INET, SOCK_DGRAM}, WALLS_TRAP},
	    {"socket", {AF_INET6, SOCK_DGRAM, IPPROTO_UDP}, WALLS_TRAP},
	    {"socket", {AF_INET, SOCK_SEQPACKET}, WALLS_TRAP}, /* SCTP */
	    {"socket", {AF_INET, SOCK_RAW, IPPROTO_TCP}, WALLS_TRAP},
	    {"socket", {AF_PACKET, SOCK_RAW}, WALLS_TRAP},
	    {"sendto", {3, 0, 0, MSG_FASTOPEN}, WALLS_TRAP},
	    {"newfstatat", {3}, WALLS_TRAP}, /* a path */
	    {"mmap", {0, 0, PROT_READ | PROT_EXEC}, WALLS_TRAP},
	    {"mprotect", {0, 0, PROT_EXEC}, WALLS_TRAP},
	    {"tgkill", {SELF + 1, SELF + 1, SIGKILL}, WALLS_TRAP},
	    {"fcntl", {3, F_SETOWN}, WALLS_TRAP},
	    {"fcntl", {2, F_SETFL}, WALLS_ERRNO(EPERM)},
	    {"setsockopt", {3, SOL_SOCKET, SO_ATTACH_FILTER},
		WALLS_ERRNO(EPERM)},
	    {"rt_sigaction", {SIGSYS}, WALLS_KILL},
	    {"io_uring_setup", {0}, WALLS_ERRNO(ENOSYS)},
	};

	enter(NULL);
	walls_check(rows, UTIL_COUNT(rows));
	walls_never(never, UTIL_COUNT(never));
	walls_check_archs();
}
END_TEST

START_TEST(a_unix_socket_for_a_backend_that_has_one)
{
	static const struct walls_row rows[] = {
	    {"socket", {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}, WALLS_ALLOW},
	    {"socket", {AF_UNIX, SOCK_DGRAM}, WALLS_TRAP}};

	enter("unix:/run/app.sock");
	walls_check(rows, UTIL_COUNT(rows));
}
END_TEST

START_TEST(the_helper_looks_up)
{
	static const char *const never[] = {WALLS_NOBODY, WALLS_NO_CHILD,
	    "unlink", "unlinkat", "accept4", "socketpair", "ftruncate",
	    "pwrite64", "timer_create"};
	const struct walls_row rows[] = {
	    {"open|openat", {0}, WALLS_ALLOW},
	    {"stat|newfstatat", {0}, WALLS_ALLOW},
	    {"access|faccessat", {0}, WALLS_ALLOW},
	    {"readlink|readlinkat", {0}, WALLS_ALLOW},
	    {"poll|ppoll", {0}, WALLS_ALLOW},
	    {"select|pselect6", {0}, WALLS_ALLOW},
	    {"dup2|dup3", {3, 4}, WALLS_ALLOW},
	    {"alarm|setitimer", {0}, WALLS_ALLOW},
	    {"epoll_wait|epoll_pwait", {3}, WALLS_ALLOW},
	    {"clone", {FORK}, WALLS_ALLOW},
	    {"clone", {CLONE_NEWUSER | SIGCHLD}, WALLS_TRAP},
	    {"clone3", {0}, WALLS_ERRNO(ENOSYS)}, {"wait4", {0}, WALLS_ALLOW},
	    {"recvmmsg", {3}, WALLS_ALLOW},
	    {"socket", {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC}, WALLS_ALLOW},
	    {"socket", {AF_INET6, SOCK_STREAM}, WALLS_ALLOW},
	    {"socket", {AF_INET, SOCK_SEQPACKET}, WALLS_TRAP},
	    {"socket", {AF_INET6, SOCK_RAW, IPPROTO_UDP}, WALLS_TRAP},
	    {"socket", {AF_NETLINK, SOCK_RAW, 0}, WALLS_ALLOW},
	    {"socket", {AF_UNIX, SOCK_STREAM}, WALLS_ERRNO(EAFNOSUPPORT)},
	    {"dup2|dup3", {2, 4}, WALLS_ERRNO(EPERM)}, /* the log */
	    {"prlimit64", {0}, WALLS_ALLOW},
	    {"prlimit64", {0, 0, 1}, WALLS_TRAP},
	    {"prlimit64", {0, 0, 1ULL << 32}, WALLS_TRAP},
	    {"mmap", {0, 0, PROT_EXEC}, WALLS_ALLOW}, /* modules */
	};

	sandbox_enter_lookup(SANDBOX_ENFORCE, false);
	ck_assert_uint_eq(walls_set, 1);
	walls_check(rows, UTIL_COUNT(rows));
	walls_never(never, UTIL_COUNT(never));
	walls_check_archs();
}
END_TEST

START_TEST(a_question_forks_no_more)
{
	static const char *const never[] = {
	    "fork", "vfork", "clone", "clone3", "seccomp"};
	static const struct walls_row rows[] = {
	    {"openat", {0}, WALLS_ALLOW}, /* the helper's own walls stand */
	    {"clone", {FORK}, WALLS_ERRNO(EPERM)}};

	sandbox_enter_lookup(SANDBOX_ENFORCE, true);
	ck_assert_int_eq(sandbox_enter_question(SANDBOX_ENFORCE), 0);
	ck_assert_uint_eq(walls_set, 2);
	walls_check(rows, UTIL_COUNT(rows));
	walls_never(never, UTIL_COUNT(never));
	walls_check_archs();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {the_worker_can_work,
	    the_worker_can_do_no_more, a_unix_socket_for_a_backend_that_has_one,
	    the_helper_looks_up, a_question_forks_no_more};

	return walls_main("walls of the worker", tests, UTIL_COUNT(tests));
}
