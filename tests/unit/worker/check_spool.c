/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/spool: many parts that come and go, and bounds. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool.h"

#define PARTS 20
#define LEN_MAX (6 * SPOOL_BLOCK)

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* The spool's own descriptor: the newest file without a name. */
static int
find_file(void)
{
	char path[64], to[256];
	ssize_t n;
	int fd;

	for (fd = 100; fd > 2; fd--) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (strstr(to, "(deleted)") != NULL)
			return fd;
	}
	ck_abort_msg("no nameless file is open");
	return -1;
}

static off_t
file_len(void)
{
	struct stat sb;

	ck_assert_int_eq(fstat(find_file(), &sb), 0);
	ck_assert_uint_eq(sb.st_nlink, 0);
	ck_assert_uint_eq(sb.st_mode & 0777, 0600);
	return sb.st_size;
}

struct part {
	struct spool_file *file;
	uint8_t *want;
	size_t len;
};

static void
part_open(struct part *p, struct spool *s)
{
	p->file = spool_open(s);
	p->want = malloc(LEN_MAX);
	p->len = 0;
	ck_assert_ptr_nonnull(p->file);
	ck_assert_ptr_nonnull(p->want);
}

static void
part_close(struct part *p)
{
	spool_close(p->file);
	free(p->want);
	p->file = NULL;
}

static void
part_grow(struct part *p, uint32_t *state)
{
	size_t n = next_random(state) % 50000, i;

	if (n > LEN_MAX - p->len)
		n = LEN_MAX - p->len;
	for (i = 0; i < n; i++)
		p->want[p->len + i] = (uint8_t)next_random(state);
	ck_assert_int_eq(spool_append(p->file, p->want + p->len, n), 0);
	p->len += n;
}

static void
part_check(struct part *p, uint32_t *state)
{
	static uint8_t got[LEN_MAX];
	size_t at = next_random(state) % (p->len + 10);
	size_t cap = next_random(state) % LEN_MAX;
	size_t left = at < p->len ? p->len - at : 0;

	ck_assert_int_eq(spool_read(p->file, at, got, cap),
	    (ssize_t)(left < cap ? left : cap));
	if (left > 0)
		ck_assert_mem_eq(got, p->want + at, left < cap ? left : cap);
}

START_TEST(parts_do_not_meet)
{
	struct spool *s = spool_create("/tmp", PARTS * LEN_MAX);
	struct part part[PARTS];
	uint32_t state = 11;
	size_t i, round;

	memset(part, 0, sizeof(part));
	ck_assert_ptr_nonnull(s);
	for (round = 0; round < 4000; round++) {
		struct part *p = &part[next_random(&state) % PARTS];

		if (p->file == NULL)
			part_open(p, s);
		else if (next_random(&state) % 16 == 0)
			part_close(p);
		else if (next_random(&state) % 2 == 0)
			part_grow(p, &state);
		else
			part_check(p, &state);
	}
	for (i = 0; i < PARTS; i++)
		if (part[i].file != NULL)
			part_close(&part[i]);
	ck_assert_uint_eq(spool_used(s), 0);
	ck_assert_int_eq(file_len(), 0);
	spool_free(s);
	spool_free(NULL);
	spool_close(NULL);
}
END_TEST

START_TEST(its_bound_holds_over_all_parts)
{
	static uint8_t data[SPOOL_BLOCK];
	struct spool *s = spool_create("/tmp", 3 * SPOOL_BLOCK + 100);
	struct spool_file *a = spool_open(s), *b = spool_open(s);

	ck_assert_int_eq(spool_append(a, data, SPOOL_BLOCK), 0);
	ck_assert_int_eq(spool_append(a, data, 1), 0);
	ck_assert_uint_eq(spool_used(s), 2 * SPOOL_BLOCK);
	ck_assert_int_eq(spool_append(b, data, SPOOL_BLOCK), 0);
	ck_assert_int_eq(spool_append(b, data, 1), -1);
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_int_eq(spool_append(a, data, SPOOL_BLOCK - 1), 0);
	ck_assert_int_eq(spool_append(a, data, 1), -1);
	ck_assert_int_eq(errno, EDQUOT);
	spool_close(a);
	spool_close(b);
	a = spool_open(s);
	ck_assert_int_eq(spool_append(a, data, SPOOL_BLOCK), 0);
	spool_close(a);
	spool_free(s);
	s = spool_create("/tmp", 0);
	a = spool_open(s);
	ck_assert_int_eq(spool_append(a, data, 1), -1);
	ck_assert_int_eq(errno, EDQUOT);
	spool_close(a);
	spool_free(s);
}
END_TEST

/* The end of the file is the end of the last block in use, and the lowest
 * free ones are used first. */
START_TEST(the_disk_gets_back_what_is_free)
{
	static uint8_t data[4 * SPOOL_BLOCK];
	struct spool *s = spool_create("/tmp", 100 * SPOOL_BLOCK);
	struct spool_file *a = spool_open(s), *b = spool_open(s), *c;

	ck_assert_int_eq(spool_append(a, data, sizeof(data)), 0);
	ck_assert_int_eq(spool_append(b, data, SPOOL_BLOCK), 0);
	ck_assert_int_eq(file_len(), 5 * SPOOL_BLOCK);
	spool_close(a);
	ck_assert_int_eq(file_len(), 5 * SPOOL_BLOCK);
	c = spool_open(s);
	ck_assert_int_eq(spool_append(c, data, SPOOL_BLOCK), 0);
	spool_close(b);
	ck_assert_int_eq(file_len(), SPOOL_BLOCK);
	spool_close(c);
	ck_assert_int_eq(file_len(), 0);
	spool_free(s);
}
END_TEST

/* What comes octet by octet is not written so, and read all the same. */
START_TEST(octets_are_gathered)
{
	struct spool *s = spool_create("/tmp", 100 * SPOOL_BLOCK);
	struct spool_file *a = spool_open(s);
	size_t len = SPOOL_BLOCK + 1000, i;
	uint8_t c;

	for (i = 0; i < len; i++) {
		c = (uint8_t)(i % 251);
		ck_assert_int_eq(spool_append(a, &c, 1), 0);
		if (i == 1000)
			ck_assert_int_eq(file_len(), 0);
	}
	ck_assert_int_eq(file_len(), SPOOL_BLOCK);
	for (i = 0; i < len; i++) {
		ck_assert_int_eq(spool_read(a, i, &c, 1), 1);
		ck_assert_uint_eq(c, i % 251);
	}
	ck_assert_int_eq(spool_read(a, len, &c, 1), 0);
	spool_close(a);
	spool_free(s);
}
END_TEST

/* A disk that is full, and is not any more. */
START_TEST(a_full_disk_is_an_error)
{
	static uint8_t data[8 * SPOOL_BLOCK];
	struct rlimit limit = {3 * SPOOL_BLOCK + 500, RLIM_INFINITY};
	struct spool *s = spool_create("/tmp", 100 * SPOOL_BLOCK);
	struct spool_file *a = spool_open(s), *b;

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(spool_append(a, data, sizeof(data)), -1);
	ck_assert_int_eq(errno, ENOSPC);
	spool_close(a);
	b = spool_open(s);
	ck_assert_int_eq(spool_append(b, data, 3 * SPOOL_BLOCK), 0);
	spool_close(b);
	ck_assert_uint_eq(spool_used(s), 0);
	spool_free(s);
}
END_TEST

START_TEST(what_is_lost_is_an_error)
{
	static uint8_t data[2 * SPOOL_BLOCK];
	struct spool *s = spool_create("/tmp", 100 * SPOOL_BLOCK);
	struct spool_file *a = spool_open(s);

	ck_assert_int_eq(spool_append(a, data, sizeof(data)), 0);
	ck_assert_int_eq(ftruncate(find_file(), SPOOL_BLOCK), 0);
	ck_assert_int_eq(spool_read(a, 0, data, SPOOL_BLOCK), SPOOL_BLOCK);
	ck_assert_int_eq(spool_read(a, SPOOL_BLOCK, data, 10), -1);
	ck_assert_int_eq(errno, EIO);
	spool_close(a);
	spool_free(s);
}
END_TEST

START_TEST(a_directory_must_be_one)
{
	ck_assert_ptr_null(spool_create("/no/such/directory", 1 << 20));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(spool_create("/etc/passwd", 1 << 20));
	ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spool");
	TCase *tc = tcase_create("spool");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, parts_do_not_meet);
	tcase_add_test(tc, its_bound_holds_over_all_parts);
	tcase_add_test(tc, the_disk_gets_back_what_is_free);
	tcase_add_test(tc, octets_are_gathered);
	tcase_add_test(tc, a_full_disk_is_an_error);
	tcase_add_test(tc, what_is_lost_is_an_error);
	tcase_add_test(tc, a_directory_must_be_one);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
