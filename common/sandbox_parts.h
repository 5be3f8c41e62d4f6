/* SPDX-License-Identifier: MIT */
/* What the files of sandbox.h share, and nobody else uses. */
#ifndef COMMON_SANDBOX_PARTS_H
#define COMMON_SANDBOX_PARTS_H

#include <stdint.h>

#include <linux/filter.h>

#include "sandbox.h"

/* --- sandbox_bpf.c: pure -------------------------------------------------- */

#define SANDBOX_BPF_MAX 1024

struct sandbox_bpf {
	struct sock_filter code[SANDBOX_BPF_MAX];
	uint16_t len;
};

/* What a violation returns, and the one instruction from which everything is
 * allowed (0: none). */
struct sandbox_bpf_params {
	uint32_t violation; /* SECCOMP_RET_* */
	uint32_t self;	    /* this process's pid */
	uint64_t gate;
};

/* 0, or -1 when the table does not fit. */
int sandbox_bpf_build(struct sandbox_bpf *, const struct sandbox_policy *,
    const struct sandbox_bpf_params *);

/* --- sandbox_landlock.c --------------------------------------------------- */

/* Fills the level; nothing is applied where the kernel has no Landlock. */
void sandbox_landlock(const struct sandbox_policy *, struct sandbox_level *);

/* --- sandbox_trap.c ------------------------------------------------------- */

/* Installs the handler of SIGSYS. */
void sandbox_trap_install(enum sandbox_process, enum sandbox_mode);
void sandbox_trap_count(uint32_t *counter); /* what it increments */
uint64_t sandbox_trap_gate(void);

/* "openat", or "?". */
const char *sandbox_call_name(int nr);

/* Made by the Makefile from the C library's headers; ends with a NULL name. */
extern const struct sandbox_call_name {
	int nr;
	const char *name;
} sandbox_call_names[];

#endif
