/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of common/util.h. Called with a name, this program only prints
 * the sibling of that name: the tests run it from other directories.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

START_TEST(clocks_count_milliseconds)
{
	struct timespec nap = {.tv_nsec = 30 * 1000 * 1000};
	int64_t mono = util_mono_ms(), wall = util_wall_ms(), took;

	ck_assert_int_le(llabs(wall / 1000 - (int64_t)time(NULL)), 2);
	while (nanosleep(&nap, &nap) == -1)
		continue;
	took = util_mono_ms() - mono;
	ck_assert_int_ge(took, 30);
	ck_assert_int_lt(took, 5000);
	ck_assert_int_ge(util_wall_ms() - wall, 29);
}
END_TEST

START_TEST(random_fills_what_it_is_given)
{
	uint8_t a[512] = {0}, seen[256] = {0};
	size_t i, different = 0;

	util_random(a, sizeof(a) - 1);
	ck_assert_uint_eq(a[sizeof(a) - 1], 0);
	for (i = 0; i < sizeof(a) - 1; i++)
		different += seen[a[i]]++ == 0;
	/* 511 draws of 256 values: 221 different ones, give or take 6. */
	ck_assert_uint_gt(different, 170);
	util_random(a, 0);
}
END_TEST

/* 3 << 30 shows a missing correction best: every value below 1 << 30 would
 * come twice as often. */
static const uint32_t belows[] = {1, 2, 3, 7, 1000, 3U << 30, UINT32_MAX};

START_TEST(random_below_stays_below)
{
	uint32_t n = belows[_i], r;
	int i, low = 0;

	for (i = 0; i < 4000; i++) {
		r = util_random_below(n);
		ck_assert_uint_lt(r, n);
		low += r < n / 2 + n % 2;
	}
	/* Half of them (2000, sigma 32), or more when n is odd and small. */
	ck_assert_int_gt(low, 1680);
	if (n > 7)
		ck_assert_int_lt(low, 2320);
}
END_TEST

START_TEST(random_below_reaches_every_value)
{
	int hits[7] = {0}, i;

	for (i = 0; i < 7000; i++)
		hits[util_random_below(7)]++;
	for (i = 0; i < 7; i++)
		ck_assert_int_gt(hits[i], 700);
}
END_TEST

START_TEST(nonblock_keeps_other_flags)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(fcntl(fd[1], F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(util_nonblock(fd[1]), 0);
	ck_assert_int_eq(fcntl(fd[1], F_GETFL) & (O_NONBLOCK | O_APPEND),
	    O_NONBLOCK | O_APPEND);
	ck_assert_int_eq(util_nonblock(-1), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(close_happens_once_and_keeps_errno)
{
	int fd = dup(STDOUT_FILENO), copy = fd;

	ck_assert_int_ge(fd, 0);
	errno = EMSGSIZE;
	util_close(&fd);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
	errno = EMSGSIZE;
	util_close(&fd);
	ck_assert_int_eq(errno, EMSGSIZE);
	/* Not even a failing close shows. */
	util_close(&copy);
	ck_assert_int_eq(errno, EMSGSIZE);
}
END_TEST

START_TEST(strlcpy_cuts_and_says_so)
{
	char dst[5] = "####";

	ck_assert_uint_eq(util_strlcpy(dst, "abc", 4), 3);
	ck_assert_str_eq(dst, "abc");
	ck_assert_uint_eq(util_strlcpy(dst, "wxyz", 4), 4);
	ck_assert_str_eq(dst, "wxy");
	ck_assert_uint_eq(util_strlcpy(dst, "", 4), 0);
	ck_assert_str_eq(dst, "");
	ck_assert_uint_eq(util_strlcpy(dst, "much too long", 1), 13);
	ck_assert_str_eq(dst, "");
	dst[0] = '#';
	ck_assert_uint_eq(util_strlcpy(dst, "much too long", 0), 13);
	ck_assert_int_eq(dst[0], '#');
}
END_TEST

START_TEST(fmt_tells_whether_it_fitted)
{
	char dst[5];

	ck_assert(util_fmt(dst, sizeof(dst), "%d", 1234));
	ck_assert_str_eq(dst, "1234");
	ck_assert(!util_fmt(dst, sizeof(dst), "%d", 12345));
	ck_assert_str_eq(dst, "1234");
}
END_TEST

START_TEST(equal_ct_sees_each_bit)
{
	uint8_t a[32], b[32];
	size_t i;

	util_random(a, sizeof(a));
	memcpy(b, a, sizeof(b));
	ck_assert(util_equal_ct(a, b, sizeof(a)));
	ck_assert(util_equal_ct(a, b, 0));
	for (i = 0; i < sizeof(a) * 8; i++) {
		b[i / 8] = (uint8_t)(b[i / 8] ^ 1U << i % 8);
		ck_assert(!util_equal_ct(a, b, sizeof(a)));
		/* What comes behind len does not count. */
		ck_assert(util_equal_ct(a, b, i / 8));
		b[i / 8] = a[i / 8];
	}
}
END_TEST

static void
own_dir(char dir[4096])
{
	ssize_t n = readlink("/proc/self/exe", dir, 4095);

	ck_assert_int_gt(n, 0);
	dir[n] = '\0';
	*strrchr(dir, '/') = '\0';
}

START_TEST(sibling_stands_beside)
{
	char dir[4096], want[4200], got[4200];

	own_dir(dir);
	ck_assert(util_fmt(want, sizeof(want), "%s/worker", dir));
	ck_assert_int_eq(util_sibling(got, sizeof(got), "worker"), 0);
	ck_assert_str_eq(got, want);
	ck_assert_int_eq(util_sibling(got, strlen(want) + 1, "worker"), 0);
	ck_assert_int_eq(util_sibling(got, strlen(want), "worker"), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

/* Where this executable is put, below a directory of the test, and where it
 * then looks for its sibling. */
static const struct {
	const char *dir, *sibling, *there;
} places[] = {
    {"usr/sbin", "usr/libexec/telephone/worker", NULL},
    {"usr/bin", "usr/bin/worker", NULL},
    {"usr/bin", "usr/lib/telephone/worker", "usr/lib/telephone/worker"},
    {"usr/bin", "usr/libexec/telephone/worker", "usr/libexec/telephone/worker"},
    {"usr/bin", "usr/bin/worker", "usr/lib/worker"},
    {"usr/mysbin", "usr/mysbin/worker", NULL},
    {"usr/mybin", "usr/mybin/worker", "usr/lib/telephone/worker"},
    {"usr/sbin/build", "usr/sbin/build/worker", NULL},
};

static void
make_dirs(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

START_TEST(sibling_of_an_installed_program)
{
	char dir[4096], self[4200], exe[4400], command[4500], want[4400];
	char got[4400] = "";
	FILE *out;
	int out_fd;

	/* A hard link, which cannot leave the file system: so stay near. */
	own_dir(dir);
	ck_assert(util_fmt(
	    self, sizeof(self), "%s/siblings-%ld", dir, (long)getpid()));
	ck_assert(
	    util_fmt(exe, sizeof(exe), "%s/%s/program", self, places[_i].dir));
	ck_assert(
	    util_fmt(want, sizeof(want), "%s/%s", self, places[_i].sibling));
	make_dirs(exe);
	if (places[_i].there != NULL) {
		ck_assert(util_fmt(
		    command, sizeof(command), "%s/%s", self, places[_i].there));
		make_dirs(command);
		ck_assert_int_ge(
		    out_fd = open(command, O_CREAT | O_WRONLY, 0600), 0);
		(void)close(out_fd);
	}
	memset(command, 0, sizeof(command));
	ck_assert_int_gt(readlink("/proc/self/exe", command, 4096), 0);
	ck_assert_int_eq(link(command, exe), 0);
	ck_assert(util_fmt(command, sizeof(command), "'%s' worker", exe));
	out = popen(command, "r");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_gt(fread(got, 1, sizeof(got) - 1, out), 0);
	ck_assert_int_eq(pclose(out), 0);
	ck_assert(util_fmt(command, sizeof(command), "rm -r '%s'", self));
	ck_assert_int_eq(system(command), 0);
	ck_assert_str_eq(got, want);
}
END_TEST

/* RFC 9110 §5.6.2, byte by byte. */
START_TEST(tokens_are_those_of_the_rfc)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	unsigned c;
	char s[2] = {'a'};

	ck_assert(!util_is_token(s, 0));
	for (c = 0; c < 256; c++) {
		bool want = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') ||
		    memchr(others, (int)c, sizeof(others) - 1) != NULL;

		s[1] = (char)c;
		ck_assert_int_eq(util_is_token(s, 2), want);
	}
}
END_TEST

static int
print_sibling(const char *name)
{
	char path[4400];

	if (util_sibling(path, sizeof(path), name) == -1)
		return EXIT_FAILURE;
	fputs(path, stdout);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	SRunner *runner;
	Suite *suite;
	TCase *tc;
	int failed;

	if (argc == 2)
		return print_sibling(argv[1]);
	suite = suite_create("util");
	tc = tcase_create("util");
	tcase_add_test(tc, clocks_count_milliseconds);
	tcase_add_test(tc, random_fills_what_it_is_given);
	tcase_add_loop_test(
	    tc, random_below_stays_below, 0, (int)UTIL_COUNT(belows));
	tcase_add_test(tc, random_below_reaches_every_value);
	tcase_add_test(tc, nonblock_keeps_other_flags);
	tcase_add_test(tc, close_happens_once_and_keeps_errno);
	tcase_add_test(tc, strlcpy_cuts_and_says_so);
	tcase_add_test(tc, fmt_tells_whether_it_fitted);
	tcase_add_test(tc, equal_ct_sees_each_bit);
	tcase_add_test(tc, tokens_are_those_of_the_rfc);
	tcase_add_test(tc, sibling_stands_beside);
	tcase_add_loop_test(
	    tc, sibling_of_an_installed_program, 0, (int)UTIL_COUNT(places));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
