/* SPDX-License-Identifier: MIT */
/*
 * Which file is read, which source wins, and what becomes of secrets. Each
 * test stands in an empty directory, with an empty environment, as an
 * ordinary user.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "util.h"

#define NOBODY 65534
#define SECRET \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/check-config-XXXXXX";
static char log_path[64];
static struct options options;
static struct config config;
static struct conf conf;

static void
clean(void)
{
	char command[96];

	(void)util_fmt(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
setup(void)
{
	static char *nothing[] = {NULL};

	if (geteuid() == 0)
		ck_assert(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	environ = nothing; /* as exec gives it: clearenv(3) sets NULL */
	(void)umask(022);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	(void)util_fmt(log_path, sizeof(log_path), "%s/log", dir);
	ck_assert_ptr_nonnull(freopen(log_path, "w", stderr));
	log_init("check", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	memset(&options, 0, sizeof(options));
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(name, mode), 0);
}

static bool
has(const struct buf *b, const char *words)
{
	return b->len > 0 && memmem(b->data, b->len, words, strlen(words));
}

static bool
log_has(const char *words)
{
	static char text[8192];
	FILE *f = fopen(log_path, "r");
	size_t n;

	(void)fflush(stderr);
	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return strstr(text, words) != NULL;
}

static int
load(void)
{
	conf_init(&conf);
	return config_load(&config, &conf);
}

static void
begin(const char *file)
{
	options.file = file;
	config_init(&config, &options);
	(void)load();
}

static void
end(void)
{
	conf_clear(&conf);
	config_clear(&config);
	clean();
}

/* What a descriptor holds; -1 is "none". */
static const char *
content(int fd)
{
	static char text[256];
	ssize_t n;

	if (fd == -1)
		return "none";
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

/* --- which file ----------------------------------------------------------- */

START_TEST(file_that_is_named)
{
	write_file("named", "BACKEND_PORT=1001\n", 0600);
	write_file(".env", "BACKEND_PORT=1002\n", 0600);
	begin("named");
	ck_assert_str_eq(config.file, "named");
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 1001);
	end();
}
END_TEST

START_TEST(file_dot_env)
{
	write_file(".env", "BACKEND_PORT=1002\n", 0600);
	begin(NULL);
	ck_assert_str_eq(config.file, ".env");
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 1002);
	end();
}
END_TEST

START_TEST(file_none_is_fine)
{
	bool have = access("/etc/telephone/telephone.conf", F_OK) == 0;

	begin(NULL);
	ck_assert_str_eq(
	    config.file, have ? "/etc/telephone/telephone.conf" : "");
	if (!have)
		ck_assert_uint_eq(conf.faults.len, 0);
	end();
}
END_TEST

START_TEST(file_that_is_missing)
{
	write_file(".env", "BACKEND_PORT=1002\n", 0600);
	begin("missing");
	ck_assert(has(&conf.faults,
	    "missing: cannot be read: No such file "
	    "or directory; -f names another file\n"));
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 8080);
	end();
}
END_TEST

START_TEST(file_that_is_none)
{
	ck_assert_int_eq(mkdir("directory", 0700), 0);
	begin("directory");
	ck_assert(has(&conf.faults,
	    "directory: cannot be read: Is a directory; -f names another "
	    "file\n"));
	conf_clear(&conf);
	config_clear(&config);
	begin("/dev/zero");
	ck_assert(has(&conf.faults, "/dev/zero: longer than 256 KiB\n"));
	end();
}
END_TEST

/* --- which source --------------------------------------------------------- */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

START_TEST(precedence)
{
	/* Each bit takes one source away from the top. */
	static const int want[] = {
	    LOG_LEVEL_DEBUG, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_INFO};

	if (_i < 1)
		options.log_level = "debug";
	if (_i < 2)
		ck_assert_int_eq(setenv("LOG_LEVEL", "warn", 1), 0);
	write_file("f", _i < 3 ? "LOG_LEVEL=error\n" : "\n", 0600);
	begin("f");
	ck_assert_str_eq(
	    conf_text(&conf, CONF_LOG_LEVEL), level_names[want[_i]]);
	end();
}
END_TEST

START_TEST(empty_is_unset)
{
	ck_assert_int_eq(setenv("BACKEND_PORT", "", 1), 0);
	write_file("f", "BACKEND_PORT=1001\n", 0600);
	begin("f");
	ck_assert_int_eq(conf_num(&conf, CONF_BACKEND_PORT), 1001);
	end();
}
END_TEST

START_TEST(faults_of_all_sources_in_one_pass)
{
	options.log_level = "loud";
	ck_assert_int_eq(setenv("BACKEND_PORT", "99999", 1), 0);
	write_file("f", "REQUEST_TIMEOUT=soon\nMAX_BACKOFF=never\n", 0600);
	begin("f");
	ck_assert(has(&conf.faults, "f:1: REQUEST_TIMEOUT"));
	ck_assert(has(&conf.faults, "f:2: MAX_BACKOFF"));
	ck_assert(has(&conf.faults, "BACKEND_PORT"));
	ck_assert(has(&conf.faults, "--log-level"));
	end();
}
END_TEST

START_TEST(report_is_a_line_each)
{
	write_file("f", "REQUEST_TIMEOUT=soon\nBAKEND_PORT=1\n", 0600);
	begin("f");
	config_report(&conf);
	ck_assert(log_has("error check: f:1: REQUEST_TIMEOUT"));
	ck_assert(log_has("warn check: f:2: BAKEND_PORT"));
	end();
}
END_TEST

/* --- secrets -------------------------------------------------------------- */

START_TEST(secret_file_mode)
{
	static const struct {
		const char *text;
		mode_t mode;
		bool warn;
	} cases[] = {
	    {"SECRET_KEY_BASE=" SECRET "\n", 0600, false},
	    {"SECRET_KEY_BASE=" SECRET "\n", 0644, true},
	    {"SECRET_KEY_BASE=" SECRET "\n", 0640, true},
	    {"TELEPHONE_TOKEN=x\n", 0604, true},
	    {"BACKEND_PORT=1\n", 0644, false},
	};

	write_file("f", cases[_i].text, cases[_i].mode);
	begin("f");
	ck_assert_int_eq(
	    has(&conf.warnings, "run: chmod 600 f\n"), cases[_i].warn);
	ck_assert(!has(&conf.warnings, SECRET));
	end();
}
END_TEST

START_TEST(environment_is_scrubbed)
{
	char *secret, *token;
	struct config_secrets s;

	ck_assert_int_eq(setenv("SECRET_KEY_BASE", SECRET, 1), 0);
	ck_assert_int_eq(setenv("TELEPHONE_TOKEN", "a.b.c", 1), 0);
	secret = getenv("SECRET_KEY_BASE");
	token = getenv("TELEPHONE_TOKEN");
	begin(NULL);
	ck_assert_ptr_null(strstr(secret, "0123"));
	ck_assert_ptr_null(strstr(token, "a.b"));
	/* … and they are still there for the second reload after it. */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(config_secrets(&conf, &s), 0);
		ck_assert_str_eq(content(s.secret), SECRET);
		ck_assert_str_eq(content(s.token), "a.b.c");
		ck_assert(fcntl(s.secret, F_GETFD) & FD_CLOEXEC);
		util_close(&s.secret);
		util_close(&s.token);
		conf_clear(&conf);
		(void)load();
	}
	end();
}
END_TEST

/* A reload reads the file's secret anew; the environment's still wins. */
START_TEST(secrets_of_a_reload)
{
	struct config_secrets s;

	ck_assert_int_eq(setenv("TELEPHONE_TOKEN", "from.the.env", 1), 0);
	write_file("f", "SECRET_KEY_BASE=" SECRET "\n", 0600);
	begin("f");
	write_file("f",
	    "SECRET_KEY_BASE=ffff" SECRET "\nTELEPHONE_TOKEN=from.the.file\n",
	    0600);
	conf_clear(&conf);
	(void)load();
	ck_assert_int_eq(config_secrets(&conf, &s), 0);
	ck_assert_str_eq(content(s.secret), "ffff" SECRET);
	ck_assert_str_eq(content(s.token), "from.the.env");
	util_close(&s.secret);
	util_close(&s.token);
	end();
}
END_TEST

/* Takes the sources away one by one, from the first. */
START_TEST(first_source_wins)
{
	static const char *const want[][2] = {
	    {"credential", "t-credential"},
	    {"file", "t-file"},
	    {"value", "t-value"},
	    {"none", "none"},
	};
	struct config_secrets s;

	if (_i < 1) {
		ck_assert_int_eq(mkdir("cred", 0755), 0);
		write_file("cred/secret_key_base", "credential", 0644);
		write_file("cred/telephone_token", "t-credential", 0644);
		ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "cred", 1), 0);
	}
	write_file("s", "file", 0600);
	write_file("t", "t-file", 0600);
	if (_i < 2) {
		ck_assert_int_eq(setenv("SECRET_KEY_BASE_FILE", "s", 1), 0);
		ck_assert_int_eq(setenv("TELEPHONE_TOKEN_FILE", "t", 1), 0);
	}
	if (_i < 3) {
		ck_assert_int_eq(setenv("SECRET_KEY_BASE", "value", 1), 0);
		ck_assert_int_eq(setenv("token", "t-value", 1), 0);
	}
	begin(NULL);
	ck_assert_int_eq(config_secrets(&conf, &s), 0);
	ck_assert_str_eq(content(s.secret), want[_i][0]);
	ck_assert_str_eq(content(s.token), want[_i][1]);
	ck_assert(!log_has("open to others")); /* credentials may be */
	util_close(&s.secret);
	util_close(&s.token);
	end();
}
END_TEST

/* Of the two, each may come from where it is. */
START_TEST(sources_are_chosen_apart)
{
	struct config_secrets s;

	ck_assert_int_eq(mkdir("cred", 0755), 0);
	write_file("cred/secret_key_base", "credential", 0600);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "cred", 1), 0);
	ck_assert_int_eq(setenv("TELEPHONE_TOKEN", "value", 1), 0);
	begin(NULL);
	ck_assert_int_eq(config_secrets(&conf, &s), 0);
	ck_assert_str_eq(content(s.secret), "credential");
	ck_assert_str_eq(content(s.token), "value");
	util_close(&s.secret);
	util_close(&s.token);
	end();
}
END_TEST

START_TEST(secret_files)
{
	static const struct {
		const char *name, *words;
		int result;
	} cases[] = {
	    {"good", "", 0},
	    {"link", "", 0}, /* Kubernetes mounts them so */
	    {"open", "open is open to others (mode 0644); run: chmod 600 open",
		0},
	    {"missing", "SECRET_KEY_BASE_FILE: missing cannot be read", -1},
	    {".", ". is not a regular file", -1},
	    {"/dev/null", "/dev/null is not a regular file", -1},
	    {"fifo", "fifo is not a regular file", -1},
	};
	struct config_secrets s;

	write_file("good", SECRET, 0600);
	write_file("open", SECRET, 0644);
	ck_assert_int_eq(symlink("good", "link"), 0);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	(void)setenv("SECRET_KEY_BASE_FILE", cases[_i].name, 1);
	begin(NULL);
	ck_assert_int_eq(config_secrets(&conf, &s), cases[_i].result);
	ck_assert(log_has(cases[_i].words));
	if (cases[_i].result == 0)
		ck_assert_str_eq(content(s.secret), SECRET);
	else
		ck_assert_int_eq(s.secret, -1);
	ck_assert(!log_has(SECRET));
	util_close(&s.secret);
	util_close(&s.token);
	end();
}
END_TEST

static int
count_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

START_TEST(nothing_is_leaked)
{
	struct config_secrets s;
	int before = count_fds(), i;

	ck_assert_int_eq(setenv("SECRET_KEY_BASE", SECRET, 1), 0);
	write_file("f",
	    "TELEPHONE_TOKEN=x\nTELEPHONE_TOKEN=y\nSECRET_KEY_BASE=z\n", 0600);
	begin("f");
	for (i = 0; i < 20; i++) {
		conf_clear(&conf);
		(void)load();
		ck_assert_int_eq(config_secrets(&conf, &s), 0);
		ck_assert_str_eq(content(s.secret), SECRET);
		util_close(&s.secret);
		util_close(&s.token);
	}
	conf_clear(&conf);
	config_clear(&config);
	ck_assert_int_eq(count_fds(), before);
	clean();
}
END_TEST

/* --- the control socket --------------------------------------------------- */

START_TEST(control_by_key)
{
	char path[108];

	(void)setenv("CONTROL_SOCKET", "/some/where.sock", 1);
	(void)setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	begin(NULL);
	ck_assert(config_control_path(&conf, false, path, sizeof(path)));
	ck_assert_str_eq(path, "/some/where.sock");
	ck_assert(config_control_path(&conf, true, path, sizeof(path)));
	ck_assert_str_eq(path, "/some/where.sock");
	end();
}
END_TEST

START_TEST(control_by_default)
{
	char path[108], want[108];
	struct stat sb;

	begin(NULL);
	(void)setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	ck_assert(config_control_path(&conf, false, path, sizeof(path)));
	ck_assert_str_eq(path, "/run/user/1/telephone.sock");
	/* It must be absolute, or it is nowhere in particular. */
	(void)setenv("XDG_RUNTIME_DIR", "relative", 1);
	(void)umask(0);
	ck_assert(config_control_path(&conf, false, path, sizeof(path)));
	(void)util_fmt(
	    want, sizeof(want), "/tmp/telephone-%u/telephone.sock", geteuid());
	ck_assert_str_eq(path, want);
	*strrchr(want, '/') = '\0';
	ck_assert_int_eq(lstat(want, &sb), 0);
	ck_assert(S_ISDIR(sb.st_mode) && sb.st_uid == geteuid());
	ck_assert_uint_eq(sb.st_mode & 07777, 0700);
	(void)rmdir(want); /* unless somebody's socket is there */
	end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, file_that_is_named);
	tcase_add_test(t, file_dot_env);
	tcase_add_test(t, file_none_is_fine);
	tcase_add_test(t, file_that_is_missing);
	tcase_add_test(t, file_that_is_none);
	tcase_add_loop_test(t, precedence, 0, 4);
	tcase_add_test(t, empty_is_unset);
	tcase_add_test(t, faults_of_all_sources_in_one_pass);
	tcase_add_test(t, report_is_a_line_each);
	tcase_add_loop_test(t, secret_file_mode, 0, 5);
	tcase_add_test(t, environment_is_scrubbed);
	tcase_add_test(t, secrets_of_a_reload);
	tcase_add_loop_test(t, first_source_wins, 0, 4);
	tcase_add_test(t, sources_are_chosen_apart);
	tcase_add_loop_test(t, secret_files, 0, 7);
	tcase_add_test(t, nothing_is_leaked);
	tcase_add_test(t, control_by_key);
	tcase_add_test(t, control_by_default);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
