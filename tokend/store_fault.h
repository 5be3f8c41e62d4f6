/* SPDX-License-Identifier: MIT */
/*
 * What can be wrong with a store, said once, with the remedy. Between store.c
 * and store_fault.c only.
 */
#ifndef TOKEND_STORE_FAULT_H
#define TOKEND_STORE_FAULT_H

#include "store.h"

/* What a fault is about; the path is absolute where that could be found. */
struct store_place {
	const char *path;
	bool was_root;
	int file; /* its descriptor, or -1 */
};

/* Logs it and returns it. */
enum store_fault store_fault_say(const struct store_place *, enum store_fault);
/* The same, after a system call failed (errno). */
enum store_fault store_fault_errno(const struct store_place *);
/* The same, from SQLite's result code and text. */
enum store_fault store_fault_sqlite(
    const struct store_place *, int rc, const char *text, const char *doing);

/*
 * Owner and mode of the directory and of the file: ours, and closed to others.
 * STORE_PERMISSION when started by root and not so, else a warning each.
 */
enum store_fault store_fault_check_owner(const struct store_place *);

/* Learns what the sandbox forbids to ask later; before sandbox_enter. */
void store_fault_prepare(void);

#endif
