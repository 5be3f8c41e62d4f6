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
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "log.h"
#include "store.h"
#include "util.h"

/* PRAGMA user_version: 0 is the Go Telephone's, which never sets it; 1 is the
 * same schema, adopted. */
#define VERSION_OURS 1

struct store {
	struct store_params params;
	char path[PATH_MAX];
	sqlite3 *db;
	int lock;
	bool fresh; /* there is no table yet */
};

static const char schema[] =
    "CREATE TABLE tokens (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "encrypted_token TEXT NOT NULL, expires_at DATETIME NOT NULL, "
    "updated_at DATETIME NOT NULL, "
    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP)";

static const char *const indexes[] = {
    "CREATE INDEX IF NOT EXISTS idx_tokens_updated_at "
    "ON tokens(updated_at DESC)",
    "CREATE INDEX IF NOT EXISTS idx_tokens_expires_at "
    "ON tokens(expires_at DESC)",
};

/* --- faults --------------------------------------------------------------- */

/* Asked once, by store_open: later the sandbox allows no look-up of users. */
static const char *
user_name(void)
{
	static char name[64];
	struct passwd *pw;

	if (name[0] == '\0') {
		pw = getpwuid(geteuid());
		(void)util_strlcpy(
		    name, pw == NULL ? "this user" : pw->pw_name, sizeof(name));
	}
	return name;
}

/* The directory of the store, in space. */
static const char *
directory(const struct store *st, char space[PATH_MAX])
{
	(void)util_strlcpy(space, st->path, PATH_MAX);
	return dirname(space);
}

static int
no_permission(const struct store *st)
{
	char space[PATH_MAX];
	const char *dir = directory(st, space), *user = user_name();

	if (st->params.was_root)
		log_warn("the store %s cannot be used by %s; as root run: "
			 "install -d -o %s -m 0700 %s; chown -f %s %s %s-wal "
			 "%s-shm",
		    st->path, user, user, dir, user, st->path, st->path,
		    st->path);
	else
		log_warn("the store %s cannot be used by %s; TOKEN_DB_PATH "
			 "must be a file in a directory that this user can "
			 "write",
		    st->path, user);
	return EX_NOPERM;
}

static int
fault_of_errno(const struct store *st)
{
	char space[PATH_MAX];

	switch (errno) {
	case EACCES:
	case EPERM:
	case EROFS:
		return no_permission(st);
	case ENOENT:
		log_warnx("the directory of the store %s does not exist; run: "
			  "install -d%s%s -m 0700 %s",
		    st->path, st->params.was_root ? " -o " : "",
		    st->params.was_root ? user_name() : "",
		    directory(st, space));
		return EX_CANTCREAT;
	case ELOOP:
		log_warnx("the store %s is a symbolic link; TOKEN_DB_PATH "
			  "must name the file itself",
		    st->path);
		return EX_CONFIG;
	default:
		log_warn("the store %s cannot be opened", st->path);
		return EX_CANTCREAT;
	}
}

static int
fault_of_sqlite(const struct store *st, const char *doing)
{
	switch (sqlite3_errcode(st->db)) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		log_warnx("the store %s is damaged, or no SQLite database "
			  "(%s); move it aside and give a token in "
			  "TELEPHONE_TOKEN; nothing was changed in it",
		    st->path, sqlite3_errmsg(st->db));
		return EX_CONFIG;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		errno = EACCES;
		return no_permission(st);
	case SQLITE_BUSY:
		log_warnx("the store %s is locked by another program for "
			  "longer than DB_TIMEOUT",
		    st->path);
		return EX_UNAVAILABLE;
	default:
		log_warnx("the store %s: %s: %s", st->path, doing,
		    sqlite3_errmsg(st->db));
		return EX_IOERR;
	}
}

/* --- statements ----------------------------------------------------------- */

static int
exec(struct store *st, const char *sql)
{
	return sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									: -1;
}

/* The one integer that a query gives, or -1. */
static int64_t
query_int(struct store *st, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(st->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return v;
}

/* --- opening -------------------------------------------------------------- */

/* Creates the file when there is none, with the right mode from the start;
 * locks it. 0, or an exit code. */
static int
lock_file(struct store *st)
{
	struct stat sb;

	st->lock = open(st->path,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (st->lock == -1 || fstat(st->lock, &sb) == -1)
		return fault_of_errno(st);
	if (!S_ISREG(sb.st_mode)) {
		log_warnx("the store %s is not a regular file", st->path);
		return EX_CONFIG;
	}
	if (flock(st->lock, LOCK_EX | LOCK_NB) == -1) {
		log_warnx("the store %s is in use by another telephone; give "
			  "each its own TOKEN_DB_PATH",
		    st->path);
		return EX_UNAVAILABLE;
	}
	return 0;
}

/* SQLite writes beside the file, so the directory matters, too. */
static int
check_directory(const struct store *st)
{
	char space[PATH_MAX];

	if (faccessat(
		AT_FDCWD, directory(st, space), W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	return fault_of_errno(st);
}

static int
check_schema(struct store *st)
{
	int64_t version = query_int(st, "PRAGMA user_version");
	int64_t tables = query_int(st,
	    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name "
	    "NOT LIKE 'sqlite_%'");
	int64_t columns = query_int(st,
	    "SELECT count(*) FROM pragma_table_info('tokens') WHERE name IN "
	    "('id', 'encrypted_token', 'expires_at', 'updated_at', "
	    "'created_at')");

	if (version == -1 || tables == -1 || columns == -1)
		return fault_of_sqlite(st, "its schema cannot be read");
	if (version > VERSION_OURS) {
		log_warnx("the store %s has version %" PRId64
			  ", this telephone knows %d; it was not changed",
		    st->path, version, VERSION_OURS);
		return EX_CONFIG;
	}
	if (tables > 0 && columns != 5) {
		log_warnx("%s is a database, but no store of telephone's; "
			  "TOKEN_DB_PATH must name another file",
		    st->path);
		return EX_CONFIG;
	}
	st->fresh = tables == 0;
	return 0;
}

static int
open_database(struct store *st)
{
	if (sqlite3_open_v2(st->path, &st->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return fault_of_sqlite(st, "it cannot be opened");
	store_set_timeout(st, st->params.timeout_ms);
	return check_schema(st);
}

int
store_open(struct store **out, const struct store_params *params)
{
	struct store *st = calloc(1, sizeof(*st));
	char space[PATH_MAX];
	mode_t mask;
	int code;

	if (st == NULL)
		fatalx("out of memory");
	st->params = *params;
	st->lock = -1;
	(void)user_name();
	/* SQLITE_OPEN_NOFOLLOW refuses links anywhere in the path: only the
	 * last part is ours to judge. */
	(void)util_strlcpy(st->path, params->path, sizeof(st->path));
	if (realpath(directory(st, space), st->path) == NULL) {
		(void)util_strlcpy(st->path, params->path, sizeof(st->path));
	} else {
		char name[PATH_MAX];
		size_t len = strlen(st->path);

		(void)util_strlcpy(name, params->path, sizeof(name));
		(void)util_fmt(st->path + len, sizeof(st->path) - len, "/%s",
		    basename(name));
	}
	mask = umask(077);
	code = check_directory(st);
	if (code == 0)
		code = lock_file(st);
	if (code == 0)
		code = open_database(st);
	(void)umask(mask);
	if (code != 0) {
		store_close(st);
		return code;
	}
	*out = st;
	return 0;
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

static int
adopt_schema(struct store *st)
{
	size_t i;

	if (exec(st, "BEGIN IMMEDIATE") == -1)
		return -1;
	if (st->fresh && exec(st, schema) == -1)
		goto fail;
	for (i = 0; i < UTIL_COUNT(indexes); i++)
		if (exec(st, indexes[i]) == -1)
			goto fail;
	if (query_int(st, "PRAGMA user_version") != VERSION_OURS &&
	    exec(st, "PRAGMA user_version = 1") == -1)
		goto fail;
	if (exec(st, "COMMIT") == -1)
		goto fail;
	st->fresh = false;
	return 0;
fail:
	(void)fault_of_sqlite(st, "its schema cannot be written");
	(void)exec(st, "ROLLBACK");
	return -1;
}

int
store_adopt(struct store *st)
{
	if (adopt_mode(st) == -1) {
		(void)fault_of_errno(st);
		return -1;
	}
	if (adopt_journal(st) == -1) {
		(void)fault_of_sqlite(st, "its journal cannot be set");
		return -1;
	}
	return adopt_schema(st);
}

/* --- rows ----------------------------------------------------------------- */

int
store_each(
    struct store *st, bool (*cb)(int64_t, const char *, void *), void *arg)
{
	sqlite3_stmt *stmt = NULL;
	const char *sealed;
	int rc;

	if (st->fresh)
		return 0;
	rc = sqlite3_prepare_v2(st->db,
	    "SELECT id, encrypted_token FROM tokens ORDER BY id DESC", -1,
	    &stmt, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		sealed = (const char *)sqlite3_column_text(stmt, 1);
		if (!cb(sqlite3_column_int64(stmt, 0),
			sealed == NULL ? "" : sealed, arg)) {
			rc = SQLITE_DONE;
			break;
		}
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_DONE)
		(void)fault_of_sqlite(st, "its rows cannot be read");
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
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

int64_t
store_save(struct store *st, const char *sealed, int64_t exp_s)
{
	char expires[STORE_TIME_MAX], now[STORE_TIME_MAX];
	sqlite3_stmt *stmt = NULL;
	struct timespec ts;
	int64_t id = -1;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	store_format_time(now, ts.tv_sec, ts.tv_nsec);
	store_format_time(expires, exp_s, 0);
	if (sqlite3_prepare_v2(st->db,
		"INSERT INTO tokens (encrypted_token, expires_at, updated_at, "
		"created_at) VALUES (?, ?, ?, ?)",
		-1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_bind_text(stmt, 1, sealed, -1, SQLITE_STATIC) ==
		SQLITE_OK &&
	    sqlite3_bind_text(stmt, 2, expires, -1, SQLITE_STATIC) ==
		SQLITE_OK &&
	    sqlite3_bind_text(stmt, 3, now, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_text(stmt, 4, now, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_DONE)
		id = sqlite3_last_insert_rowid(st->db);
	else
		(void)fault_of_sqlite(st, "the token cannot be saved");
	(void)sqlite3_finalize(stmt);
	return id;
}

int
store_delete(struct store *st, int64_t id)
{
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	if (sqlite3_prepare_v2(st->db, "DELETE FROM tokens WHERE id = ?", -1,
		&stmt, NULL) == SQLITE_OK &&
	    sqlite3_bind_int64(stmt, 1, id) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_DONE)
		result = 0;
	else
		(void)fault_of_sqlite(st, "an old row cannot be deleted");
	(void)sqlite3_finalize(stmt);
	return result;
}

int64_t
store_count(struct store *st)
{
	return st->fresh ? 0 : query_int(st, "SELECT count(*) FROM tokens");
}
