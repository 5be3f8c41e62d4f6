/* SPDX-License-Identifier: MIT */
/*
 * A table as a classic BPF program (seccomp(2)): architecture, then row by
 * row. Of an argument the low word is loaded where an int is meant, since the
 * kernel does not look at the high one either; where it is a pointer, both.
 */
#include <stddef.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include "sandbox_parts.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN_ABI                                              \
	0x40000000u /* x32: the same architecture, other numbers \
		     */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "seccomp: x86_64 and aarch64 are known here"
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "seccomp: the words of an argument are taken as little endian"
#endif

#define LOW(field) ((uint32_t)offsetof(struct seccomp_data, field))
#define ARG(n) (LOW(args) + 8u * (n))

static void
add(struct sandbox_bpf *b, struct sock_filter insn)
{
	if (b->len < SANDBOX_BPF_MAX)
		b->code[b->len] = insn;
	b->len++; /* past the end: seen by the caller */
}

static void
load(struct sandbox_bpf *b, uint32_t offset)
{
	add(b, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void
give(struct sandbox_bpf *b, uint32_t verdict)
{
	add(b, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

/* Unless the loaded word is k, skips n instructions. */
static void
unless(struct sandbox_bpf *b, uint32_t k, uint8_t n)
{
	add(b,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, n));
}

static uint32_t
verdict_of(enum sandbox_action action, uint16_t error, uint32_t violation)
{
	switch (action) {
	case SANDBOX_ALLOW:
		return SECCOMP_RET_ALLOW;
	case SANDBOX_ERRNO:
		return SECCOMP_RET_ERRNO | error;
	case SANDBOX_KILL:
		return SECCOMP_RET_KILL_PROCESS;
	default:
		return violation;
	}
}

static void
add_head(struct sandbox_bpf *b, const struct sandbox_bpf_params *p)
{
	load(b, LOW(arch));
	unless(b, ARCH, 1);
	add(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
	give(b, SECCOMP_RET_KILL_PROCESS);
	if (p->gate != 0) {
		load(b, LOW(instruction_pointer));
		unless(b, (uint32_t)p->gate, 3);
		load(b, LOW(instruction_pointer) + 4);
		unless(b, (uint32_t)(p->gate >> 32), 1);
		give(b, SECCOMP_RET_ALLOW);
	}
	load(b, LOW(nr));
#ifdef FOREIGN_ABI
	add(b,
	    (struct sock_filter)BPF_JUMP(
		BPF_JMP | BPF_JGE | BPF_K, FOREIGN_ABI, 0, 1));
	give(b, SECCOMP_RET_KILL_PROCESS);
#endif
}

/* Of one argument; skips n instructions when it differs. */
static void
add_arg(struct sandbox_bpf *b, const struct sandbox_arg *a, uint32_t self,
    uint8_t n)
{
	load(b, ARG(a->n) + (a->high ? 4u : 0u));
	add(b,
	    (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, a->mask));
	unless(b, a->self ? self : a->value, n);
}

/* What add_arg and what follows the arguments are long. */
#define ARG_LEN 3
#define VERDICT_LEN 2

/* The number is loaded before and after. */
static void
add_row(struct sandbox_bpf *b, const struct sandbox_call *c,
    const struct sandbox_bpf_params *p)
{
	uint32_t verdict = verdict_of(c->action, c->error, p->violation);
	unsigned left = c->arg_count;
	size_t i;

	if (left == 0) {
		unless(b, (uint32_t)c->nr, 1);
		give(b, verdict);
		return;
	}
	unless(b, (uint32_t)c->nr, (uint8_t)(left * ARG_LEN + VERDICT_LEN));
	for (i = 0; i < c->arg_count; i++) {
		left--;
		add_arg(b, &c->args[i], p->self, (uint8_t)(left * ARG_LEN + 1));
	}
	give(b, verdict);
	load(b, LOW(nr));
}

int
sandbox_bpf_build(struct sandbox_bpf *b, const struct sandbox_policy *policy,
    const struct sandbox_bpf_params *p)
{
	size_t i;

	b->len = 0;
	add_head(b, p);
	for (i = 0; i < policy->call_count; i++)
		add_row(b, &policy->calls[i], p);
	give(b, verdict_of(policy->otherwise, 0, p->violation));
	return b->len <= SANDBOX_BPF_MAX ? 0 : -1;
}
