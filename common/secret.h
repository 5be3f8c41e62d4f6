/* SPDX-License-Identifier: MIT */
/*
 * Secrets travel as descriptors: a sealed memfd or an opened file. Only
 * tokend reads one.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* A sealed, close-on-exec memfd with these bytes, or -1 with errno. */
int secret_memfd(const char *name, const void *data, size_t len);

/*
 * Reads a whole secret by pread from offset 0, so that the descriptor can be
 * read again, drops trailing CR and LF, and terminates it. Returns its length
 * or -1 with errno (EFBIG: longer than size - 1; EINVAL: a NUL inside).
 */
long secret_read(int fd, char *dst, size_t size);

/* How memory for secrets is kept from others. */
enum secret_memory {
	SECRET_PLAIN,  /* RLIMIT_MEMLOCK forbids to lock it */
	SECRET_LOCKED, /* never swapped, in no core file */
	SECRET_HIDDEN, /* … and out of the kernel's reach, too: not even root
			  reads it in /proc/PID/mem (memfd_secret) */
};

/*
 * Memory for secrets: the best of the above that this machine gives, guarded
 * by unreadable pages, not inherited by forks, all zero. Fatal when out of
 * memory.
 */
void *secret_alloc(size_t size);
/* Wipes and gives back what secret_alloc gave. NULL is fine. */
void secret_free(void *, size_t size);

/* Makes `count` pieces of `size` bytes in advance: as long as no more are in
 * use at the same time, no system call is needed any more. Once, before any
 * secret_alloc. */
void secret_reserve(size_t count, size_t size);

/* Of the last piece that was made. */
enum secret_memory secret_memory(void);

/* True when this is a memfd that nobody can change any more: what arrives
 * from outside is read only then. */
bool secret_is_sealed(int fd);

#endif
