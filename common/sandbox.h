/* SPDX-License-Identifier: MIT */
/*
 * What a process may still do once it is warm. The rights of each process are
 * tables in its own sandbox.c; here is what turns tables into walls: seccomp
 * (a small BPF program), Landlock (by system call, its ABI asked at run time),
 * resource limits. A layer that this kernel does not have is left out and
 * reported; what was reached is in struct sandbox_level.
 *
 * A system call outside the table (SANDBOX=enforce) writes one line that names
 * process and call and ends the process with SIGSYS, which the supervisor
 * counts. With SANDBOX=log it writes the line, counts, and is carried out.
 * fork, clone and vfork cannot be carried out from a signal handler: they are
 * refused in that mode too.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;

/* In the order of SANDBOX's choices. */
enum sandbox_mode {
	SANDBOX_ENFORCE,
	SANDBOX_LOG,
	SANDBOX_OFF,
	SANDBOX_MODES
};

enum sandbox_process {
	SANDBOX_SUPERVISOR,
	SANDBOX_WORKER,
	SANDBOX_LOOKUP,
	SANDBOX_TOKEND,
	SANDBOX_PROCESSES
};

const char *sandbox_mode_name(enum sandbox_mode);
const char *sandbox_process_name(enum sandbox_process);

/* --- tables --------------------------------------------------------------- */

enum sandbox_action {
	SANDBOX_ALLOW,
	SANDBOX_VIOLATION, /* see above */
	SANDBOX_KILL,	   /* at once, without a word: no handler runs */
	SANDBOX_ERRNO,	   /* quietly: what libraries try and can do without */
};

/* Of one argument: (it & mask) == value. The kernel reads most of them as an
 * int, so what is compared is the low word; of a pointer both have to be. */
struct sandbox_arg {
	uint8_t n;
	bool high; /* its high word instead */
	bool self; /* the value is this process's own pid */
	uint32_t mask, value;
};

#define SANDBOX_ARG_BITS(i, m, v)                                       \
	{                                                               \
		.n = (i), .mask = (uint32_t)(m), .value = (uint32_t)(v) \
	}
#define SANDBOX_ARG(i, v) SANDBOX_ARG_BITS(i, ~0u, v)

/* One row. The first row that matches decides; what no row names is the
 * table's default. */
#define SANDBOX_ARGS_MAX 3
struct sandbox_call {
	int nr;
	enum sandbox_action action;
	uint16_t error; /* with SANDBOX_ERRNO */
	uint8_t arg_count;
	struct sandbox_arg
	    args[SANDBOX_ARGS_MAX]; /* all of them, or no match */
};

#define SANDBOX_DO(call, act)                     \
	{                                         \
		.nr = SYS_##call, .action = (act) \
	}
#define SANDBOX_DO_IF(call, act, e, ...)                                   \
	{                                                                  \
		.nr = SYS_##call, .action = (act), .error = (e),           \
		.arg_count = sizeof((struct sandbox_arg[]){__VA_ARGS__}) / \
		    sizeof(struct sandbox_arg),                            \
		.args = {                                                  \
			__VA_ARGS__                                        \
		}                                                          \
	}
#define SANDBOX_OK(call) SANDBOX_DO(call, SANDBOX_ALLOW)
#define SANDBOX_NO(call) SANDBOX_DO(call, SANDBOX_VIOLATION)
#define SANDBOX_FAIL(call, e)                                           \
	{                                                               \
		.nr = SYS_##call, .action = SANDBOX_ERRNO, .error = (e) \
	}
#define SANDBOX_OK_IF(call, ...) \
	SANDBOX_DO_IF(call, SANDBOX_ALLOW, 0, __VA_ARGS__)
#define SANDBOX_NO_IF(call, ...) \
	SANDBOX_DO_IF(call, SANDBOX_VIOLATION, 0, __VA_ARGS__)
#define SANDBOX_FAIL_IF(call, e, ...) \
	SANDBOX_DO_IF(call, SANDBOX_ERRNO, e, __VA_ARGS__)
#define SANDBOX_IF_BITS(call, i, m, v) \
	SANDBOX_OK_IF(call, SANDBOX_ARG_BITS(i, m, v))
#define SANDBOX_IF(call, i, v) SANDBOX_OK_IF(call, SANDBOX_ARG(i, v))
#define SANDBOX_IF_NULL(call, i) \
	SANDBOX_OK_IF(           \
	    call, SANDBOX_ARG(i, 0), {.n = (i), .high = true, .mask = ~0u})
#define SANDBOX_KILL_IF(call, i, v) \
	SANDBOX_DO_IF(call, SANDBOX_KILL, 0, SANDBOX_ARG(i, v))
#define SANDBOX_SELF(call, i) \
	SANDBOX_OK_IF(call, {.n = (i), .self = true, .mask = ~0u})

/* What fcntl(2) is for, and no more: with F_SETOWN and F_SETSIG it would be
 * kill(2). */
#define SANDBOX_FCNTL                                                     \
	SANDBOX_IF(fcntl, 1, F_GETFD), SANDBOX_IF(fcntl, 1, F_SETFD),     \
	    SANDBOX_IF(fcntl, 1, F_GETFL), SANDBOX_IF(fcntl, 1, F_SETFL), \
	    SANDBOX_IF(fcntl, 1, F_DUPFD_CLOEXEC)

/* Memory, and none of it to execute. */
#define SANDBOX_MEMORY                                                   \
	SANDBOX_OK(brk), SANDBOX_OK(munmap), SANDBOX_OK(mremap),         \
	    SANDBOX_OK(madvise), SANDBOX_IF_BITS(mmap, 2, PROT_EXEC, 0), \
	    SANDBOX_IF_BITS(mprotect, 2, PROT_EXEC, 0)

#define SANDBOX_WHO_AM_I                                                 \
	SANDBOX_OK(getpid), SANDBOX_OK(gettid), SANDBOX_OK(getppid),     \
	    SANDBOX_OK(getuid), SANDBOX_OK(geteuid), SANDBOX_OK(getgid), \
	    SANDBOX_OK(getegid)

/* Signals of its own, and the end. What happens at a violation nobody changes,
 * and nobody signals another. */
#define SANDBOX_ENDING                                                      \
	SANDBOX_KILL_IF(rt_sigaction, 0, SIGSYS), SANDBOX_OK(rt_sigaction), \
	    SANDBOX_OK(rt_sigprocmask), SANDBOX_OK(rt_sigreturn),           \
	    SANDBOX_OK(sigaltstack), SANDBOX_SELF(tgkill, 0),               \
	    SANDBOX_OK(exit), SANDBOX_OK(exit_group)

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
#define SANDBOX_NAMESPACES 0x7e020000u

/* Standard error is one open description for all processes and, with a file or
 * journald behind it, what one does to it is done to all: nobody but writes
 * there. Before the rows that allow these calls. */
#define SANDBOX_KEEP_LOG(call) SANDBOX_FAIL_IF(call, EPERM, SANDBOX_ARG(0, 2))

/* A tree of files. Rights are or-ed; a path that does not exist is left out. */
enum sandbox_files {
	SANDBOX_READ = 1,  /* files below it */
	SANDBOX_LIST = 2,  /* directories */
	SANDBOX_WRITE = 4, /* change, make and remove files below it */
};

struct sandbox_path {
	const char *path;
	unsigned rights;
};

#define SANDBOX_PORTS_MAX 8

struct sandbox_policy {
	enum sandbox_process process;
	enum sandbox_mode mode;
	/* Its children inherit the filter and know no handler of ours: what is
	 * a violation is refused to them, too, and in mode log is left to the
	 * kernel's own log. */
	bool inherited;
	enum sandbox_action otherwise; /* what no row names */
	const struct sandbox_call *calls;
	size_t call_count;
	bool landlock; /* only these files, these ports: */
	const struct sandbox_path *paths;
	size_t path_count;
	uint16_t ports[SANDBOX_PORTS_MAX]; /* TCP connect */
	size_t port_count;
};

/* What was reached, as reported by status and metrics. */
struct sandbox_level {
	enum sandbox_mode mode;
	bool seccomp;
	uint8_t landlock; /* ABI in use, 0: none */
	bool connects;	  /* TCP only to the named ports (ABI 4) */
	bool signals;	  /* none out of the sandbox (ABI 6) */
	bool no_landlock; /* by design: it is not missed */
};

/* As 32 bits, of which any value can be taken apart. */
uint32_t sandbox_pack(const struct sandbox_level *);
void sandbox_unpack(struct sandbox_level *, uint32_t bits);

/* True when nothing is missing that the process asked for. */
bool sandbox_is_whole(const struct sandbox_level *);

/*
 * Raises the walls, in the order Landlock, seccomp. Not for undoing. Fatal
 * when a wall that this kernel has cannot be raised, and when seccomp is
 * missing in a process that root has started (`strict`).
 */
void sandbox_apply(const struct sandbox_policy *, bool strict);

/* For a fork that may do less than its parent: adds the policy's rows, of which
 * none may be a violation, to the walls that stand. 0, or -1 with errno. */
int sandbox_narrow(const struct sandbox_policy *);

/* This process's own level. */
struct sandbox_level *sandbox_own(void);

/*
 * How the walls of `process` stand and how many violations it has counted, by
 * memory that is shared with the processes forked after the first call of
 * this. Whoever shares it can write there what he likes.
 */
uint32_t sandbox_shared(enum sandbox_process, uint32_t *violations);

/* "seccomp, landlock ABI 7 (files, connects, signals)" or what is missing. */
#define SANDBOX_TEXT_MAX 192
const char *
sandbox_text(const struct sandbox_level *, char space[SANDBOX_TEXT_MAX]);

/*
 * Resource limits, each lowered for good, hard and soft, never raised; 0
 * leaves one as it is. file_bytes is left out when standard error is a file,
 * since a log may grow. memory_bytes is added to what the process holds now.
 */
struct sandbox_limits {
	uint64_t files;
	uint64_t processes_plus_one; /* 1: no fork, no thread */
	uint64_t file_bytes;
	uint64_t memory_bytes;
};
void sandbox_limit(const struct sandbox_limits *);

/* --- each process's own (its sandbox.c) ----------------------------------- */

/* The last step of a birth: everything is open and warm, the user is the
 * right one, and from here on only what the table allows can be done. */
void sandbox_enter(const struct conf *);

#endif
