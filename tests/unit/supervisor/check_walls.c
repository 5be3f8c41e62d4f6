/* SPDX-License-Identifier: MIT */
/* What supervisor/sandbox.c refuses, to itself and whoever it starts. */
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "../walls.h"
#include "conf.h"

START_TEST(nobody_here_needs_it)
{
	static const char *const never[] = {WALLS_NOBODY};
	/* clone3 says that it is not there, and fork(3) does without. */
	const struct walls_row rows[] = {
	    {"execve", {0}, WALLS_ALLOW},
	    {"setresuid", {0}, WALLS_ALLOW},
	    {"kill", {0}, WALLS_ALLOW},
	    {"seccomp", {0}, WALLS_ALLOW},
	    {"fork|clone", {SIGCHLD}, WALLS_ALLOW},
	    {"clone", {CLONE_NEWUSER | SIGCHLD}, WALLS_TRAP},
	    {"clone", {CLONE_NEWNET | SIGCHLD}, WALLS_TRAP},
	    {"clone3", {0}, WALLS_ERRNO(ENOSYS)},
	    {"socket", {AF_UNIX}, WALLS_ALLOW},
	    {"socket", {AF_INET6}, WALLS_ALLOW},
	    {"socket", {AF_PACKET}, WALLS_TRAP},
	    {"socket", {AF_VSOCK}, WALLS_TRAP},
	    {"ptrace", {0}, WALLS_TRAP},
	};
	struct conf conf;

	conf_init(&conf);
	sandbox_enter(&conf);
	ck_assert_uint_eq(walls_set, 1);
	walls_check(rows, UTIL_COUNT(rows));
	walls_never(never, UTIL_COUNT(never));
	walls_check_archs();
	conf_clear(&conf);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {nobody_here_needs_it};

	return walls_main("walls of the supervisor", tests, UTIL_COUNT(tests));
}
