/* SPDX-License-Identifier: MIT */
/* The remedies of store_fault.h. */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sysexits.h>
#include <unistd.h>

#include <sqlite3.h>

#include "log.h"
#include "store_fault.h"
#include "util.h"

static const struct {
	const char *name;
	int code;
	bool transient;
	enum proto_store_error metric;
} faults[STORE_FAULTS] = {
    [STORE_OK] = {"ok", EX_OK, false, PROTO_STORE_IO},
    [STORE_IN_USE] = {"in use", EX_UNAVAILABLE, false, PROTO_STORE_LOCKED},
    [STORE_PERMISSION] = {"no permission", EX_NOPERM, false,
	PROTO_STORE_READONLY},
    [STORE_NO_DIRECTORY] = {"no directory", EX_CANTCREAT, false,
	PROTO_STORE_IO},
    [STORE_ABSENT] = {"absent", EX_NOINPUT, false, PROTO_STORE_IO},
    [STORE_NOT_A_FILE] = {"not a file", EX_CONFIG, false, PROTO_STORE_IO},
    [STORE_FOREIGN] = {"foreign", EX_CONFIG, false, PROTO_STORE_DAMAGED},
    [STORE_NEWER] = {"newer", EX_CONFIG, false, PROTO_STORE_DAMAGED},
    [STORE_DAMAGED] = {"damaged", EX_CONFIG, false, PROTO_STORE_DAMAGED},
    [STORE_READONLY] = {"read-only", EX_NOPERM, false, PROTO_STORE_READONLY},
    [STORE_LOCKED] = {"locked", EX_UNAVAILABLE, true, PROTO_STORE_LOCKED},
    [STORE_FULL] = {"full", EX_IOERR, true, PROTO_STORE_FULL},
    [STORE_IO] = {"i/o error", EX_IOERR, true, PROTO_STORE_IO},
};

const char *
store_fault_name(enum store_fault fault)
{
	return fault < STORE_FAULTS ? faults[fault].name : "?";
}

int
store_fault_code(enum store_fault fault)
{
	return fault < STORE_FAULTS ? faults[fault].code : EX_SOFTWARE;
}

bool
store_fault_is_transient(enum store_fault fault)
{
	return fault < STORE_FAULTS && faults[fault].transient;
}

enum proto_store_error
store_fault_metric(enum store_fault fault)
{
	return fault < STORE_FAULTS ? faults[fault].metric : PROTO_STORE_IO;
}

/* --- words ---------------------------------------------------------------- */

/* Asked once, by store_fault_prepare: the sandbox allows no look-up of users.
 */
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

void
store_fault_prepare(void)
{
	(void)user_name();
}

/* The directory of the store, in space. */
static const char *
directory(const struct store_place *p, char space[PATH_MAX])
{
	(void)util_strlcpy(space, p->path, PATH_MAX);
	return dirname(space);
}

/* Of "1: FLOCK  ADVISORY  WRITE 4711 fe:01:42 0 EOF" the process; 0: none. */
static long
fifth_number(const char *line)
{
	int i;

	for (i = 0; i < 4; i++) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	return strtol(line, NULL, 10);
}

/* Who holds the flock, by /proc/locks; 0 when that cannot be said. */
static long
lock_holder(int file)
{
	char line[256], want[64];
	struct stat sb;
	long pid = 0;
	FILE *f;

	if (file == -1 || fstat(file, &sb) == -1 ||
	    (f = fopen("/proc/locks", "re")) == NULL)
		return 0;
	(void)util_fmt(want, sizeof(want), "%02x:%02x:%" PRIu64 " ",
	    major(sb.st_dev), minor(sb.st_dev), (uint64_t)sb.st_ino);
	while (pid == 0 && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, "FLOCK") != NULL && strstr(line, want) != NULL)
			pid = fifth_number(line);
	(void)fclose(f);
	return pid;
}

static void
say_in_use(const struct store_place *p)
{
	char holder[32] = "";
	long pid = lock_holder(p->file);

	if (pid > 0)
		(void)util_fmt(holder, sizeof(holder), " (pid %ld)", pid);
	log_errorx("the store %s is in use by another telephone%s; give each "
		   "its own TOKEN_DB_PATH",
	    p->path, holder);
}

static void
say_permission(const struct store_place *p)
{
	char space[PATH_MAX];
	const char *dir = directory(p, space), *user = user_name();

	if (p->was_root)
		log_errorx("the store %s cannot be used by %s; as root run: "
			   "install -d -o %s -m 0700 %s; chown -f %s %s "
			   "%s-wal %s-shm",
		    p->path, user, user, dir, user, p->path, p->path, p->path);
	else
		log_errorx("the store %s cannot be used by %s; TOKEN_DB_PATH "
			   "must be a file in a directory that this user can "
			   "write",
		    p->path, user);
}

static void
say_no_directory(const struct store_place *p)
{
	char space[PATH_MAX];

	log_errorx("the directory of the store %s does not exist; run: "
		   "install -d%s%s -m 0700 %s",
	    p->path, p->was_root ? " -o " : "", p->was_root ? user_name() : "",
	    directory(p, space));
}

enum store_fault
store_fault_say(const struct store_place *p, enum store_fault fault)
{
	switch (fault) {
	case STORE_IN_USE:
		say_in_use(p);
		break;
	case STORE_PERMISSION:
		say_permission(p);
		break;
	case STORE_NO_DIRECTORY:
		say_no_directory(p);
		break;
	case STORE_NOT_A_FILE:
		log_errorx("the store %s is a symbolic link or no regular "
			   "file; TOKEN_DB_PATH must name the file itself",
		    p->path);
		break;
	case STORE_FOREIGN:
		log_errorx("%s is a database, but no store of telephone's; "
			   "TOKEN_DB_PATH must name another file",
		    p->path);
		break;
	case STORE_NEWER:
		log_errorx("the store %s was made by a newer telephone; run "
			   "that one, or name another file in TOKEN_DB_PATH; "
			   "nothing was changed in it",
		    p->path);
		break;
	case STORE_LOCKED:
		log_errorx("the store %s is locked by another program for "
			   "longer than DB_TIMEOUT; end it, or raise "
			   "DB_TIMEOUT",
		    p->path);
		break;
	case STORE_FULL:
		log_errorx("the store %s cannot be written: no space is left "
			   "there; make some, it is tried again",
		    p->path);
		break;
	case STORE_READONLY:
		log_errorx("the store %s cannot be written: its file or its "
			   "file system is read-only; remount it, or name "
			   "another file in TOKEN_DB_PATH",
		    p->path);
		break;
	default:
		break;
	}
	return fault;
}

/* --- causes --------------------------------------------------------------- */

enum store_fault
store_fault_errno(const struct store_place *p)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return store_fault_say(p, STORE_PERMISSION);
	case EROFS:
		return store_fault_say(p, STORE_READONLY);
	case ENOENT:
	case ENOTDIR:
		return store_fault_say(p, STORE_NO_DIRECTORY);
	case ELOOP:
	case EISDIR:
	case ENXIO:
		return store_fault_say(p, STORE_NOT_A_FILE);
	case ENOSPC:
	case EDQUOT:
		return store_fault_say(p, STORE_FULL);
	default:
		log_warn("the store %s cannot be opened", p->path);
		return STORE_IO;
	}
}

enum store_fault
store_fault_sqlite(
    const struct store_place *p, int rc, const char *text, const char *doing)
{
	switch (rc & 0xff) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		log_errorx("the store %s is damaged, or no SQLite database "
			   "(%s); nothing was changed in it; `telephonectl "
			   "token check --move-aside` moves it away, then "
			   "give a token in TELEPHONE_TOKEN",
		    p->path, text);
		return STORE_DAMAGED;
	case SQLITE_READONLY:
		return store_fault_say(p, STORE_READONLY);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return store_fault_say(p, STORE_PERMISSION);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return store_fault_say(p, STORE_LOCKED);
	case SQLITE_FULL:
		return store_fault_say(p, STORE_FULL);
	default:
		log_errorx("the store %s: %s: %s", p->path, doing, text);
		return STORE_IO;
	}
}

/* --- owner and mode ------------------------------------------------------- */

/* True when it is ours and closed to others (those in `open`). */
static bool
check_one(const struct store_place *p, const char *path, mode_t open)
{
	struct stat sb;

	if (stat(path, &sb) == -1)
		return true; /* another check's business */
	if (sb.st_uid != geteuid()) {
		log_warnx("%s belongs to uid %u and not to %s%s", path,
		    sb.st_uid, user_name(),
		    p->was_root ? "" : ", who can lose it at any time");
		return false;
	}
	if ((sb.st_mode & open) != 0) {
		log_warnx("%s is open to others (mode %04o); run: chmod "
			  "go-rwx %s",
		    path, sb.st_mode & 07777, path);
		return false;
	}
	return true;
}

enum store_fault
store_fault_check_owner(const struct store_place *p)
{
	char space[PATH_MAX];
	/* What others may read in the directory is sealed, and the file's own
	 * mode is set by store_adopt: started by root, only what lets others
	 * put something else in its place is a fault. */
	bool good =
	    check_one(p, directory(p, space), 022) && check_one(p, p->path, 0);

	if (good)
		(void)check_one(p, directory(p, space), 055);
	return good || !p->was_root ? STORE_OK
				    : store_fault_say(p, STORE_PERMISSION);
}
