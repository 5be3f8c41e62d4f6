/* SPDX-License-Identifier: MIT */
/*
 * Users and privileges.
 */
#ifndef COMMON_PRIV_H
#define COMMON_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct priv_user {
	uid_t uid;
	gid_t gid;
	char name[64];
};

/* Looks a user up. 0, or -1: there is none (errno 0), or the look-up failed. */
int priv_lookup(struct priv_user *, const char *name);

/* True when this process may change users. */
bool priv_is_root(void);

/*
 * Becomes that user for good: groups, gid and uid, all three of each, then
 * verifies that it cannot go back. Fatal on any failure.
 */
void priv_drop(const struct priv_user *);

/*
 * What every process does at birth, root or not: no_new_privs, not dumpable,
 * no core file, SIGPIPE ignored. Fatal where DESIGN demands it.
 */
void priv_harden(void);

/* Keeps of the capabilities that this process has only these, and takes all
 * others from its bounding set, so that its children cannot get them either.
 * Fatal on any failure. */
void priv_keep(const int *capabilities, size_t count);

/* Asks the kernel for SIGKILL when the parent dies; must follow every change
 * of user, which clears it. Leaves at once when the parent is already gone
 * (`parent` is its pid). */
void priv_die_with_parent(pid_t parent);

#endif
