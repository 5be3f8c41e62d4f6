/* SPDX-License-Identifier: MIT */
/* Rows of a store: read, added, rewritten, removed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "log.h"
#include "store.h"
#include "store_parts.h"
#include "util.h"

enum store_fault
store_each(
    struct store *st, bool (*cb)(int64_t, const char *, void *), void *arg)
{
	enum store_fault fault = STORE_OK;
	sqlite3_stmt *stmt = NULL;
	const char *sealed;
	bool more = true;
	int rc;

	if (st->fresh)
		return STORE_OK;
	rc = sqlite3_prepare_v2(st->db,
	    "SELECT id, encrypted_token FROM tokens ORDER BY id DESC", -1,
	    &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = SQLITE_ROW;
	while (more && rc == SQLITE_ROW &&
	    (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		sealed = (const char *)sqlite3_column_text(stmt, 1);
		more = cb(sqlite3_column_int64(stmt, 0),
		    sealed == NULL ? "" : sealed, arg);
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		fault = store_fault_of_sqlite(st, "its rows cannot be read");
	(void)sqlite3_finalize(stmt);
	return fault;
}

void
store_format_time(char dst[STORE_TIME_MAX], int64_t s, int64_t ns)
{
	char date[32], fraction[16] = "";
	time_t t = (time_t)s;
	struct tm tm;
	size_t len;

	(void)gmtime_r(&t, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	if (ns > 0) {
		(void)util_fmt(fraction, sizeof(fraction), ".%09" PRId64, ns);
		for (len = strlen(fraction); fraction[len - 1] == '0';)
			fraction[--len] = '\0';
	}
	(void)util_fmt(dst, STORE_TIME_MAX, "%s%s+00:00", date, fraction);
}

static int
bind_row(sqlite3_stmt *stmt, const char *sealed, int64_t exp_s)
{
	char expires[STORE_TIME_MAX], now[STORE_TIME_MAX];
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	store_format_time(now, ts.tv_sec, ts.tv_nsec);
	store_format_time(expires, exp_s, 0);
	return sqlite3_bind_text(stmt, 1, sealed, -1, SQLITE_STATIC) ==
		    SQLITE_OK &&
		sqlite3_bind_text(stmt, 2, expires, -1, SQLITE_TRANSIENT) ==
		    SQLITE_OK &&
		sqlite3_bind_text(stmt, 3, now, -1, SQLITE_TRANSIENT) ==
		    SQLITE_OK
	    ? 0
	    : -1;
}

enum store_fault
store_save(struct store *st, const char *sealed, int64_t exp_s, int64_t *id)
{
	enum store_fault fault = STORE_OK;
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(st->db,
		"INSERT INTO tokens (encrypted_token, expires_at, updated_at, "
		"created_at) VALUES (?1, ?2, ?3, ?3)",
		-1, &stmt, NULL) == SQLITE_OK &&
	    bind_row(stmt, sealed, exp_s) == 0 &&
	    sqlite3_step(stmt) == SQLITE_DONE)
		*id = sqlite3_last_insert_rowid(st->db);
	else
		fault = store_fault_of_sqlite(st, "the token cannot be saved");
	(void)sqlite3_finalize(stmt);
	return fault;
}

/* The row after *id, its text in space: 1, 0 when there is none, or -1. */
static int
next_row(struct store *st, int64_t *id, char *space, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	const char *text;
	int rc = sqlite3_prepare_v2(st->db,
	    "SELECT id, encrypted_token FROM tokens WHERE id > ? ORDER BY id "
	    "LIMIT 1",
	    -1, &stmt, NULL);

	if (rc == SQLITE_OK &&
	    (rc = sqlite3_bind_int64(stmt, 1, *id)) == SQLITE_OK &&
	    (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		*id = sqlite3_column_int64(stmt, 0);
		text = (const char *)sqlite3_column_text(stmt, 1);
		/* One that does not fit is none of ours: as good as empty. */
		if (util_strlcpy(space, text == NULL ? "" : text, size) >= size)
			space[0] = '\0';
	}
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int
change_row(struct store *st, int64_t id, const char *sealed)
{
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	if (sqlite3_prepare_v2(st->db,
		"UPDATE tokens SET encrypted_token = ? WHERE id = ?", -1, &stmt,
		NULL) == SQLITE_OK &&
	    sqlite3_bind_text(stmt, 1, sealed, -1, SQLITE_STATIC) ==
		SQLITE_OK &&
	    sqlite3_bind_int64(stmt, 2, id) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_DONE)
		result = 0;
	(void)sqlite3_finalize(stmt);
	return result;
}

enum store_fault
store_rewrite(struct store *st,
    bool (*cb)(const char *, char *, size_t, void *), size_t size, void *arg)
{
	char *space = malloc(2 * size);
	enum store_fault fault = STORE_OK;
	int64_t id = INT64_MIN;
	int more = -1;

	if (space == NULL)
		fatalx("out of memory");
	if (store_exec(st, "BEGIN IMMEDIATE") == 0)
		while ((more = next_row(st, &id, space, size)) == 1)
			if (cb(space, space + size, size, arg) &&
			    change_row(st, id, space + size) == -1) {
				more = -1;
				break;
			}
	if (more == -1 || store_exec(st, "COMMIT") == -1) {
		fault =
		    store_fault_of_sqlite(st, "its rows cannot be sealed anew");
		(void)store_exec(st, "ROLLBACK");
	}
	free(space);
	return fault;
}

enum store_fault
store_delete(struct store *st, int64_t id)
{
	enum store_fault fault = STORE_OK;
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(st->db, "DELETE FROM tokens WHERE id = ?", -1,
		&stmt, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(stmt, 1, id) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_DONE)
		fault =
		    store_fault_of_sqlite(st, "an old row cannot be deleted");
	(void)sqlite3_finalize(stmt);
	return fault;
}

int64_t
store_count(struct store *st)
{
	int64_t rows = st == NULL || st->fresh
	    ? 0
	    : store_query_int(st, "SELECT count(*) FROM tokens");

	return rows == STORE_QUERY_FAILED ? -1 : rows;
}
