/* SPDX-License-Identifier: MIT */
/* The sockets of the supervisor: control, health, and systemd's. */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"
#include "notify.h"
#include "util.h"

static char dir[] = "/tmp/check-listen-XXXXXX";
static char path[80], lock[96];

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)util_fmt(path, sizeof(path), "%s/c.sock", dir);
	(void)util_fmt(lock, sizeof(lock), "%s.lock", path);
	/* What is logged is not this test's output. */
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	log_init("check", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
}

static void
teardown(void)
{
	(void)unlink(path);
	(void)unlink(lock);
	(void)rmdir(dir);
}

static int
connect_to(const char *to)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int result, fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)util_strlcpy(sun.sun_path, to, sizeof(sun.sun_path));
	result = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	(void)close(fd);
	return result;
}

/* --- control -------------------------------------------------------------- */

START_TEST(control_opens_and_goes)
{
	struct listen_control c;
	struct stat sb;

	(void)umask(0);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert(S_ISSOCK(sb.st_mode));
	ck_assert_uint_eq(sb.st_mode & 07777, 0660);
	ck_assert_uint_eq(umask(0), 0); /* as it was */
	ck_assert_int_eq(connect_to(path), 0);
	ck_assert(fcntl(c.fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(c.lock, F_GETFD) & FD_CLOEXEC);
	listen_control_close(&c);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	listen_control_close(&c);
}
END_TEST

/* As kill -9 leaves them. */
START_TEST(control_replaces_a_stale_one)
{
	struct listen_control c;

	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	(void)close(c.fd);
	(void)close(c.lock);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(connect_to(path), -1);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	ck_assert_int_eq(connect_to(path), 0);
	listen_control_close(&c);
}
END_TEST

START_TEST(control_refuses_a_second)
{
	struct listen_control c, second;

	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	ck_assert_int_eq(
	    listen_control_open(&second, path, false), EX_CANTCREAT);
	ck_assert_int_eq(connect_to(path), 0);
	listen_control_close(&second); /* takes nothing from the first */
	ck_assert_int_eq(connect_to(path), 0);
	listen_control_close(&c);
}
END_TEST

START_TEST(control_refuses_a_second_without_the_lock_file)
{
	struct listen_control c, second;
	int i;

	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	ck_assert_int_eq(unlink(lock), 0);
	for (i = 0; i < 200; i++) /* even when it is too busy to accept */
		ck_assert_int_eq(
		    listen_control_open(&second, path, false), EX_CANTCREAT);
	ck_assert_int_eq(access(path, F_OK), 0);
	listen_control_close(&c);
}
END_TEST

/* Between the first one's lock and its socket. */
START_TEST(control_refuses_while_another_starts)
{
	struct listen_control c;
	int fd = open(lock, O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_CANTCREAT);
	ck_assert_int_eq(access(path, F_OK), -1);
	(void)close(fd);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_OK);
	listen_control_close(&c);
}
END_TEST

START_TEST(control_removes_only_sockets)
{
	struct listen_control c;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ne(fd, -1);
	(void)close(fd);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_CANTCREAT);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(control_lock_is_no_link)
{
	struct listen_control c;
	char target[96];

	(void)util_fmt(target, sizeof(target), "%s/t", dir);
	ck_assert_int_eq(symlink(target, lock), 0);
	ck_assert_int_eq(listen_control_open(&c, path, false), EX_CANTCREAT);
	ck_assert_int_eq(access(target, F_OK), -1);
}
END_TEST

START_TEST(control_says_where_it_cannot)
{
	struct listen_control c;
	char longer[200];

	ck_assert_int_eq(
	    listen_control_open(&c, "/no/such/c.sock", false), EX_CANTCREAT);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(listen_control_open(&c, longer, false), EX_CONFIG);
	listen_control_close(&c);
}
END_TEST

/* --- health --------------------------------------------------------------- */

static int
health(const char *host, const char *port, int *code)
{
	struct conf conf;
	char h[80], p[16];
	int fd;

	conf_init(&conf);
	(void)util_strlcpy(h, host, sizeof(h));
	(void)util_strlcpy(p, port, sizeof(p));
	ck_assert_int_eq(
	    conf_set(&conf, CONF_HEALTH_LISTEN, h, CONF_FLAG, "test"), 0);
	ck_assert_int_eq(
	    conf_set(&conf, CONF_HEALTH_CHECK_PORT, p, CONF_FLAG, "test"), 0);
	fd = listen_health(&conf, code);
	conf_clear(&conf);
	return fd;
}

/* Port 0 is "none" here, so a free one is found first. */
static void
free_port(char port[16])
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	(void)util_fmt(port, 16, "%u", ntohs(sin.sin_port));
	(void)close(fd);
}

START_TEST(health_none)
{
	int code = -1;

	ck_assert_int_eq(health("127.0.0.1", "0", &code), -1);
	ck_assert_int_eq(code, EX_OK);
}
END_TEST

START_TEST(health_listens)
{
	static const char *const hosts[] = {
	    "127.0.0.1", "localhost", "::1", "[::1]"};
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char port[16];
	int code, fd;

	free_port(port);
	fd = health(hosts[_i], port, &code);
	ck_assert_int_eq(code, EX_OK);
	ck_assert_int_ne(fd, -1);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(ss.ss_family, _i < 2 ? AF_INET : AF_INET6);
	(void)close(fd);
}
END_TEST

START_TEST(health_port_taken)
{
	char port[16];
	int code, first, second;

	free_port(port);
	first = health("127.0.0.1", port, &code);
	ck_assert_int_eq(code, EX_OK);
	second = health("127.0.0.1", port, &code);
	ck_assert_int_eq(second, -1);
	ck_assert_int_eq(code, EX_UNAVAILABLE);
	(void)close(first);
}
END_TEST

START_TEST(health_asks_nobody_for_names)
{
	int code;

	ck_assert_int_eq(health("some.name.example", "39991", &code), -1);
	ck_assert_int_eq(code, EX_CONFIG);
}
END_TEST

/* --- systemd -------------------------------------------------------------- */

static int
notify_socket(const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	memcpy(sun.sun_path, name, strlen(name));
	if (name[0] == '@')
		sun.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, len), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

START_TEST(notify_is_heard)
{
	char name[100], got[32] = "";
	int fd;

	(void)util_fmt(
	    name, sizeof(name), _i == 0 ? "%s" : "@%s-abstract", path);
	fd = notify_socket(name);
	notify_send("READY=1");
	ck_assert_int_eq(recv(fd, got, sizeof(got), 0), 7);
	ck_assert_str_eq(got, "READY=1");
	(void)close(fd);
}
END_TEST

/* Nobody to tell is no fault, and leaves no descriptor behind. */
START_TEST(notify_bears_nobody)
{
	static const char *const names[] = {
	    NULL, "", "relative", "/no/such/socket", "@nobody-listens-here"};
	char longer[200];
	int before = dup(0), after;

	(void)close(before);
	if (names[_i] == NULL)
		(void)unsetenv("NOTIFY_SOCKET");
	else
		(void)setenv("NOTIFY_SOCKET", names[_i], 1);
	notify_send("READY=1");
	memset(longer, '/', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	(void)setenv("NOTIFY_SOCKET", longer, 1);
	notify_send("READY=1");
	after = dup(0);
	ck_assert_int_eq(after, before);
	(void)close(after);
}
END_TEST

START_TEST(watchdog_interval)
{
	static const struct {
		const char *usec, *pid;
		int64_t ms;
	} rows[] = {
	    {NULL, NULL, 0},
	    {"30000000", NULL, 15000},
	    {"1", NULL, 1},
	    {"0", NULL, 0},
	    {"-5", NULL, 0},
	    {"junk", NULL, 0},
	    {"30s", NULL, 0},
	    {"99999999999999999999", NULL, 0},
	    {"30000000", "1", 0},
	    {"30000000", "junk", 0},
	    {"30000000", "own", 15000},
	};
	char own[16];

	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	(void)util_fmt(own, sizeof(own), "%d", getpid());
	if (rows[_i].usec != NULL)
		(void)setenv("WATCHDOG_USEC", rows[_i].usec, 1);
	if (rows[_i].pid != NULL)
		(void)setenv("WATCHDOG_PID",
		    strcmp(rows[_i].pid, "own") == 0 ? own : rows[_i].pid, 1);
	ck_assert_int_eq(notify_watchdog_ms(), rows[_i].ms);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listen");
	TCase *t = tcase_create("listen");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, control_opens_and_goes);
	tcase_add_test(t, control_replaces_a_stale_one);
	tcase_add_test(t, control_refuses_a_second);
	tcase_add_test(t, control_refuses_a_second_without_the_lock_file);
	tcase_add_test(t, control_refuses_while_another_starts);
	tcase_add_test(t, control_removes_only_sockets);
	tcase_add_test(t, control_lock_is_no_link);
	tcase_add_test(t, control_says_where_it_cannot);
	tcase_add_test(t, health_none);
	tcase_add_loop_test(t, health_listens, 0, 4);
	tcase_add_test(t, health_port_taken);
	tcase_add_test(t, health_asks_nobody_for_names);
	tcase_add_loop_test(t, notify_is_heard, 0, 2);
	tcase_add_loop_test(t, notify_bears_nobody, 0, 5);
	tcase_add_loop_test(t, watchdog_interval, 0, 11);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
