/* SPDX-License-Identifier: MIT */
/*
 * What happens at a violation. The handler runs in the middle of anything: it
 * calls only what is async-signal-safe.
 *
 * Mode enforce: the disposition is the default again when the handler runs
 * (SA_RESETHAND), so that raising the signal once more ends the process; the
 * tables do not let anybody set another one. Mode log: the call is made once
 * more through the gate, the one instruction from which the filter lets
 * everything pass, and its result is put where the program expects it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "log.h"
#include "sandbox_parts.h"

static enum sandbox_process trap_process;
static enum sandbox_mode trap_mode;
static uint32_t trap_unshared, *trap_counter = &trap_unshared;

const char *
sandbox_call_name(int nr)
{
	size_t i;

	for (i = 0; sandbox_call_names[i].name != NULL; i++)
		if (sandbox_call_names[i].nr == nr)
			return sandbox_call_names[i].name;
	return "?";
}

/* --- the gate ------------------------------------------------------------- */

long sandbox_gate(long nr, const unsigned long args[6]);
extern const char sandbox_gate_end[];

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".globl sandbox_gate, sandbox_gate_end\n"
	".hidden sandbox_gate, sandbox_gate_end\n"
	".type sandbox_gate, @function\n"
	"sandbox_gate:\n"
	"	movq %rdi, %rax\n"
	"	movq %rsi, %r11\n"
	"	movq (%r11), %rdi\n"
	"	movq 8(%r11), %rsi\n"
	"	movq 16(%r11), %rdx\n"
	"	movq 24(%r11), %r10\n"
	"	movq 32(%r11), %r8\n"
	"	movq 40(%r11), %r9\n"
	"	syscall\n"
	"sandbox_gate_end:\n"
	"	ret\n"
	".size sandbox_gate, . - sandbox_gate\n"
	".popsection\n");

static void
read_args(const ucontext_t *uc, unsigned long args[6])
{
	static const int regs[6] = {
	    REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
	size_t i;

	for (i = 0; i < 6; i++)
		args[i] = (unsigned long)uc->uc_mcontext.gregs[regs[i]];
}

static void
set_result(ucontext_t *uc, long result)
{
	uc->uc_mcontext.gregs[REG_RAX] = result;
}
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
	".globl sandbox_gate, sandbox_gate_end\n"
	".hidden sandbox_gate, sandbox_gate_end\n"
	".type sandbox_gate, %function\n"
	"sandbox_gate:\n"
	"	mov x8, x0\n"
	"	mov x9, x1\n"
	"	ldp x0, x1, [x9]\n"
	"	ldp x2, x3, [x9, 16]\n"
	"	ldp x4, x5, [x9, 32]\n"
	"	svc 0\n"
	"sandbox_gate_end:\n"
	"	ret\n"
	".size sandbox_gate, . - sandbox_gate\n"
	".popsection\n");

static void
read_args(const ucontext_t *uc, unsigned long args[6])
{
	size_t i;

	for (i = 0; i < 6; i++)
		args[i] = (unsigned long)uc->uc_mcontext.regs[i];
}

static void
set_result(ucontext_t *uc, long result)
{
	uc->uc_mcontext.regs[0] = (unsigned long long)result;
}
#endif

uint64_t
sandbox_trap_gate(void)
{
	return (uint64_t)(uintptr_t)sandbox_gate_end;
}

/* --- the handler ---------------------------------------------------------- */

/* A child would come back on the handler's stack, or on none. */
static bool
makes_process(int nr)
{
	switch (nr) {
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
	case SYS_clone:
	case SYS_clone3:
		return true;
	default:
		return false;
	}
}

static void
carry_out(int nr, ucontext_t *uc)
{
	unsigned long args[6];

	if (makes_process(nr)) {
		set_result(uc, -EPERM);
		return;
	}
	read_args(uc, args);
	set_result(uc, sandbox_gate(nr, args));
}

static void
on_violation(int sig, siginfo_t *info, void *context)
{
	int saved = errno, nr = info->si_syscall;

	__atomic_add_fetch(trap_counter, 1, __ATOMIC_RELAXED);
	log_async(LOG_LEVEL_ERROR, sandbox_process_name(trap_process),
	    trap_mode == SANDBOX_LOG ? "sandbox: would refuse system call "
				     : "sandbox: refused system call ",
	    sandbox_call_name(nr), nr);
	if (trap_mode == SANDBOX_LOG)
		carry_out(nr, context);
	else
		(void)raise(sig);
	errno = saved;
}

void
sandbox_trap_count(uint32_t *counter)
{
	trap_counter = counter;
}

void
sandbox_trap_install(enum sandbox_process process, enum sandbox_mode mode)
{
	struct sigaction sa;
	sigset_t set;

	trap_process = process;
	trap_mode = mode;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_violation;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	if (mode != SANDBOX_LOG)
		sa.sa_flags |= (int)SA_RESETHAND;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGSYS);
	if (sigaction(SIGSYS, &sa, NULL) == -1 ||
	    sigprocmask(SIG_UNBLOCK, &set, NULL) == -1)
		fatal("violations cannot be caught");
}
