/* SPDX-License-Identifier: MIT */
/* Unit tests of url.h, secret.h and priv.h. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "priv.h"
#include "secret.h"
#include "url.h"

static const struct {
	const char *text;
	const char *host, *header, *path, *query; /* host NULL: refused */
	uint16_t port;
	bool tls;
} urls[] = {
    {"ws://h", "h", "h", "/", "", 80, false},
    {"wss://h", "h", "h", "/", "", 443, true},
    {"WSS://h:443/x", "h", "h", "/x", "", 443, true},
    {"ws://h:443/x", "h", "h:443", "/x", "", 443, false},
    {"ws://h:4000/a/b?c=d&e", "h", "h:4000", "/a/b", "c=d&e", 4000, false},
    {"ws://[::1]:4000/", "::1", "[::1]:4000", "/", "", 4000, false},
    {"ws://127.0.0.1?x", "127.0.0.1", "127.0.0.1", "/", "x", 80, false},
    {"ws://h_1.example-x.org/", "h_1.example-x.org", "h_1.example-x.org", "/",
	"", 80, false},
    {.text = ""},
    {.text = "h"},
    {.text = "http://h"},
    {.text = "ws://"},
    {.text = "ws:///x"},
    {.text = "ws://:80"},
    {.text = "ws://h:"},
    {.text = "ws://h:0"},
    {.text = "ws://h:65536"},
    {.text = "ws://h:8x"},
    {.text = "ws://u:p@h/"},
    {.text = "ws://h/#x"},
    {.text = "ws://h/a b"},
    {.text = "ws://h/\xc3\xa9"},
    {.text = "ws://[::1"},
    {.text = "ws://[::1]x"},
    {.text = "ws://[h]"},
    {.text = "ws://::1/"},
    {.text = "ws://1.2.3.400/"},
    {.text = "ws://a..b/"},
    {.text = "ws://-a/"},
};

START_TEST(urls_are_taken_apart)
{
	char header[300];
	struct url u;
	const char *error = url_parse(&u, urls[_i].text);

	if (urls[_i].host == NULL) {
		ck_assert_msg(error != NULL, "%s is taken", urls[_i].text);
		return;
	}
	ck_assert_msg(error == NULL, "%s: %s", urls[_i].text, error);
	ck_assert_str_eq(u.host, urls[_i].host);
	ck_assert_str_eq(u.path, urls[_i].path);
	ck_assert_str_eq(u.query, urls[_i].query);
	ck_assert_uint_eq(u.port, urls[_i].port);
	ck_assert(u.tls == urls[_i].tls);
	ck_assert(url_host_header(&u, header, sizeof(header)));
	ck_assert_str_eq(header, urls[_i].header);
	ck_assert(!url_host_header(&u, header, strlen(urls[_i].header)));
}
END_TEST

START_TEST(long_urls_are_refused)
{
	char text[2 * URL_TARGET_MAX];
	struct url u;

	memset(text, 'a', sizeof(text));
	memcpy(text, "ws://h/", 7);
	text[sizeof(text) - 1] = '\0';
	ck_assert_ptr_nonnull(url_parse(&u, text));
	memcpy(text, "ws://h/?", 8);
	ck_assert_ptr_nonnull(url_parse(&u, text));
	memset(text + 5, 'a', 300);
	ck_assert_ptr_nonnull(url_parse(&u, text));
}
END_TEST

START_TEST(local_is_local)
{
	ck_assert(url_is_local("localhost"));
	ck_assert(url_is_local("127.9.9.9"));
	ck_assert(url_is_local("::1"));
	ck_assert(!url_is_local("128.0.0.1"));
	ck_assert(!url_is_local("localhost.example"));
	ck_assert(!url_is_local("::2"));
}
END_TEST

START_TEST(secrets_are_sealed_and_read_again)
{
	char text[32];
	int fd = secret_memfd("x", "abc\r\n", 5);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(secret_read(fd, text, sizeof(text)), 3);
	ck_assert_str_eq(text, "abc");
	ck_assert_int_eq(secret_read(fd, text, 6), 3);
	ck_assert_int_eq(secret_read(fd, text, 5), -1);
	ck_assert_int_eq(errno, EFBIG);
	(void)close(fd);
	fd = secret_memfd("x", "a\0c", 3);
	ck_assert_int_eq(secret_read(fd, text, sizeof(text)), -1);
	ck_assert_int_eq(errno, EINVAL);
	(void)close(fd);
	ck_assert_int_eq(secret_read(-1, text, sizeof(text)), -1);
}
END_TEST

/* How a child that does this ended. */
static int
status_of(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		act();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

#ifndef __SANITIZE_ADDRESS__
static volatile char sink;

static void
read_before(void)
{
	char *p = secret_alloc(100);

	sink = p[-1];
}

static void
read_behind(void)
{
	char *p = secret_alloc(100);
	long page = sysconf(_SC_PAGESIZE);

	sink = p[page];
}

START_TEST(secrets_are_guarded)
{
	ck_assert(WIFSIGNALED(status_of(read_before)));
	ck_assert(WIFSIGNALED(status_of(read_behind)));
}
END_TEST
#endif

START_TEST(secrets_are_writable)
{
	char *p = secret_alloc(10000);

	memset(p, 'x', 10000);
	secret_free(p, 10000);
	secret_free(NULL, 5);
}
END_TEST

static void
drop_to_nobody(void)
{
	struct priv_user user;
	gid_t groups[2];

	if (priv_lookup(&user, "nobody") == -1)
		_exit(1);
	priv_drop(&user);
	if (getuid() != user.uid || geteuid() != user.uid ||
	    getgid() != user.gid || getgroups(2, groups) != 1 ||
	    setuid(0) == 0 || seteuid(0) == 0)
		_exit(2);
#ifndef __SANITIZE_ADDRESS__
	if (prctl(PR_GET_DUMPABLE) != 0)
		_exit(3);
#endif
	_exit(42);
}

static void
drop_to_root(void)
{
	struct priv_user user = {.name = "root"};
	int null = open("/dev/null", O_WRONLY);

	(void)dup2(null, STDERR_FILENO);
	priv_drop(&user);
	_exit(42);
}

START_TEST(users_are_changed_for_good)
{
	struct priv_user user;

	ck_assert_int_eq(priv_lookup(&user, "no-such-user-at-all"), -1);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_ne(WEXITSTATUS(status_of(drop_to_root)), 42);
	if (priv_is_root()) /* an ordinary user has no other to become */
		ck_assert_int_eq(WEXITSTATUS(status_of(drop_to_nobody)), 42);
}
END_TEST

static void
harden(void)
{
	priv_harden();
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(1);
	_exit(42);
}

START_TEST(children_are_hardened)
{
	ck_assert_int_eq(WEXITSTATUS(status_of(harden)), 42);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("url, secret, priv");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(
	    tc, urls_are_taken_apart, 0, (int)(sizeof(urls) / sizeof(urls[0])));
	tcase_add_test(tc, long_urls_are_refused);
	tcase_add_test(tc, local_is_local);
	tcase_add_test(tc, secrets_are_sealed_and_read_again);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_test(tc, secrets_are_guarded);
#endif
	tcase_add_test(tc, secrets_are_writable);
	tcase_add_test(tc, users_are_changed_for_good);
	tcase_add_test(tc, children_are_hardened);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
