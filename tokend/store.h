/* SPDX-License-Identifier: MIT */
/*
 * The store: one SQLite file with the Go Telephone's schema, which stays
 * readable and writable by it. Knows sealed texts, not tokens. Every fault has
 * a name of its own (enum store_fault) and is logged here, once, with its
 * remedy.
 *
 * Opening changes nothing in a file that is already there: store_adopt does,
 * once the caller has seen that it can read it. What cannot be read is never
 * taken for an empty store, and never written to.
 */
#ifndef TOKEND_STORE_H
#define TOKEND_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"

struct sqlite3;
struct store;

enum store_fault {
	STORE_OK,
	STORE_IN_USE,	    /* another tokend holds it */
	STORE_PERMISSION,   /* this user may not, or others may */
	STORE_NO_DIRECTORY, /* its directory does not exist */
	STORE_ABSENT,	    /* read only: there is no such file */
	STORE_NOT_A_FILE,   /* a link, a directory, a device */
	STORE_FOREIGN,	    /* a database, but not a store */
	STORE_NEWER,	    /* of a later version */
	STORE_DAMAGED,	    /* SQLite cannot read it */
	STORE_READONLY,	    /* the file system takes no write */
	STORE_LOCKED,	    /* another program, longer than DB_TIMEOUT */
	STORE_FULL,	    /* no space left, or the quota is used up */
	STORE_IO,	    /* anything else */
	STORE_FAULTS
};
const char *store_fault_name(enum store_fault);
/* The sysexits code that a start fails with. */
int store_fault_code(enum store_fault);
/* It may pass by itself: try again. */
bool store_fault_is_transient(enum store_fault);
/* The row of the metric it counts for. */
enum proto_store_error store_fault_metric(enum store_fault);

struct store_params {
	const char *path;
	int64_t timeout_ms; /* for a locked file */
	bool was_root;	    /* started by root: the remedies name commands, and
			       an owner or a mode that is wrong is a fault */
	bool read_only;	    /* look, but neither create nor lock nor adopt */
};

/* *out is set with STORE_OK only. */
enum store_fault store_open(struct store **out, const struct store_params *);
void store_close(struct store *); /* NULL is fine */

/* Whether the file that was opened still stands at its path: what is written
 * to one that was removed or replaced is lost with this process. */
bool store_is_in_place(const struct store *);

/* Calls back for each row, newest first, until it returns false. */
enum store_fault store_each(struct store *,
    bool (*cb)(int64_t id, const char *sealed, void *arg), void *arg);

/* Makes the file ours: mode 0600, WAL, synchronous=FULL, the schema brought
 * to this version. May be called again when it failed. */
enum store_fault store_adopt(struct store *);

/* Adds a row, durably: once this returns STORE_OK it survives a crash of this
 * process and of the machine. */
enum store_fault
store_save(struct store *, const char *sealed, int64_t exp_s, int64_t *id);

/*
 * Gives each row to cb, which may write another sealed text to out (size
 * bytes) and return true: all rows change in one transaction, or none does.
 */
enum store_fault store_rewrite(struct store *,
    bool (*cb)(const char *sealed, char *out, size_t size, void *arg),
    size_t size, void *arg);

enum store_fault store_delete(struct store *, int64_t id);

/* Rows, or -1. */
int64_t store_count(struct store *); /* NULL is fine */

void store_set_timeout(struct store *, int64_t timeout_ms); /* NULL is fine */

/* "2026-01-02 03:04:05.678901234+00:00", the fraction only when it is not
 * zero: what the Go Telephone's driver writes. */
#define STORE_TIME_MAX 48
void store_format_time(char dst[STORE_TIME_MAX], int64_t s, int64_t ns);

#endif
