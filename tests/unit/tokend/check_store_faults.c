/* SPDX-License-Identifier: MIT */
/*
 * The store (store.h) is killed at every point of what it does to its files,
 * loses the power there, or gets no more disk: what is found afterwards is the
 * old or the new, whole, and it goes on from there.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "faultfs.h"
#include "store.h"

#define EXP 2000000000
#define BIG 20000 /* of a sealed text: of a token near the limit */
#define ROWS 12
#define SEEDS 3
/* A fork costs a sanitizer dear: one point of so many is enough for it. */
#ifdef __SANITIZE_ADDRESS__
#define PACE 7
#else
#define PACE 1
#endif

static char directory[] = "/tmp/check-faults-XXXXXX", path[64], kept[64];

/* What a process that may be killed says to us. */
static struct told {
	bool promised, died;
	int points;
} * told;

static void run(const char *, ...) __attribute__((format(printf, 1, 2)));

static void
run(const char *format, ...)
{
	char command[300];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	ck_assert_int_eq(system(command), 0);
}

static void
setup(void)
{
	int null = open("/dev/null", O_WRONLY);

	(void)strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/now/t.db", directory);
	(void)snprintf(kept, sizeof(kept), "%s/kept/t.db", directory);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(told, MAP_FAILED);
	run("mkdir %s/now %s/kept", directory, directory);
	(void)dup2(null, STDERR_FILENO); /* its remedies are not for us */
	(void)close(null);
}

static void
teardown(void)
{
	run("rm -rf %s", directory);
}

static struct store *
open_store(const char *file)
{
	struct store_params params = {.path = file, .timeout_ms = 1000};
	struct store *st = NULL;

	return store_open(&st, &params) == STORE_OK ? st : NULL;
}

static const char *
text_of(const char *name, size_t size)
{
	static char text[BIG + 1];
	size_t len = strlen(name);

	memset(text, 'x', size);
	memcpy(text, name, len);
	text[len] = ' ';
	text[size] = '\0';
	return text;
}

static void
must_save(struct store *st, const char *name, size_t size)
{
	int64_t id;

	ck_assert_int_eq(
	    store_save(st, text_of(name, size), EXP, &id), STORE_OK);
}

static void
run_sql(const char *file, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

/* --- what was there before --------------------------------------------------
 */

static void
nothing(void)
{
}

static void
one_row(void)
{
	struct store *st = open_store(kept);

	ck_assert_int_eq(store_adopt(st), STORE_OK);
	must_save(st, "old", 300);
	store_close(st);
}

/* As a killed process leaves it: with its -wal and -shm. */
static void
one_row_after_a_kill(void)
{
	struct store *st;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		st = open_store(kept);
		if (st == NULL || store_adopt(st) != STORE_OK)
			_exit(1);
		must_save(st, "old", 300);
		(void)kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

static void
of_the_go_telephone(void)
{
	char sql[BIG + 1000];

	(void)snprintf(sql, sizeof(sql),
	    "CREATE TABLE tokens (id INTEGER PRIMARY KEY AUTOINCREMENT, "
	    "encrypted_token TEXT NOT NULL, expires_at DATETIME NOT NULL, "
	    "updated_at DATETIME NOT NULL, "
	    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP);"
	    "CREATE INDEX idx_tokens_updated_at ON tokens(updated_at DESC);"
	    "INSERT INTO tokens (encrypted_token, expires_at, updated_at) "
	    "VALUES ('%s', '2046-11-18 00:19:33.735483926+00:00', "
	    "'2026-11-18 00:19:33+00:00')",
	    text_of("old", 300));
	run_sql(kept, sql);
}

static void
many_rows(void)
{
	struct store *st = open_store(kept);
	int i;

	ck_assert_int_eq(store_adopt(st), STORE_OK);
	for (i = 0; i < ROWS; i++)
		must_save(st, "old", BIG);
	store_close(st);
}

/* The next commit moves the log into the file. */
static void
a_full_log(void)
{
	struct store *st;
	pid_t pid = fork();
	int status, i;

	if (pid == 0) {
		st = open_store(kept);
		if (st == NULL || store_adopt(st) != STORE_OK)
			_exit(1);
		for (i = 0; i < 165; i++)
			must_save(st, "older", BIG);
		must_save(st, "old", 300);
		(void)kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

/* --- what is done to it -----------------------------------------------------
 */

/* As keeper_save does: a new one, then what is of no use any more. Tells
 * when the new one was promised to be safe. */
static bool
save_new(void)
{
	struct store *st = open_store(path);
	int64_t id;
	bool good;

	good = st != NULL && store_adopt(st) == STORE_OK &&
	    store_save(st, text_of("new", 300), EXP, &id) == STORE_OK;
	if (good) {
		told->promised = true;
		good = id == 1 || store_delete(st, id - 1) == STORE_OK;
	}
	store_close(st);
	return good;
}

static bool
renew(const char *sealed, char *out, size_t size, void *arg)
{
	(void)arg;
	(void)snprintf(out, size, "%s", sealed);
	memcpy(out, "new", 3);
	return true;
}

/* As a change of the key does. */
static bool
rewrite_all(void)
{
	struct store *st = open_store(path);
	bool good;

	good = st != NULL && store_adopt(st) == STORE_OK &&
	    store_rewrite(st, renew, BIG + 1, NULL) == STORE_OK;
	if (good)
		told->promised = true;
	store_close(st);
	return good;
}

/* --- what must be found -----------------------------------------------------
 */

struct found {
	int old, new, other;
};

static bool
count_row(int64_t id, const char *sealed, void *arg)
{
	struct found *f = arg;
	size_t len = strlen(sealed);

	(void)id;
	if (strncmp(sealed, "old ", 4) == 0 && sealed[len - 1] == 'x')
		f->old++;
	else if (strncmp(sealed, "new ", 4) == 0 && sealed[len - 1] == 'x')
		f->new ++;
	else if (strncmp(sealed, "older ", 6) != 0)
		f->other++;
	return true;
}

static void
one_of_two(const struct found *f, bool promised)
{
	ck_assert_int_le(f->old, 1);
	ck_assert_int_le(f->new, 1);
	ck_assert_msg(f->old + f->new > 0, "neither");
	ck_assert_msg(!promised || f->new == 1, "what was promised is lost");
}

static void
new_or_none(const struct found *f, bool promised)
{
	ck_assert_int_eq(f->old, 0);
	ck_assert_int_le(f->new, 1);
	ck_assert_msg(!promised || f->new == 1, "what was promised is lost");
}

static void
all_or_none(const struct found *f, bool promised)
{
	ck_assert_msg(f->old == (promised ? 0 : f->old) &&
		(f->old == 0 || f->old == ROWS) && f->old + f->new == ROWS,
	    "%d old and %d new rows, promised %d", f->old, f->new, promised);
}

static const struct scenario {
	const char *name;
	void (*before)(void);
	bool (*act)(void);
	void (*judge)(const struct found *, bool promised);
	int step; /* every point, or one of so many */
} scenarios[] = {
    {"a save into a fresh store", nothing, save_new, new_or_none, 1},
    {"a save", one_row, save_new, one_of_two, 1},
    {"a save after a kill", one_row_after_a_kill, save_new, one_of_two, 1},
    {"the Go Telephone's store", of_the_go_telephone, save_new, one_of_two, 1},
    {"a save with a full log", a_full_log, save_new, one_of_two, 23},
    {"another key", many_rows, rewrite_all, all_or_none, 1},
};
#define SCENARIOS ((int)(sizeof(scenarios) / sizeof(scenarios[0])))

/* --- one point --------------------------------------------------------------
 */

static void
copy_file(const char *suffix)
{
	char from[80], to[80], space[4096];
	int in, out;
	ssize_t n;

	(void)snprintf(from, sizeof(from), "%s%s", kept, suffix);
	(void)snprintf(to, sizeof(to), "%s%s", path, suffix);
	(void)unlink(to);
	in = open(from, O_RDONLY);
	if (in == -1)
		return;
	out = open(to, O_WRONLY | O_CREAT, 0600);
	while ((n = read(in, space, sizeof(space))) > 0)
		ck_assert_int_eq(write(out, space, (size_t)n), n);
	(void)close(in);
	(void)close(out);
}

/* Does it in a process of its own, which may be killed: *told says how far it
 * came. */
static void
act(const struct scenario *s, enum fault_kind kind, int at, uint32_t seed)
{
	int status;
	pid_t pid;

	copy_file("");
	copy_file("-wal");
	copy_file("-shm");
	memset(told, 0, sizeof(*told));
	pid = fork();
	if (pid == 0) {
		fault_install(kind, at, seed);
		(void)s->act();
		told->points = fault.count;
		_exit(0);
	}
	ck_assert_int_ne(pid, -1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(
	    WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
	told->died = WIFSIGNALED(status);
}

/* The store is whole, holds what it may hold, and takes the next one. */
static void
examine(const struct scenario *s)
{
	struct store *st;
	struct found found = {0, 0, 0};
	sqlite3_stmt *stmt;
	sqlite3 *db;

	fault_install(FAULT_NONE, 0, 0);
	st = open_store(path);
	ck_assert_msg(st != NULL, "%s: it cannot be opened", s->name);
	ck_assert_int_eq(store_each(st, count_row, &found), STORE_OK);
	ck_assert_int_eq(found.other, 0);
	s->judge(&found, told->promised);
	ck_assert_int_eq(store_adopt(st), STORE_OK);
	must_save(st, "next", 300);
	store_close(st);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
	    sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "ok");
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

/* How many points there are when nothing happens. */
static int
count_points(const struct scenario *s)
{
	s->before();
	act(s, FAULT_NONE, 0, 0);
	ck_assert_int_gt(told->points, 10);
	ck_assert(told->promised);
	examine(s);
	act(s, FAULT_NONE, 0, 0);
	return told->points;
}

START_TEST(killed_at_every_point)
{
	const struct scenario *s = &scenarios[_i];
	int all = count_points(s), deaths = 0, kind, at;
	uint32_t seed, seeds;

	for (kind = FAULT_BEFORE; kind < FAULT_KINDS_OF_DEATH; kind++)
		for (at = 1; at <= all; at += PACE * s->step) {
			seeds = kind == FAULT_POWER ? SEEDS : 1;
			for (seed = 0; seed < seeds; seed++) {
				act(s, (enum fault_kind)kind, at,
				    seed + (uint32_t)at);
				deaths += told->died;
				examine(s);
			}
		}
	(void)printf("%s: %d points, %d deaths\n", s->name, all, deaths);
	ck_assert_int_gt(deaths, 100 / PACE);
}
END_TEST

/* An error is no death: it is told by its name, and what was there stays. */
START_TEST(fails_at_every_point)
{
	const struct scenario *s = &scenarios[_i];
	int all = count_points(s), kind, at;

	for (kind = FAULT_FULL; kind < FAULT_KINDS; kind++)
		for (at = 1; at <= all; at += PACE * s->step) {
			act(s, (enum fault_kind)kind, at, 0);
			ck_assert(!told->died);
			examine(s);
		}
}
END_TEST

/* The same store goes on when there is room again. */
START_TEST(a_full_disk_is_named_and_passes)
{
	struct found found = {0, 0, 0};
	struct store *st;
	enum store_fault f;
	int64_t id;
	int i, failed = 0;

	fault_install(FAULT_NONE, 0, 0);
	st = open_store(path);
	ck_assert_int_eq(store_adopt(st), STORE_OK);
	must_save(st, "old", 300);
	fault.kind = FAULT_FULL;
	ck_assert_int_eq(
	    store_save(st, text_of("new", 300), EXP, &id), STORE_FULL);
	ck_assert_int_eq(store_rewrite(st, renew, BIG + 1, NULL), STORE_FULL);
	ck_assert_int_eq(store_each(st, count_row, &found), STORE_OK);
	ck_assert_int_eq(found.old, 1);
	ck_assert_int_eq(found.new, 0);
	fault.kind = FAULT_NONE;
	must_save(st, "new", 300);
	fault.kind = FAULT_BROKEN;
	for (i = 1; i < 30; i++) { /* among them its writes and its sync */
		fault.at = fault.count + i;
		f = store_save(st, text_of("newer", 300), EXP, &id);
		ck_assert(f == STORE_OK || f == STORE_IO);
		failed += f == STORE_IO;
	}
	ck_assert_int_ge(failed, 2);
	fault.kind = FAULT_NONE;
	must_save(st, "new", 300);
	store_close(st);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store faults");
	TCase *tc = tcase_create("store faults");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, killed_at_every_point, 0, SCENARIOS);
	tcase_add_loop_test(tc, fails_at_every_point, 0, SCENARIOS);
	tcase_add_test(tc, a_full_disk_is_named_and_passes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
