/* SPDX-License-Identifier: MIT */
/* The ways of a secret (secret.h). */
#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "secret.h"
#include "util.h"

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

/* One unreadable page before and behind what is given out. */
void *
secret_alloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = round_up(size, page);
	uint8_t *p = mmap(NULL, len + 2 * page, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    mprotect(p + page, len, PROT_READ | PROT_WRITE) == -1)
		fatal("no memory for a secret");
	p += page;
	(void)mlock(p, len); /* RLIMIT_MEMLOCK may forbid it */
	(void)madvise(p, len, MADV_DONTDUMP);
	(void)madvise(p, len, MADV_WIPEONFORK);
	return p;
}

void
secret_free(void *secret, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = secret;

	if (p == NULL)
		return;
	explicit_bzero(p, size);
	(void)munmap(p - page, round_up(size, page) + 2 * page);
}
