/* SPDX-License-Identifier: MIT */
/*
 * A bitmap says which blocks of the file are in use; the lowest free one is
 * taken, so that the file's end comes free early. A part is a list of block
 * numbers, and what has not been written yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool.h"
#include "util.h"

#define WORD_BITS 64
/* So much is gathered before it is written: an application may send its answer
 * octet by octet. A block is a multiple of it. */
#define TAIL_LEN (16 * 1024)

struct spool {
	int fd;
	uint64_t *map; /* a bit for each block, set: in use */
	size_t blocks; /* at most */
	size_t used;
	size_t low; /* none below is free */
	size_t end; /* none from here on is in use; length of the file */
};

struct spool_file {
	struct spool *spool;
	uint32_t *block;
	size_t count, room;
	uint64_t written; /* of the file, in whole tails */
	uint8_t *tail;	  /* what follows that, or NULL: nothing did yet */
	size_t tail_len;
};

/* --- the file ------------------------------------------------------------- */

/* Where the file system knows no nameless files (O_TMPFILE). */
static int
open_named(int dir)
{
	char name[40];
	int fd, i;

	for (i = 0; i < 10; i++) {
		uint64_t n;

		util_random(&n, sizeof(n));
		(void)util_fmt(name, sizeof(name), ".telephone-%016llx",
		    (unsigned long long)n);
		fd = openat(dir, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd != -1 || errno != EEXIST)
			break;
	}
	if (fd != -1 && unlinkat(dir, name, 0) == -1)
		util_close(&fd);
	return fd;
}

static int
open_file(const char *path)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir == -1)
		return -1;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 &&
	    (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		fd = open_named(dir);
	util_close(&dir);
	return fd;
}

struct spool *
spool_create(const char *dir, uint64_t max)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	(void)signal(SIGXFSZ, SIG_IGN);
	s->fd = open_file(dir);
	s->blocks = (size_t)(max / SPOOL_BLOCK);
	s->map = calloc(s->blocks / WORD_BITS + 1, sizeof(*s->map));
	if (s->fd == -1 || s->map == NULL) {
		spool_free(s);
		return NULL;
	}
	return s;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	util_close(&s->fd);
	free(s->map);
	free(s);
}

uint64_t
spool_used(const struct spool *s)
{
	return (uint64_t)s->used * SPOOL_BLOCK;
}

/* --- blocks --------------------------------------------------------------- */

static bool
is_used(const struct spool *s, size_t i)
{
	return (s->map[i / WORD_BITS] >> i % WORD_BITS & 1) != 0;
}

/* The lowest free block, or s->blocks: there is none. */
static size_t
find_free(const struct spool *s)
{
	size_t word = s->low / WORD_BITS, words = s->blocks / WORD_BITS + 1, i;

	while (word < words && s->map[word] == UINT64_MAX)
		word++;
	if (word == words)
		return s->blocks;
	i = word * WORD_BITS + (size_t)__builtin_ctzll(~s->map[word]);
	return i < s->blocks ? i : s->blocks;
}

static int
take_block(struct spool *s, uint32_t *out)
{
	size_t i = s->used < s->blocks ? find_free(s) : s->blocks;

	if (i == s->blocks) {
		errno = EDQUOT;
		return -1;
	}
	s->map[i / WORD_BITS] |= 1ULL << i % WORD_BITS;
	s->used++;
	s->low = i + 1;
	if (s->end < i + 1)
		s->end = i + 1;
	*out = (uint32_t)i;
	return 0;
}

static void
give_block(struct spool *s, uint32_t i)
{
	s->map[i / WORD_BITS] &= ~(1ULL << i % WORD_BITS);
	s->used--;
	if (i < s->low)
		s->low = i;
}

/* What is behind the last block in use goes back to the disk. */
static void
trim(struct spool *s)
{
	size_t end = s->end;

	while (end > 0 && !is_used(s, end - 1))
		end--;
	if (end == s->end)
		return;
	/* When it fails, the blocks are written over one day. */
	if (ftruncate(s->fd, (off_t)end * SPOOL_BLOCK) == 0)
		s->end = end;
}

/* --- parts ---------------------------------------------------------------- */

struct spool_file *
spool_open(struct spool *s)
{
	struct spool_file *f = calloc(1, sizeof(*f));

	if (f != NULL)
		f->spool = s;
	return f;
}

void
spool_close(struct spool_file *f)
{
	size_t i;

	if (f == NULL)
		return;
	for (i = 0; i < f->count; i++)
		give_block(f->spool, f->block[i]);
	trim(f->spool);
	free(f->block);
	free(f->tail);
	free(f);
}

static int
add_block(struct spool_file *f)
{
	size_t room = f->room == 0 ? 8 : f->room * 2;
	uint32_t *grown;

	if (f->count == f->room) {
		grown = reallocarray(f->block, room, sizeof(*grown));
		if (grown == NULL)
			return -1;
		f->block = grown;
		f->room = room;
	}
	if (take_block(f->spool, &f->block[f->count]) == -1)
		return -1;
	f->count++;
	return 0;
}

/* Where a byte of the part stands in the file. */
static off_t
place(const struct spool_file *f, uint64_t offset)
{
	return (off_t)f->block[offset / SPOOL_BLOCK] * SPOOL_BLOCK +
	    (off_t)(offset % SPOOL_BLOCK);
}

/* How many of len bytes from there on stand in the same block. */
static size_t
in_block(uint64_t offset, size_t len)
{
	size_t left = SPOOL_BLOCK - (size_t)(offset % SPOOL_BLOCK);

	return left < len ? left : len;
}

static int
write_tail(struct spool_file *f)
{
	size_t done = 0;
	ssize_t n;

	while (done < TAIL_LEN) {
		n = pwrite(f->spool->fd, f->tail + done, TAIL_LEN - done,
		    place(f, f->written + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) { /* EFBIG: RLIMIT_FSIZE is a full disk, too */
			errno = n == 0 || errno == EFBIG ? ENOSPC : errno;
			return -1;
		}
		done += (size_t)n;
	}
	f->written += TAIL_LEN;
	f->tail_len = 0;
	return 0;
}

/* For the next byte: in the tail, and in a block that is ours. */
static int
make_room(struct spool_file *f)
{
	if (f->tail == NULL && (f->tail = malloc(TAIL_LEN)) == NULL)
		return -1;
	if (f->written + f->tail_len == (uint64_t)f->count * SPOOL_BLOCK)
		return add_block(f);
	return 0;
}

int
spool_append(struct spool_file *f, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t n;

	while (len > 0) {
		if (make_room(f) == -1)
			return -1;
		n = TAIL_LEN - f->tail_len < len ? TAIL_LEN - f->tail_len : len;
		memcpy(f->tail + f->tail_len, p, n);
		f->tail_len += n;
		p += n;
		len -= n;
		if (f->tail_len == TAIL_LEN && write_tail(f) == -1)
			return -1;
	}
	return 0;
}

/* Reads what was written, all of cap. */
static int
read_written(struct spool_file *f, uint64_t offset, uint8_t *out, size_t cap)
{
	ssize_t n;

	while (cap > 0) {
		n = pread(
		    f->spool->fd, out, in_block(offset, cap), place(f, offset));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno; /* it was there once */
			return -1;
		}
		offset += (uint64_t)n;
		out += n;
		cap -= (size_t)n;
	}
	return 0;
}

ssize_t
spool_read(struct spool_file *f, uint64_t offset, void *out, size_t cap)
{
	uint64_t len = f->written + f->tail_len;
	uint8_t *p = out;
	size_t n = 0;

	if (offset >= len)
		return 0;
	if (cap > len - offset)
		cap = (size_t)(len - offset);
	if (offset < f->written) {
		n = f->written - offset < cap ? (size_t)(f->written - offset)
					      : cap;
		if (read_written(f, offset, p, n) == -1)
			return -1;
	}
	if (n < cap)
		memcpy(p + n, f->tail + (offset + n - f->written), cap - n);
	return (ssize_t)cap;
}
