/* SPDX-License-Identifier: MIT */
/*
 * The programs that a process's sandbox.c gives to the kernel, caught on their
 * way there and run here: what the walls say on this architecture, wherever
 * the test runs, under an emulator without seccomp(2), too.
 *
 * Whoever includes this has its own syscall(3), before the C library's.
 */
#ifndef TESTS_UNIT_WALLS_H
#define TESTS_UNIT_WALLS_H

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "log.h"
#include "sandbox_parts.h"
#include "util.h"

#if defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#define OTHER_ARCHS AUDIT_ARCH_ARM, AUDIT_ARCH_X86_64, 0
#else
#define OWN_ARCH AUDIT_ARCH_X86_64
#define OTHER_ARCHS AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0
#endif

#define LANDLOCK_CREATE_RULESET 444

/* The last program that was to be set, and how many there were. */
static struct sandbox_bpf walls;
static unsigned walls_set;

static void
walls_catch(const struct sock_fprog *prog)
{
	ck_assert_uint_gt(prog->len, 0);
	ck_assert_uint_le(prog->len, SANDBOX_BPF_MAX);
	memcpy(walls.code, prog->filter, prog->len * sizeof(*prog->filter));
	walls.len = (uint16_t)prog->len;
	walls_set++;
}

long
syscall(long nr, ...)
{
	static long (*real)(long, ...);
	long a[6];
	size_t i;
	va_list ap;

	va_start(ap, nr);
	for (i = 0; i < UTIL_COUNT(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_seccomp && a[0] == SECCOMP_SET_MODE_FILTER) {
		walls_catch((const struct sock_fprog *)a[2]);
		return 0;
	}
	if (nr == LANDLOCK_CREATE_RULESET) { /* none, so that the test lives */
		errno = ENOSYS;
		return -1;
	}
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- the machine of bpf(4), as much of it as sandbox_bpf.c speaks --------- */

static uint32_t
walls_word(const struct seccomp_data *data, uint32_t at)
{
	uint32_t word;

	ck_assert_uint_le(at, sizeof(*data) - sizeof(word));
	memcpy(&word, (const char *)data + at, sizeof(word));
	return word;
}

static uint32_t
walls_run(const struct seccomp_data *data)
{
	uint32_t a = 0;
	size_t at;

	for (at = 0; at < walls.len; at++) {
		const struct sock_filter *f = &walls.code[at];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = walls_word(data, f->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			at += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= f->k ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			ck_abort_msg("instruction %zu: code %x", at, f->code);
		}
	}
	ck_abort_msg("it ends without a verdict");
	return 0;
}

/* --- what is asked of it -------------------------------------------------- */

/* Of names apart by '|' the first that this architecture has: the one that its
 * C library uses. -1: it has none of them. */
static int
walls_number(const char *names)
{
	const struct sandbox_call_name *c;
	size_t len;

	for (; *names != '\0'; names += len + (names[len] == '|')) {
		len = strcspn(names, "|");
		for (c = sandbox_call_names; c->name != NULL; c++)
			if (strlen(c->name) == len &&
			    strncmp(c->name, names, len) == 0)
				return c->nr;
	}
	return -1;
}

struct walls_row {
	const char *names;
	uint64_t args[6];
	uint32_t verdict;
};

#define WALLS_ALLOW SECCOMP_RET_ALLOW
#define WALLS_TRAP SECCOMP_RET_TRAP
#define WALLS_KILL SECCOMP_RET_KILL_PROCESS
#define WALLS_ERRNO(e) (SECCOMP_RET_ERRNO | (e))

static void
walls_check(const struct walls_row *rows, size_t count)
{
	struct seccomp_data data = {.arch = OWN_ARCH};
	uint32_t got;
	size_t i;

	for (i = 0; i < count; i++) {
		data.nr = walls_number(rows[i].names);
		ck_assert_msg(data.nr != -1, "no call %s here", rows[i].names);
		memcpy(data.args, rows[i].args, sizeof(rows[i].args));
		got = walls_run(&data);
		ck_assert_msg(got == rows[i].verdict,
		    "%s (%d), row %zu: %x instead of %x", rows[i].names,
		    data.nr, i, got, rows[i].verdict);
	}
}

/* Refused whatever their arguments are, and each one there is here. */
static void
walls_never(const char *const *names, size_t count)
{
	static const uint64_t patterns[] = {0, 1, 2, 3, UINT64_MAX};
	struct seccomp_data data = {.arch = OWN_ARCH};
	size_t i, p, n;

	for (i = 0; i < count; i++) {
		data.nr = walls_number(names[i]);
		if (data.nr == -1)
			continue;
		for (p = 0; p < UTIL_COUNT(patterns); p++) {
			for (n = 0; n < UTIL_COUNT(data.args); n++)
				data.args[n] = patterns[p];
			ck_assert_msg(walls_run(&data) != SECCOMP_RET_ALLOW,
			    "%s (%d) is allowed", names[i], data.nr);
		}
	}
}

/* Another architecture's numbers mean other calls: no one gets by. */
static void
walls_check_archs(void)
{
	static const uint32_t others[] = {OTHER_ARCHS};
	struct seccomp_data data = {0};
	size_t i;

	for (i = 0; i < UTIL_COUNT(others); i++) {
		data.arch = others[i];
		for (data.nr = 0; data.nr < 512; data.nr++)
			ck_assert_uint_eq(walls_run(&data), WALLS_KILL);
	}
#if defined(__x86_64__)
	data.arch = OWN_ARCH;
	for (data.nr = 0x40000000; data.nr < 0x40000200; data.nr++)
		ck_assert_uint_eq(walls_run(&data), WALLS_KILL);
#endif
}

/* What takes over a process, another one, or the machine. */
#define WALLS_NOBODY                                                           \
	"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",      \
	    "kcmp", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", \
	    "io_uring_enter", "init_module", "finit_module", "delete_module",  \
	    "kexec_load", "kexec_file_load", "mount", "umount2", "pivot_root", \
	    "move_mount", "open_tree", "fsopen", "fsmount", "setns",           \
	    "unshare", "clone3", "reboot", "swapon", "acct", "settimeofday",   \
	    "clock_settime", "adjtimex", "sethostname", "setdomainname",       \
	    "personality", "add_key", "request_key", "keyctl",                 \
	    "mount_setattr", "quotactl_fd", "open_by_handle_at",               \
	    "name_to_handle_at", "fanotify_init", "iopl", "ioperm",            \
	    "modify_ldt", "syslog", "quotactl", "lookup_dcookie"
/* And what only who starts others, or changes users, does. */
#define WALLS_NO_CHILD                                                        \
	"execve", "execveat", "fork", "vfork", "kill", "tkill",               \
	    "rt_sigqueueinfo", "pidfd_open", "pidfd_send_signal", "setuid",   \
	    "setgid", "setresuid", "setresgid", "setgroups", "setfsuid",      \
	    "capset", "chroot", "chmod", "fchmodat", "chown", "fchown",       \
	    "fchownat", "link", "linkat", "symlink", "symlinkat", "rename",   \
	    "renameat", "renameat2", "mkdir", "mkdirat", "mknod", "mknodat",  \
	    "setxattr", "truncate", "listen", "accept", "setrlimit", "prctl", \
	    "memfd_create", "mlockall", "shmget", "msgget", "semget",         \
	    "mq_open", "inotify_init1", "vmsplice", "splice", "tee",          \
	    "sendfile", "sched_setscheduler", "setpriority", "uselib",        \
	    "creat", "openat2", "remap_file_pages", "pkey_mprotect",          \
	    "set_mempolicy", "mbind", "process_madvise", "fcntl64"

static inline int
walls_main(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner;
	int failed;
	size_t i;

	log_init("unit", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	for (i = 0; i < count; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* walls stay */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
