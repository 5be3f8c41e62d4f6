/* SPDX-License-Identifier: MIT */
/*
 * The schema of a store, version by version, by PRAGMA user_version: older
 * ones are brought to ours, newer ones are left alone.
 */
#include <sqlite3.h>

#include "store.h"
#include "store_parts.h"
#include "util.h"

static const char *const schema[] = {
    "CREATE TABLE tokens (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "encrypted_token TEXT NOT NULL, expires_at DATETIME NOT NULL, "
    "updated_at DATETIME NOT NULL, "
    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    NULL,
};

/* 0 → 1: the Go Telephone's, which never sets user_version, adopted. Its
 * indexes are its own; a store in use for long may lack one of them. */
static const char *const to_1[] = {
    "CREATE INDEX IF NOT EXISTS idx_tokens_updated_at "
    "ON tokens(updated_at DESC)",
    "CREATE INDEX IF NOT EXISTS idx_tokens_expires_at "
    "ON tokens(expires_at DESC)",
    "PRAGMA user_version = 1",
    NULL,
};

/* The step from each PRAGMA user_version to the next. To change the schema is
 * to add one; the Go Telephone must be able to read what comes of it. */
static const char *const *const steps[] = {to_1};
#define VERSION_OURS ((int64_t)UTIL_COUNT(steps))

static int
exec_all(struct store *st, const char *const *sql)
{
	for (; *sql != NULL; sql++)
		if (store_exec(st, *sql) == -1)
			return -1;
	return 0;
}

static int
migrate(struct store *st)
{
	int64_t version = store_query_int(st, "PRAGMA user_version");

	if (version < 0 || (st->fresh && exec_all(st, schema) == -1))
		return -1;
	for (; version < VERSION_OURS; version++)
		if (exec_all(st, steps[version]) == -1)
			return -1;
	return 0;
}

enum store_fault
store_schema_adopt(struct store *st)
{
	enum store_fault fault;

	if (!st->fresh &&
	    store_query_int(st, "PRAGMA user_version") == VERSION_OURS)
		return STORE_OK;
	if (store_exec(st, "BEGIN IMMEDIATE") == 0 && migrate(st) == 0 &&
	    store_exec(st, "COMMIT") == 0) {
		st->fresh = false;
		return STORE_OK;
	}
	fault = store_fault_of_sqlite(st, "its schema cannot be written");
	(void)store_exec(st, "ROLLBACK");
	return fault;
}

enum store_fault
store_schema_check(struct store *st)
{
	int64_t version = store_query_int(st, "PRAGMA user_version"), columns;
	int64_t tables = store_query_int(st,
	    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name "
	    "NOT LIKE 'sqlite_%'");

	columns = tables == STORE_QUERY_FAILED
	    ? tables
	    : store_query_int(st,
		  "SELECT count(*) FROM pragma_table_info('tokens') WHERE name "
		  "IN "
		  "('id', 'encrypted_token', 'expires_at', 'updated_at', "
		  "'created_at')");
	if (version == STORE_QUERY_FAILED || tables == STORE_QUERY_FAILED ||
	    columns == STORE_QUERY_FAILED)
		return store_fault_of_sqlite(st, "its schema cannot be read");
	if (tables > 0 && columns != 5)
		return store_fault_is(st, STORE_FOREIGN);
	if (version < 0 || version > VERSION_OURS)
		return store_fault_is(st, STORE_NEWER);
	st->fresh = tables == 0;
	return STORE_OK;
}
