/* SPDX-License-Identifier: MIT */
/* What tokend/sandbox.c allows. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../walls.h"
#include "conf.h"

#define SELF ((uint64_t)getpid())

static void
enter(void)
{
	struct conf conf;

	conf_init(&conf);
	sandbox_enter(&conf);
	ck_assert_uint_eq(walls_set, 1);
	conf_clear(&conf);
}

/* The ways that the C library has on this architecture. */
START_TEST(it_can_keep_a_store)
{
	const struct walls_row rows[] = {
	    {"epoll_wait|epoll_pwait", {3}, WALLS_ALLOW},
	    {"poll|ppoll", {0}, WALLS_ALLOW},
	    {"sendmsg", {3}, WALLS_ALLOW},
	    {"recvmsg", {3}, WALLS_ALLOW},
	    {"open|openat", {0}, WALLS_ALLOW},
	    {"stat|newfstatat", {0}, WALLS_ALLOW},
	    {"lstat|newfstatat", {0}, WALLS_ALLOW},
	    {"access|faccessat", {0}, WALLS_ALLOW},
	    {"unlink|unlinkat", {0}, WALLS_ALLOW},
	    {"readlink|readlinkat", {0}, WALLS_ALLOW},
	    {"fcntl", {3, F_SETLK}, WALLS_ALLOW},
	    {"fcntl", {3, F_GETLK}, WALLS_ALLOW},
	    {"fdatasync", {3}, WALLS_ALLOW},
	    {"ftruncate", {3}, WALLS_ALLOW},
	    {"clock_nanosleep", {0}, WALLS_ALLOW},
	    {"mlock", {0}, WALLS_ALLOW},
	    {"mmap", {0, 0, PROT_READ | PROT_WRITE}, WALLS_ALLOW},
	    {"tgkill", {SELF, SELF, SIGABRT}, WALLS_ALLOW},
	    {"exit_group", {0}, WALLS_ALLOW},
	};

	enter();
	walls_check(rows, UTIL_COUNT(rows));
}
END_TEST

START_TEST(it_reaches_nobody)
{
	static const char *const never[] = {WALLS_NOBODY, WALLS_NO_CHILD,
	    "socket", "socketpair", "connect", "bind", "accept4", "sendto",
	    "sendmmsg", "clone", "dup", "dup2", "dup3", "getdents64"};
	const struct walls_row rows[] = {
	    {"mmap", {0, 0, PROT_READ | PROT_EXEC}, WALLS_TRAP},
	    {"mprotect", {0, 0, PROT_EXEC}, WALLS_TRAP},
	    {"tgkill", {SELF + 1, SELF + 1, SIGKILL}, WALLS_TRAP},
	    {"fcntl", {3, F_SETOWN}, WALLS_TRAP},
	    {"ftruncate", {2}, WALLS_ERRNO(EPERM)}, /* the log */
	    {"setsockopt", {3, SOL_SOCKET, SO_PASSCRED}, WALLS_TRAP},
	    {"rt_sigaction", {SIGSYS}, WALLS_KILL},
	};

	enter();
	walls_check(rows, UTIL_COUNT(rows));
	walls_never(never, UTIL_COUNT(never));
	walls_check_archs();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {it_can_keep_a_store, it_reaches_nobody};

	return walls_main("walls of tokend", tests, UTIL_COUNT(tests));
}
