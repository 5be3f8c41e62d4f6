/* SPDX-License-Identifier: MIT */
/* The engine of sandbox.h: walls in order, limits, and what is said of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "log.h"
#include "sandbox_parts.h"
#include "util.h"

static struct sandbox_level own;

/* Shared with forks. */
static struct shared {
	uint32_t level; /* packed */
	uint32_t violations;
} * shared;

const char *
sandbox_mode_name(enum sandbox_mode mode)
{
	static const char *const names[SANDBOX_MODES] = {
	    "enforce", "log", "off"};

	return (size_t)mode < UTIL_COUNT(names) ? names[mode] : "?";
}

const char *
sandbox_process_name(enum sandbox_process process)
{
	static const char *const names[SANDBOX_PROCESSES] = {
	    "telephone", "worker", "lookup", "tokend"};

	return (size_t)process < UTIL_COUNT(names) ? names[process] : "?";
}

struct sandbox_level *
sandbox_own(void)
{
	return &own;
}

uint32_t
sandbox_shared(enum sandbox_process process, uint32_t *violations)
{
	if (shared == NULL) {
		shared = mmap(NULL, SANDBOX_PROCESSES * sizeof(*shared),
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED)
			fatal("no memory for the sandbox's counters");
	}
	if (violations != NULL)
		*violations = __atomic_load_n(
		    &shared[process].violations, __ATOMIC_RELAXED);
	return __atomic_load_n(&shared[process].level, __ATOMIC_RELAXED);
}

/* --- what was reached ----------------------------------------------------- */

enum {
	BIT_SECCOMP = 1 << 2, /* the mode is below it */
	BIT_CONNECTS = 1 << 4,
	BIT_SIGNALS = 1 << 5,
	BIT_NO_LANDLOCK = 1 << 6,
};

uint32_t
sandbox_pack(const struct sandbox_level *l)
{
	return (uint32_t)l->mode | (l->seccomp ? BIT_SECCOMP : 0) |
	    (l->connects ? BIT_CONNECTS : 0) | (l->signals ? BIT_SIGNALS : 0) |
	    (l->no_landlock ? BIT_NO_LANDLOCK : 0) | (uint32_t)l->landlock << 8;
}

void
sandbox_unpack(struct sandbox_level *l, uint32_t bits)
{
	uint32_t mode = bits & 3;

	l->mode = mode < SANDBOX_MODES ? (enum sandbox_mode)mode : SANDBOX_OFF;
	l->seccomp = (bits & BIT_SECCOMP) != 0;
	l->connects = (bits & BIT_CONNECTS) != 0;
	l->signals = (bits & BIT_SIGNALS) != 0;
	l->no_landlock = (bits & BIT_NO_LANDLOCK) != 0;
	l->landlock = (uint8_t)(bits >> 8);
}

bool
sandbox_is_whole(const struct sandbox_level *l)
{
	return l->mode == SANDBOX_ENFORCE && l->seccomp &&
	    (l->no_landlock || l->landlock > 0);
}

const char *
sandbox_text(const struct sandbox_level *l, char space[SANDBOX_TEXT_MAX])
{
	char files[64];

	if (l->mode == SANDBOX_OFF)
		return "off";
	if (l->no_landlock)
		files[0] = '\0';
	else if (l->landlock == 0)
		(void)util_strlcpy(files, ", no landlock", sizeof(files));
	else
		(void)util_fmt(files, sizeof(files),
		    ", landlock ABI %u (files%s%s)", l->landlock,
		    l->connects ? ", connects" : "",
		    l->signals ? ", signals" : "");
	(void)util_fmt(space, SANDBOX_TEXT_MAX, "%s%s%s",
	    l->mode == SANDBOX_LOG ? "log only, " : "",
	    l->seccomp ? "seccomp" : "no seccomp", files);
	return space;
}

/* --- seccomp -------------------------------------------------------------- */

static uint32_t
violation_of(const struct sandbox_policy *policy)
{
	if (policy->inherited && policy->mode == SANDBOX_LOG)
		return SECCOMP_RET_LOG;
	return SECCOMP_RET_TRAP;
}

static void
apply_seccomp(const struct sandbox_policy *policy, bool strict)
{
	static struct sandbox_bpf bpf;
	struct sandbox_bpf_params params = {
	    .violation = violation_of(policy),
	    .self = (uint32_t)getpid(),
	    .gate = policy->mode == SANDBOX_LOG ? sandbox_trap_gate() : 0,
	};
	struct sock_fprog prog = {.filter = bpf.code};

	if (sandbox_bpf_build(&bpf, policy, &params) == -1)
		fatalx("the table of system calls is too long");
	prog.len = bpf.len;
	sandbox_trap_install(policy->process, policy->mode);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_TSYNC, &prog) == 0)
		own.seccomp = true;
	else if (strict)
		log_exit(EX_OSERR,
		    "no seccomp filter can be set (%s): use a kernel or a "
		    "container that allows it, or set SANDBOX=off",
		    strerror(errno));
	else
		log_warn("no seccomp filter can be set");
}

int
sandbox_narrow(const struct sandbox_policy *policy)
{
	static struct sandbox_bpf bpf;
	static const struct sandbox_bpf_params params = {
	    .violation = SECCOMP_RET_KILL_PROCESS};
	struct sock_fprog prog = {.filter = bpf.code};

	if (sandbox_bpf_build(&bpf, policy, &params) == -1) {
		errno = E2BIG;
		return -1;
	}
	prog.len = bpf.len;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

void
sandbox_apply(const struct sandbox_policy *policy, bool strict)
{
	char space[SANDBOX_TEXT_MAX];

	own.mode = policy->mode;
	own.no_landlock = !policy->landlock;
	(void)sandbox_shared(policy->process, NULL);
	sandbox_trap_count(&shared[policy->process].violations);
	if (policy->landlock && policy->mode == SANDBOX_ENFORCE)
		sandbox_landlock(policy, &own);
	if (policy->mode != SANDBOX_OFF)
		apply_seccomp(policy, strict);
	__atomic_store_n(&shared[policy->process].level, sandbox_pack(&own),
	    __ATOMIC_RELAXED);
	log_debug("sandbox: %s", sandbox_text(&own, space));
}

/* --- limits --------------------------------------------------------------- */

/* An int, says POSIX; an enumeration without signs in glibc, to which clang
 * lets no int go unsaid. */
#ifdef __GLIBC__
#define RESOURCE __rlimit_resource_t
#else
#define RESOURCE int
#endif

static void
lower(RESOURCE resource, uint64_t max)
{
	struct rlimit r;

	if (getrlimit(resource, &r) == -1)
		return;
	if (r.rlim_max > max)
		r.rlim_max = max;
	if (r.rlim_cur > r.rlim_max)
		r.rlim_cur = r.rlim_max;
	if (setrlimit(resource, &r) == -1)
		log_warn("a resource limit cannot be lowered");
}

/* Bytes of address space in use. */
static uint64_t
address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128] = "";

	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	(void)fclose(f);
	return (uint64_t)strtoull(line, NULL, 10) *
	    (uint64_t)sysconf(_SC_PAGESIZE);
}

void
sandbox_limit(const struct sandbox_limits *l)
{
	struct stat sb;
	uint64_t held;

	if (l->files > 0)
		lower(RLIMIT_NOFILE, l->files);
	if (l->processes_plus_one > 0)
		lower(RLIMIT_NPROC, l->processes_plus_one - 1);
	if (l->file_bytes > 0 && fstat(STDERR_FILENO, &sb) == 0 &&
	    !S_ISREG(sb.st_mode))
		lower(RLIMIT_FSIZE, l->file_bytes);
	held = l->memory_bytes > 0 ? address_space() : 0;
	if (held > 0)
		lower(RLIMIT_AS, held + l->memory_bytes);
}
