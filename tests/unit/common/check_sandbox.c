/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of common/sandbox.h: each case in a fork that raises real walls
 * and runs into them.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#include "sandbox_parts.h"
#include "util.h"

#undef prlimit64 /* older musl has it as a name of prlimit(2)'s */

static const struct sandbox_call calls[] = {
    SANDBOX_OK(write),
    SANDBOX_OK(ppoll), /* the log asks before it writes */
#ifdef SYS_poll
    SANDBOX_OK(poll),
#endif
    SANDBOX_OK(read),
    SANDBOX_OK(close),
    SANDBOX_OK(openat),
    SANDBOX_OK(getpid),
    SANDBOX_OK(gettid),
    SANDBOX_OK(exit_group),
    SANDBOX_OK(rt_sigprocmask),
    SANDBOX_OK(rt_sigreturn),
    SANDBOX_OK(sigaltstack), /* of a sanitizer, at its end */
    SANDBOX_KILL_IF(rt_sigaction, 0, SIGSYS),
    SANDBOX_OK(rt_sigaction),
    SANDBOX_SELF(tgkill, 0),
    SANDBOX_OK_IF(socket, SANDBOX_ARG(0, AF_UNIX), SANDBOX_ARG(1, SOCK_STREAM)),
    SANDBOX_FAIL_IF(socket, EPROTOTYPE, SANDBOX_ARG(0, AF_UNIX),
	SANDBOX_ARG_BITS(1, 0xf, SOCK_DGRAM)),
    SANDBOX_IF_NULL(prlimit64, 2),
    SANDBOX_FAIL(getppid, ENOLINK),
    SANDBOX_IF_BITS(mmap, 2, PROT_EXEC, 0),
    SANDBOX_OK(brk),
    SANDBOX_OK(munmap),
    SANDBOX_OK(mprotect),
};

static struct sandbox_policy
policy_of(enum sandbox_mode mode)
{
	struct sandbox_policy policy = {
	    .process = SANDBOX_TOKEND,
	    .mode = mode,
	    .otherwise = SANDBOX_VIOLATION,
	    .calls = calls,
	    .call_count = UTIL_COUNT(calls),
	};

	return policy;
}

struct outcome {
	int status;
	char said[4096];
};

/* Runs f in a fork, its standard error caught. */
static struct outcome
run(int (*f)(void))
{
	struct outcome o = {0};
	size_t len = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		log_init("unit", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(f());
	}
	(void)close(fds[1]);
	while ((n = read(fds[0], o.said + len, sizeof(o.said) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &o.status, 0), pid);
	return o;
}

#define ENDED_WITH(o, code)                                             \
	ck_assert_msg(                                                  \
	    WIFEXITED((o).status) && WEXITSTATUS((o).status) == (code), \
	    "status %x, said: %s", (unsigned)(o).status, (o).said)
#define ENDED_BY(o, sig)                                              \
	ck_assert_msg(                                                \
	    WIFSIGNALED((o).status) && WTERMSIG((o).status) == (sig), \
	    "status %x, said: %s", (unsigned)(o).status, (o).said)

/* --- enforce -------------------------------------------------------------- */

static int
obey(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);
	int fd;

	sandbox_apply(&policy, true);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) != -1 ||
	    errno != EPROTOTYPE)
		return 5;
	if (syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL) != 0)
		return 6;
	if (fd == -1 || syscall(SYS_getppid) != -1 || errno != ENOLINK)
		return 2;
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 3;
	if (!sandbox_own()->seccomp || !sandbox_own()->no_landlock)
		return 4;
	return 0;
}

START_TEST(rows_allow_and_refuse_quietly)
{
	struct outcome o = run(obey);

	ENDED_WITH(o, 0);
	ck_assert_str_eq(o.said, "");
}
END_TEST

static int
call_unlisted(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	sandbox_apply(&policy, true);
	(void)syscall(SYS_ptrace, 0, 0, 0, 0);
	return 0;
}

START_TEST(unlisted_call_is_named_and_ends_the_process)
{
	struct outcome o = run(call_unlisted);

	ENDED_BY(o, SIGSYS);
	ck_assert_ptr_nonnull(strstr(
	    o.said, " error tokend: sandbox: refused system call ptrace ("));
	ck_assert_ptr_eq(strchr(o.said, '\n'), o.said + strlen(o.said) - 1);
}
END_TEST

static int
open_inet(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	sandbox_apply(&policy, true);
	(void)socket(AF_INET, SOCK_STREAM, 0);
	return 0;
}

static int
open_seqpacket(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	sandbox_apply(&policy, true);
	(void)socket(AF_UNIX, SOCK_SEQPACKET, 0);
	return 0;
}

/* A pointer, of which the low word is 0. */
static int
set_limit(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	sandbox_apply(&policy, true);
	(void)syscall(SYS_prlimit64, 0, RLIMIT_CORE, 0x7100000000UL, NULL);
	return 0;
}

static int
map_executable(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	sandbox_apply(&policy, true);
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static int
signal_another(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);
	pid_t parent = getppid();

	sandbox_apply(&policy, true);
	(void)syscall(SYS_tgkill, parent, parent, SIGUSR1);
	return 0;
}

START_TEST(arguments_are_looked_at)
{
	struct outcome o = run(open_inet);

	ENDED_BY(o, SIGSYS);
	ck_assert_ptr_nonnull(strstr(o.said, "refused system call socket ("));
	ENDED_BY(run(open_seqpacket), SIGSYS);
	ENDED_BY(run(set_limit), SIGSYS);
	o = run(map_executable);
	ENDED_BY(o, SIGSYS);
	ck_assert_ptr_nonnull(strstr(o.said, "refused system call mmap ("));
	o = run(signal_another);
	ENDED_BY(o, SIGSYS);
	ck_assert_ptr_nonnull(strstr(o.said, "refused system call tgkill ("));
}
END_TEST

/* A handler of the attacker's own would swallow violations. */
static int
catch_violations(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_IGN;
	sandbox_apply(&policy, true);
	(void)sigaction(SIGSYS, &sa, NULL);
	(void)syscall(SYS_ptrace, 0, 0, 0, 0);
	return 0;
}

START_TEST(nobody_catches_violations)
{
	struct outcome o = run(catch_violations);

	ENDED_BY(o, SIGSYS);
	ck_assert_str_eq(o.said, "");
}
END_TEST

#if defined(__x86_64__)
static int
call_x32(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	policy.otherwise = SANDBOX_ALLOW;
	sandbox_apply(&policy, true);
	(void)syscall(0x40000000 | SYS_getppid);
	return 0;
}

START_TEST(other_abi_is_no_way_around)
{
	ENDED_BY(run(call_x32), SIGSYS);
}
END_TEST
#endif

/* --- log ------------------------------------------------------------------ */

static int
log_only(void)
{
	struct sandbox_policy policy = policy_of(SANDBOX_LOG);
	uint32_t violations;
	char cwd[4096];

	sandbox_apply(&policy, true);
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) <= 0 || cwd[0] != '/')
		return 2;
	if (syscall(SYS_getcwd, cwd, (size_t)1) != -1 || errno != ERANGE)
		return 3;
	/* By hand: glibc's fork blocks signals in some versions. */
	if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) != -1 ||
	    errno != EPERM)
		return 4;
	(void)sandbox_shared(SANDBOX_TOKEND, &violations);
	return violations == 3 ? 0 : 5;
}

START_TEST(log_mode_names_counts_and_carries_out)
{
	struct outcome o = run(log_only);

	ENDED_WITH(o, 0);
	ck_assert_ptr_nonnull(strstr(o.said,
	    " error tokend: sandbox: would refuse system call getcwd ("));
}
END_TEST

/* --- Landlock ------------------------------------------------------------- */

static int
read_files(void)
{
	static const struct sandbox_path paths[] = {
	    {"/proc/sys/kernel", SANDBOX_READ},
	    {"/no/such/path", SANDBOX_READ}};
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	policy.landlock = true;
	policy.paths = paths;
	policy.path_count = UTIL_COUNT(paths);
	sandbox_apply(&policy, true);
	if (sandbox_own()->landlock == 0)
		return 77;
	if (open("/proc/sys/kernel/ostype", O_RDONLY) == -1)
		return 2;
	if (open("/proc/sys/kernel/ostype", O_WRONLY) != -1 || errno != EACCES)
		return 3;
	if (open("/etc/passwd", O_RDONLY) != -1 || errno != EACCES)
		return 4;
	if (open("/tmp", O_RDONLY | O_DIRECTORY) != -1 || errno != EACCES)
		return 5;
	return 0;
}

START_TEST(only_the_named_files)
{
	struct outcome o = run(read_files);

	if (!WIFEXITED(o.status) || WEXITSTATUS(o.status) != 77)
		ENDED_WITH(o, 0);
}
END_TEST

/* --- limits, level -------------------------------------------------------- */

static int
limit(void)
{
	static const struct sandbox_limits limits = {
	    .files = 32, .file_bytes = 1 << 20, .memory_bytes = 64 << 20};
	struct rlimit r;

	sandbox_limit(&limits);
	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur != 32 ||
	    r.rlim_max != 32)
		return 2;
	if (getrlimit(RLIMIT_FSIZE, &r) == -1 || r.rlim_max != 1 << 20)
		return 3;
#if !defined(__SANITIZE_ADDRESS__)
	if (mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0) != MAP_FAILED)
		return 4;
#endif
	return 0;
}

START_TEST(limits_are_lowered)
{
	ENDED_WITH(run(limit), 0);
}
END_TEST

START_TEST(level_survives_packing)
{
	struct sandbox_level a = {.mode = SANDBOX_LOG,
	    .seccomp = true,
	    .landlock = 7,
	    .connects = true,
	    .signals = false};
	struct sandbox_level b;
	char space[SANDBOX_TEXT_MAX];

	sandbox_unpack(&b, sandbox_pack(&a));
	ck_assert_uint_eq(sandbox_pack(&a), sandbox_pack(&b));
	ck_assert_str_eq(sandbox_text(&b, space),
	    "log only, seccomp, landlock ABI 7 (files, connects)");
	ck_assert(!sandbox_is_whole(&b));
	sandbox_unpack(&b, 0xffffffffu); /* whatever somebody wrote */
	ck_assert_int_lt((int)b.mode, SANDBOX_MODES);
	a.mode = SANDBOX_ENFORCE;
	ck_assert(sandbox_is_whole(&a));
	a.landlock = 0;
	ck_assert(!sandbox_is_whole(&a));
	ck_assert_str_eq(sandbox_text(&a, space), "seccomp, no landlock");
}
END_TEST

START_TEST(table_too_long_is_refused)
{
	static struct sandbox_call many[SANDBOX_BPF_MAX];
	static struct sandbox_bpf bpf;
	struct sandbox_bpf_params params = {0};
	struct sandbox_policy policy = policy_of(SANDBOX_ENFORCE);

	ck_assert_int_eq(sandbox_bpf_build(&bpf, &policy, &params), 0);
	policy.calls = many;
	policy.call_count = UTIL_COUNT(many);
	ck_assert_int_eq(sandbox_bpf_build(&bpf, &policy, &params), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tc = tcase_create("sandbox");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, rows_allow_and_refuse_quietly);
	tcase_add_test(tc, unlisted_call_is_named_and_ends_the_process);
	tcase_add_test(tc, arguments_are_looked_at);
	tcase_add_test(tc, nobody_catches_violations);
#if defined(__x86_64__)
	tcase_add_test(tc, other_abi_is_no_way_around);
#endif
	tcase_add_test(tc, log_mode_names_counts_and_carries_out);
	tcase_add_test(tc, only_the_named_files);
	tcase_add_test(tc, limits_are_lowered);
	tcase_add_test(tc, level_survives_packing);
	tcase_add_test(tc, table_too_long_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
