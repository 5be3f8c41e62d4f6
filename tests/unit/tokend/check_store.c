/* SPDX-License-Identifier: MIT */
/* Unit tests of store.h: what the Go Telephone leaves, and what disk and
 * people do to it. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store.h"

#define SCHEMA                                                          \
	"CREATE TABLE tokens (id INTEGER PRIMARY KEY AUTOINCREMENT, "   \
	"encrypted_token TEXT NOT NULL, expires_at DATETIME NOT NULL, " \
	"updated_at DATETIME NOT NULL, "                                \
	"created_at DATETIME DEFAULT CURRENT_TIMESTAMP);"

static char directory[] = "/tmp/check-store-XXXXXX", path[64];

static void
setup(void)
{
	int null = open("/dev/null", O_WRONLY);

	(void)strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/t.db", directory);
	(void)dup2(null, STDERR_FILENO); /* its remedies are not for us */
	(void)close(null);
}

static void
teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static enum store_fault
open_store(struct store **st)
{
	struct store_params params = {.path = path, .timeout_ms = 100};

	*st = NULL;
	return store_open(st, &params);
}

static int64_t
save(struct store *st, const char *sealed, int64_t exp_s)
{
	int64_t id = -1;

	ck_assert_int_eq(store_save(st, sealed, exp_s, &id), STORE_OK);
	return id;
}

static void
run_sql(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static const char *
query(const char *sql)
{
	static char text[1024];
	sqlite3 *db;
	sqlite3_stmt *stmt;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	text[0] = '\0';
	if (sqlite3_step(stmt) == SQLITE_ROW)
		(void)snprintf(text, sizeof(text), "%s",
		    (const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return text;
}

static size_t
slurp(char *space, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, space, size);

	(void)close(fd);
	return (size_t)n;
}

static bool
collect(int64_t id, const char *sealed, void *arg)
{
	char *list = arg;

	(void)sprintf(list + strlen(list), "%d=%s ", (int)id, sealed);
	return true;
}

START_TEST(a_fresh_store_has_the_schema)
{
	struct store *st;
	struct stat sb;
	char list[256] = "";

	ck_assert_int_eq(open_store(&st), STORE_OK);
	ck_assert_int_eq(store_count(st), 0);
	ck_assert_int_eq(store_adopt(st), STORE_OK);
	ck_assert_int_eq(save(st, "one", 2000000000), 1);
	ck_assert_int_eq(save(st, "two", 2000000001), 2);
	ck_assert_int_eq(store_each(st, collect, list), STORE_OK);
	ck_assert_str_eq(list, "2=two 1=one ");
	ck_assert_int_eq(store_delete(st, 1), STORE_OK);
	ck_assert_int_eq(store_count(st), 1);
	store_close(st);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(sb.st_mode & 07777, 0600);
	ck_assert_str_eq(query("PRAGMA journal_mode"), "wal");
	ck_assert_str_eq(query("PRAGMA user_version"), "1");
	ck_assert_str_eq(query("SELECT sql || ';' FROM sqlite_master WHERE "
			       "name = 'tokens'"),
	    SCHEMA);
	ck_assert_str_eq(query("SELECT group_concat(name) FROM (SELECT name "
			       "FROM sqlite_master WHERE type = 'index' "
			       "ORDER BY name)"),
	    "idx_tokens_expires_at,idx_tokens_updated_at");
	ck_assert_str_eq(query("SELECT expires_at FROM tokens"),
	    "2033-05-18 03:33:21+00:00");
}
END_TEST

START_TEST(the_older_store_is_adopted)
{
	struct store *st;
	struct stat sb;
	char list[256] = "", before[65536], after[65536];
	size_t len;

	run_sql("PRAGMA journal_mode = DELETE;" SCHEMA
		"INSERT INTO tokens (encrypted_token, expires_at, updated_at) "
		"VALUES ('a', '2046-11-18 00:19:33.735483926+00:00', "
		"'2026-11-18 00:19:33+00:00'), ('b', "
		"'2026-11-23 00:19:33.7 +0000 UTC m=+0.1', "
		"'2026-11-23 00:19:33.7 +0000 UTC');");
	ck_assert_int_eq(chmod(path, 0644), 0);
	len = slurp(before, sizeof(before));
	ck_assert_int_eq(open_store(&st), STORE_OK);
	ck_assert_int_eq(store_each(st, collect, list), STORE_OK);
	ck_assert_str_eq(list, "2=b 1=a ");
	/* Nothing is changed before it is known to be ours. */
	ck_assert_uint_eq(slurp(after, sizeof(after)), len);
	ck_assert_mem_eq(before, after, len);
	ck_assert_int_eq(store_adopt(st), STORE_OK);
	ck_assert_int_eq(store_count(st), 2);
	store_close(st);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(sb.st_mode & 07777, 0600);
	ck_assert_str_eq(query("PRAGMA journal_mode"), "wal");
	ck_assert_str_eq(query("PRAGMA user_version"), "1");
}
END_TEST

static const struct {
	const char *sql;
	enum store_fault fault;
} foreign[] = {
    {"CREATE TABLE other (x)", STORE_FOREIGN},
    {"CREATE TABLE tokens (x)", STORE_FOREIGN},
    {SCHEMA "PRAGMA user_version = 2", STORE_NEWER},
    {SCHEMA "PRAGMA user_version = -1", STORE_NEWER},
};

START_TEST(what_is_not_ours_is_left_alone)
{
	struct store *st;
	char before[65536], after[65536];
	size_t len;

	run_sql(foreign[_i].sql);
	len = slurp(before, sizeof(before));
	ck_assert_int_eq(open_store(&st), foreign[_i].fault);
	ck_assert_uint_eq(slurp(after, sizeof(after)), len);
	ck_assert_mem_eq(before, after, len);
}
END_TEST

START_TEST(garbage_is_left_alone)
{
	struct store *st;
	char after[256];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, "this is no database, certainly\n", 31), 31);
	(void)close(fd);
	ck_assert_int_eq(open_store(&st), STORE_DAMAGED);
	ck_assert_uint_eq(slurp(after, sizeof(after)), 31);
}
END_TEST

START_TEST(links_and_missing_directories_are_refused)
{
	struct store *st;
	char target[80];

	(void)snprintf(target, sizeof(target), "%s/elsewhere", directory);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_eq(open_store(&st), STORE_NOT_A_FILE);
	ck_assert_int_eq(access(target, F_OK), -1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(open_store(&st), STORE_NOT_A_FILE);
	(void)snprintf(path, sizeof(path), "%s/no/t.db", directory);
	ck_assert_int_eq(open_store(&st), STORE_NO_DIRECTORY);
}
END_TEST

START_TEST(a_store_has_one_owner)
{
	struct store *st, *other;

	ck_assert_int_eq(open_store(&st), STORE_OK);
	ck_assert_int_eq(store_adopt(st), STORE_OK);
	ck_assert_int_eq(open_store(&other), STORE_IN_USE);
	ck_assert_int_eq(save(st, "x", 1), 1); /* not disturbed */
	store_close(st);
	ck_assert_int_eq(open_store(&other), STORE_OK);
	store_close(other);
}
END_TEST

START_TEST(times_are_written_as_the_older_one_does)
{
	static const struct {
		int64_t s, ns;
		const char *text;
	} times[] = {
	    {0, 0, "1970-01-01 00:00:00+00:00"},
	    {2425940373, 735483926, "2046-11-16 00:19:33.735483926+00:00"},
	    {1, 700000000, "1970-01-01 00:00:01.7+00:00"},
	    {1, 1, "1970-01-01 00:00:01.000000001+00:00"},
	};
	char text[STORE_TIME_MAX];
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		store_format_time(text, times[i].s, times[i].ns);
		ck_assert_str_eq(text, times[i].text);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_fresh_store_has_the_schema);
	tcase_add_test(tc, the_older_store_is_adopted);
	tcase_add_loop_test(tc, what_is_not_ours_is_left_alone, 0, 4);
	tcase_add_test(tc, garbage_is_left_alone);
	tcase_add_test(tc, links_and_missing_directories_are_refused);
	tcase_add_test(tc, a_store_has_one_owner);
	tcase_add_test(tc, times_are_written_as_the_older_one_does);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
