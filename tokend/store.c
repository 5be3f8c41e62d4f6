/* SPDX-License-Identifier: MIT */
/*
 * SQLite behind store.h. One descriptor of the file is held for its flock,
 * which keeps a second tokend away; SQLite's own locks are fcntl's and do not
 * meet it. It must be closed after the database: closing any descriptor of a
 * file drops the process's fcntl locks on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "log.h"
#include "store.h"
#include "store_fault.h"
#include "store_parts.h"
#include "util.h"

static struct store_place
place(const struct store *st)
{
	return (struct store_place){st->path, st->params.was_root, st->lock};
}

enum store_fault
store_fault_is(const struct store *st, enum store_fault fault)
{
	struct store_place p = place(st);

	return store_fault_say(&p, fault);
}

enum store_fault
store_fault_of_errno(const struct store *st)
{
	struct store_place p = place(st);

	return store_fault_errno(&p);
}

enum store_fault
store_fault_of_sqlite(const struct store *st, const char *doing)
{
	struct store_place p = place(st);

	return store_fault_sqlite(
	    &p, sqlite3_errcode(st->db), sqlite3_errmsg(st->db), doing);
}

/* --- statements ----------------------------------------------------------- */

int
store_exec(struct store *st, const char *sql)
{
	return sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									: -1;
}

int64_t
store_query_int(struct store *st, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = STORE_QUERY_FAILED;

	if (sqlite3_prepare_v2(st->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return v;
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
		return store_fault_of_errno(st);
	if (!S_ISREG(sb.st_mode))
		return store_fault_is(st, STORE_NOT_A_FILE);
	if (flock(st->lock, LOCK_EX | LOCK_NB) == -1)
		return store_fault_is(st, STORE_IN_USE);
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
	return store_fault_of_errno(st);
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
open_database(struct store *st, int mode, bool alone)
{
	if (sqlite3_open_v2(st->path, &st->db, mode | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return store_fault_of_sqlite(st, "it cannot be opened");
	store_set_timeout(st, st->params.timeout_ms);
	if (alone && store_exec(st, "PRAGMA locking_mode = EXCLUSIVE") == -1)
		return store_fault_of_sqlite(st, "it cannot be locked");
	return store_schema_check(st);
}

/* A full disk has no room for the -shm file, but what is stored must be read
 * all the same: held alone, SQLite needs none. */
static enum store_fault
open_for_good(struct store *st)
{
	enum store_fault fault =
	    open_database(st, SQLITE_OPEN_READWRITE, false);

	if (!store_fault_is_transient(fault) || fault == STORE_LOCKED)
		return fault;
	(void)sqlite3_close(st->db);
	st->db = NULL;
	fault = open_database(st, SQLITE_OPEN_READWRITE, true);
	if (fault == STORE_OK)
		log_warnx("the store %s could be read without its -shm file; "
			  "until the next start other programs cannot look "
			  "into it",
		    st->path);
	return fault;
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
		return errno == ENOENT ? STORE_ABSENT
				       : store_fault_of_errno(st);
	if (!S_ISREG(sb.st_mode))
		return store_fault_is(st, STORE_NOT_A_FILE);
	return open_database(st, SQLITE_OPEN_READONLY, false);
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
		fault = open_for_good(st);
	(void)umask(mask);
	if (fault == STORE_OK)
		*out = st;
	else
		store_close(st);
	return fault;
}

bool
store_is_in_place(const struct store *st)
{
	struct stat ours, there;

	if (fstat(st->lock, &ours) == -1)
		return true;
	if (lstat(st->path, &there) == -1)
		return errno != ENOENT;
	return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static const char *const beside[] = {"-wal", "-shm"};

static int
stat_beside(const struct store *st, size_t i, struct stat *sb)
{
	char name[PATH_MAX + 8];

	(void)util_fmt(name, sizeof(name), "%s%s", st->path, beside[i]);
	return lstat(name, sb);
}

/* Which of them are ours. */
static void
note_beside(struct store *st)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(beside); i++)
		if (stat_beside(st, i, &st->beside[i]) == -1)
			st->beside[i].st_ino = 0;
}

/* SQLite leaves the log of a file that has moved where it is: whoever opens
 * the next one of that name would find our pages in it. */
static void
remove_beside(const struct store *st)
{
	char name[PATH_MAX + 8];
	struct stat sb;
	size_t i;

	for (i = 0; i < UTIL_COUNT(beside); i++) {
		if (stat_beside(st, i, &sb) == -1 ||
		    sb.st_ino != st->beside[i].st_ino ||
		    sb.st_dev != st->beside[i].st_dev)
			continue;
		(void)util_fmt(name, sizeof(name), "%s%s", st->path, beside[i]);
		(void)unlink(name);
	}
}

void
store_close(struct store *st)
{
	bool moved;

	if (st == NULL)
		return;
	moved = st->lock != -1 && !store_is_in_place(st);
	(void)sqlite3_close(st->db);
	if (moved)
		remove_beside(st);
	util_close(&st->lock);
	free(st);
}

void
store_set_timeout(struct store *st, int64_t timeout_ms)
{
	if (st != NULL)
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
		if (store_exec(st, "PRAGMA journal_mode = WAL") == -1)
			return -1;
	}
	return store_exec(st, "PRAGMA synchronous = FULL");
}

enum store_fault
store_adopt(struct store *st)
{
	enum store_fault fault;

	if (adopt_mode(st) == -1)
		return store_fault_of_errno(st);
	if (adopt_journal(st) == -1)
		return store_fault_of_sqlite(st, "its journal cannot be set");
	fault = store_schema_adopt(st);
	note_beside(st);
	return fault;
}
