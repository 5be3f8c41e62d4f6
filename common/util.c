/* SPDX-License-Identifier: MIT */
/* The helpers of util.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#define UTIL_PATH_MAX 4096

static int64_t
clock_ms(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) == -1)
		abort(); /* both clocks exist on every Linux */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
util_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static int64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
util_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t
util_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t
util_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void
util_random(void *buf, size_t len)
{
	uint8_t *at = buf;
	ssize_t n;

	while (len > 0) {
		n = getrandom(at, len, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		at += n;
		len -= (size_t)n;
	}
}

uint32_t
util_random_below(uint32_t n)
{
	/* 2^32 mod n: as many low values are thrown away, so that what is
	 * left is a whole number of rounds of n. */
	uint32_t surplus = (UINT32_MAX - n + 1) % n, r;

	do
		util_random(&r, sizeof(r));
	while (r < surplus);
	return r % n;
}

int
util_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ? -1 : 0;
}

int
util_fill_stdio(int flags)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", flags) == -1)
			return -1;
	return 0;
}

void
util_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int
util_close_from(int first)
{
	return (int)syscall(SYS_close_range, (unsigned)first, ~0U, 0U);
}

size_t
util_strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src), n;

	if (size > 0) {
		n = len < size ? len : size - 1;
		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}

bool
util_fmt(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size;
}

bool
util_equal_ct(const void *a, const void *b, size_t len)
{
	/* volatile: the compiler may not leave the loop early. */
	const volatile uint8_t *x = a, *y = b;
	volatile uint8_t differ = 0;
	size_t i;

	for (i = 0; i < len; i++)
		differ = (uint8_t)(differ | (x[i] ^ y[i]));
	return differ == 0;
}

bool
util_is_token(const char *s, size_t len)
{
	/* A bit for each of the 128: "!#$%&'*+-.^_`|~", digits, letters. */
	static const uint32_t tokens[8] = {
	    0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t c = (uint8_t)s[i];

		if ((tokens[c >> 5] >> (c & 31) & 1) == 0)
			return false;
	}
	return len > 0;
}

/* Cuts the last component off; false when there is none. */
static bool
cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

/* "/usr/bin" is where a build may be, too, so there it is asked. */
static const char *
installed_sub(const char *prefix, const char *last, const char *name)
{
	static const char *const subs[] = {
	    "/libexec/telephone", "/lib/telephone"};
	char path[UTIL_PATH_MAX];
	size_t i;

	if (strcmp(last, "/sbin") == 0)
		return subs[0];
	for (i = 0; strcmp(last, "/bin") == 0 && i < UTIL_COUNT(subs); i++)
		if (util_fmt(
			path, sizeof(path), "%s%s/%s", prefix, subs[i], name) &&
		    access(path, F_OK) == 0)
			return subs[i];
	return NULL;
}

int
util_sibling(char *dst, size_t size, const char *name)
{
	char dir[UTIL_PATH_MAX], last[8] = "";
	const char *slash, *sub = NULL;
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir));

	if (n == -1)
		return -1;
	if ((size_t)n == sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* The kernel adds " (deleted)" to the name of a replaced executable,
	 * not to its directory. */
	dir[n] = '\0';
	if (!cut_last(dir)) {
		errno = ENOENT;
		return -1;
	}
	slash = strrchr(dir, '/');
	if (slash != NULL &&
	    util_strlcpy(last, slash, sizeof(last)) < sizeof(last)) {
		dir[slash - dir] = '\0';
		sub = installed_sub(dir, last, name);
		if (sub == NULL)
			dir[slash - dir] = '/';
	}
	if (!util_fmt(
		dst, size, "%s%s/%s", dir, sub != NULL ? sub : "", name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
