/* SPDX-License-Identifier: MIT */
/* The ways of a secret (secret.h). */
#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "secret.h"
#include "util.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* Linux 5.14, the same on all architectures */
#endif

static int
write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int
secret_memfd(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return -1;
	if (write_all(fd, data, len) == -1 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1)
		util_close(&fd);
	return fd;
}

long
secret_read(int fd, char *dst, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = pread(fd, dst + len, size - len, (off_t)len)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		len += (size_t)n;
		if (len == size) {
			errno = EFBIG;
			return -1;
		}
	}
	while (len > 0 && (dst[len - 1] == '\n' || dst[len - 1] == '\r'))
		len--;
	dst[len] = '\0';
	if (memchr(dst, '\0', len) != NULL) {
		errno = EINVAL;
		return -1;
	}
	return (long)len;
}

static size_t
round_up(size_t size, size_t page)
{
	return (size + page - 1) / page * page;
}

bool
secret_is_sealed(int fd)
{
	int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

	return (fcntl(fd, F_GET_SEALS) & want) == want &&
	    fcntl(fd, F_GET_SEALS) != -1;
}

/* --- memory --------------------------------------------------------------- */

/* What secret_free keeps for the next secret_alloc: pieces of one size. */
#define RESERVE_MAX 64
static struct {
	void *piece[RESERVE_MAX];
	size_t count, size, target;
	enum secret_memory memory;
} pool;

/* len bytes at p from memfd_secret(2). */
static bool
map_hidden(void *p, size_t len)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	bool good;

	if (fd == -1)
		return false; /* an older kernel, or secretmem.enable=0 */
	good = ftruncate(fd, (off_t)len) == 0 &&
	    mmap(p, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		0) == p;
	(void)close(fd);
	return good;
}

/* Gives the pages at p a memory, and says of what kind. */
static bool
map_secret(void *p, size_t len)
{
	if (map_hidden(p, len)) {
		pool.memory = SECRET_HIDDEN;
		(void)madvise(p, len, MADV_DONTFORK);
		return true;
	}
	if (mmap(p, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
		return false;
	pool.memory = mlock(p, len) == 0 ? SECRET_LOCKED : SECRET_PLAIN;
	(void)madvise(p, len, MADV_DONTDUMP);
	(void)madvise(p, len, MADV_WIPEONFORK);
	return true;
}

static void *
take_reserved(size_t size)
{
	return pool.count > 0 && size <= pool.size ? pool.piece[--pool.count]
						   : NULL;
}

/* One unreadable page before and behind what is given out. */
void *
secret_alloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = round_up(size, page);
	uint8_t *p = take_reserved(size);

	if (p != NULL)
		return p;
	/* A piece that will be kept must serve for any other. */
	if (size < pool.size)
		len = round_up(pool.size, page);
	p = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	if (p == MAP_FAILED || !map_secret(p + page, len))
		fatal("no memory for a secret");
	return p + page;
}

void
secret_free(void *secret, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = secret;

	if (p == NULL)
		return;
	explicit_bzero(p, size);
	if (size <= pool.size && pool.count < pool.target) {
		pool.piece[pool.count++] = p;
		return;
	}
	if (size < pool.size)
		size = pool.size;
	(void)munmap(p - page, round_up(size, page) + 2 * page);
}

void
secret_reserve(size_t count, size_t size)
{
	void *piece[RESERVE_MAX];
	size_t i;

	if (count > RESERVE_MAX)
		count = RESERVE_MAX;
	pool.size = size;
	for (i = 0; i < count; i++)
		piece[i] = secret_alloc(size);
	pool.target = count;
	for (i = 0; i < count; i++)
		secret_free(piece[i], size);
}

enum secret_memory
secret_memory(void)
{
	return pool.memory;
}
