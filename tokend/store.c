/* SPDX-License-Identifier: MIT */
/*
 * SQLite behind store.h. One descriptor of the file is held for its flock,
 * which keeps a second tokend away; SQLite's own locks are fcntl's and do not
 * meet it. It must be closed after the database: closing any descriptor of a
 * file drops the process's fcntl locks on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "log.h"
#include "store.h"
#include "store_fault.h"
#include "util.h"

struct store {
	struct store_params params;
	char path[PATH_MAX];
	sqlite3 *db;
	int lock;
	bool fresh; /* there is no table yet */
};

static struct store_place
place(const struct store *st)
{
	return (struct store_place){st->path, st->params.was_root, st->lock};
}

static enum store_fault
fault_is(const struct store *st, enum store_fault fault)
{
	struct store_place p = place(st);

	return store_fault_say(&p, fault);
}

static enum store_fault
fault_of_errno(const struct store *st)
{
	struct store_place p = place(st);

	return store_fault_errno(&p);
}

static enum store_fault
fault_of_sqlite(const struct store *st, const char *doing)
{
	struct store_place p = place(st);

	return store_fault_sqlite(
	    &p, sqlite3_errcode(st->db), sqlite3_errmsg(st->db), doing);
}

/* --- statements ----------------------------------------------------------- */

static int
exec(struct store *st, const char *sql)
{
	return sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									: -1;
}

#define QUERY_FAILED INT64_MIN

/* The one integer that a query gives, or QUERY_FAILED. */
static int64_t
query_int(struct store *st, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = QUERY_FAILED;

	if (sqlite3_prepare_v2(st->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return v;
}

/* --- the schema, version by version --------------------------------------- */

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
		if (exec(st, *sql) == -1)
			return -1;
	return 0;
}

static int
migrate(struct store *st)
{
	int64_t version = query_int(st, "PRAGMA user_version");

	if (version < 0 || (st->fresh && exec_all(st, schema) == -1))
		return -1;
	for (; version < VERSION_OURS; version++)
		if (exec_all(st, steps[version]) == -1)
			return -1;
	return 0;
}

static enum store_fault
adopt_schema(struct store *st)
{
	enum store_fault fault;

	if (!st->fresh && query_int(st, "PRAGMA user_version") == VERSION_OURS)
		return STORE_OK;
	if (exec(st, "BEGIN IMMEDIATE") == 0 && migrate(st) == 0 &&
	    exec(st, "COMMIT") == 0) {
		st->fresh = false;
		return STORE_OK;
	}
	fault = fault_of_sqlite(st, "its schema cannot be written");
	(void)exec(st, "ROLLBACK");
	return fault;
}

static enum store_fault
check_schema(struct store *st)
{
	int64_t version = query_int(st, "PRAGMA user_version"), columns;
	int64_t tables = query_int(st,
	    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name "
	    "NOT LIKE 'sqlite_%'");

	columns = tables == QUERY_FAILED
	    ? tables
	    : query_int(st,
		  "SELECT count(*) FROM pragma_table_info('tokens') WHERE name "
		  "IN "
		  "('id', 'encrypted_token', 'expires_at', 'updated_at', "
		  "'created_at')");
	if (version == QUERY_FAILED || tables == QUERY_FAILED ||
	    columns == QUERY_FAILED)
		return fault_of_sqlite(st, "its schema cannot be read");
	if (tables > 0 && columns != 5)
		return fault_is(st, STORE_FOREIGN);
	if (version < 0 || version > VERSION_OURS)
		return fault_is(st, STORE_NEWER);
	st->fresh = tables == 0;
	return STORE_OK;
}

/* --- opening -------------------------------------------------------------- */

/* Creates the file when there is none, with the right mode from the start;
 * locks it. */
static enum store_fault
lock_file(struct store *st)
{
	struct stat sb;

	st->lock = open(st->path,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (st->lock == -1 || fstat(st->lock, &sb) == -1)
		return fault_of_errno(st);
	if (!S_ISREG(sb.st_mode))
		return fault_is(st, STORE_NOT_A_FILE);
	if (flock(st->lock, LOCK_EX | LOCK_NB) == -1)
		return fault_is(st, STORE_IN_USE);
	return STORE_OK;
}

/* The directory of the store, in space. */
static const char *
directory(const struct store *st, char space[PATH_MAX])
{
	(void)util_strlcpy(space, st->path, PATH_MAX);
	return dirname(space);
}

/* SQLite writes beside the file, so the directory matters, too. */
static enum store_fault
check_directory(const struct store *st)
{
	char space[PATH_MAX];

	if (faccessat(
		AT_FDCWD, directory(st, space), W_OK | X_OK, AT_EACCESS) == 0)
		return STORE_OK;
	return fault_of_errno(st);
}

static enum store_fault
prepare_file(struct store *st)
{
	struct store_place p = place(st);
	enum store_fault fault = check_directory(st);

	if (fault == STORE_OK)
		fault = store_fault_check_owner(&p);
	return fault == STORE_OK ? lock_file(st) : fault;
}

static enum store_fault
open_database(struct store *st, int mode)
{
	if (sqlite3_open_v2(st->path, &st->db, mode | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return fault_of_sqlite(st, "it cannot be opened");
	store_set_timeout(st, st->params.timeout_ms);
	return check_schema(st);
}

/* SQLITE_OPEN_NOFOLLOW refuses links anywhere in the path: only the last part
 * is ours to judge. */
static void
resolve_directory(struct store *st)
{
	char space[PATH_MAX], name[PATH_MAX];
	size_t len;

	(void)util_strlcpy(st->path, st->params.path, sizeof(st->path));
	if (realpath(directory(st, space), name) == NULL)
		return;
	(void)util_strlcpy(st->path, name, sizeof(st->path));
	len = strcmp(st->path, "/") == 0 ? 0 : strlen(st->path);
	(void)util_strlcpy(name, st->params.path, sizeof(name));
	(void)util_fmt(
	    st->path + len, sizeof(st->path) - len, "/%s", basename(name));
}

static enum store_fault
open_read_only(struct store *st)
{
	struct stat sb;

	if (lstat(st->path, &sb) == -1)
		return errno == ENOENT ? STORE_ABSENT : fault_of_errno(st);
	if (!S_ISREG(sb.st_mode))
		return fault_is(st, STORE_NOT_A_FILE);
	return open_database(st, SQLITE_OPEN_READONLY);
}

enum store_fault
store_open(struct store **out, const struct store_params *params)
{
	struct store *st = calloc(1, sizeof(*st));
	enum store_fault fault;
	mode_t mask;

	if (st == NULL)
		fatalx("out of memory");
	st->params = *params;
	st->lock = -1;
	store_fault_prepare();
	resolve_directory(st);
	mask = umask(077);
	fault = params->read_only ? open_read_only(st) : prepare_file(st);
	if (fault == STORE_OK && !params->read_only)
		fault = open_database(st, SQLITE_OPEN_READWRITE);
	(void)umask(mask);
	if (fault == STORE_OK)
		*out = st;
	else
		store_close(st);
	return fault;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	(void)sqlite3_close(st->db);
	util_close(&st->lock);
	free(st);
}

void
store_set_timeout(struct store *st, int64_t timeout_ms)
{
	(void)sqlite3_busy_timeout(st->db, (int)timeout_ms);
}

/* --- adopting ------------------------------------------------------------- */

static int
adopt_mode(struct store *st)
{
	struct stat sb;

	if (fstat(st->lock, &sb) == -1)
		return -1;
	if ((sb.st_mode & 07777) == 0600)
		return 0;
	log_info("the store %s had mode %04o: now 0600", st->path,
	    sb.st_mode & 07777);
	return fchmod(st->lock, 0600);
}

static int
adopt_journal(struct store *st)
{
	sqlite3_stmt *stmt = NULL;
	char mode[16] = "";

	if (sqlite3_prepare_v2(
		st->db, "PRAGMA journal_mode", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		(void)util_strlcpy(mode,
		    (const char *)sqlite3_column_text(stmt, 0), sizeof(mode));
	(void)sqlite3_finalize(stmt);
	if (strcmp(mode, "wal") != 0) {
		if (!st->fresh)
			log_info("the store %s had journal mode %s: now wal",
			    st->path, mode);
		if (exec(st, "PRAGMA journal_mode = WAL") == -1)
			return -1;
	}
	return exec(st, "PRAGMA synchronous = FULL");
}

enum store_fault
store_adopt(struct store *st)
{
	if (adopt_mode(st) == -1)
		return fault_of_errno(st);
	if (adopt_journal(st) == -1)
		return fault_of_sqlite(st, "its journal cannot be set");
	return adopt_schema(st);
}

/* --- rows ----------------------------------------------------------------- */

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
		fault = fault_of_sqlite(st, "its rows cannot be read");
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
		fault = fault_of_sqlite(st, "the token cannot be saved");
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
	if (exec(st, "BEGIN IMMEDIATE") == 0)
		while ((more = next_row(st, &id, space, size)) == 1)
			if (cb(space, space + size, size, arg) &&
			    change_row(st, id, space + size) == -1) {
				more = -1;
				break;
			}
	if (more == -1 || exec(st, "COMMIT") == -1) {
		fault = fault_of_sqlite(st, "its rows cannot be sealed anew");
		(void)exec(st, "ROLLBACK");
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
		fault = fault_of_sqlite(st, "an old row cannot be deleted");
	(void)sqlite3_finalize(stmt);
	return fault;
}

int64_t
store_count(struct store *st)
{
	int64_t rows =
	    st->fresh ? 0 : query_int(st, "SELECT count(*) FROM tokens");

	return rows == QUERY_FAILED ? -1 : rows;
}
