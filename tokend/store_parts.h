/* SPDX-License-Identifier: MIT */
/* What the files of store.h share, and nobody else needs. */
#ifndef TOKEND_STORE_PARTS_H
#define TOKEND_STORE_PARTS_H

#include <limits.h>
#include <sys/stat.h>

#include "store.h"

struct store {
	struct store_params params;
	char path[PATH_MAX];
	struct sqlite3 *db;
	int lock;
	bool fresh;	       /* there is no table yet */
	struct stat beside[2]; /* SQLite's -wal and -shm, as of store_adopt */
};

/* Each logs a fault with its remedy and returns it. */
enum store_fault store_fault_is(const struct store *, enum store_fault);
enum store_fault store_fault_of_errno(const struct store *);
/* … of the last SQLite call; `doing` says what has failed. */
enum store_fault store_fault_of_sqlite(const struct store *, const char *doing);

/* A statement without a result: 0 or -1. */
int store_exec(struct store *, const char *sql);

/* The one integer that a query gives, or this. */
#define STORE_QUERY_FAILED INT64_MIN
int64_t store_query_int(struct store *, const char *sql);

/* The tables are those of a store of ours, or there are none; changes
 * nothing. */
enum store_fault store_schema_check(struct store *);
/* Brings them to this version, in one transaction. */
enum store_fault store_schema_adopt(struct store *);

#endif
