/* SPDX-License-Identifier: MIT */
/*
 * Where long answers wait: one unlinked file for all requests, opened before
 * the sandbox, so that neither a path nor a descriptor is needed later; only
 * pread(2), pwrite(2) and ftruncate(2). It is handed out in blocks, and given
 * back to the disk from its end. What is in it is gone with the process.
 */
#ifndef WORKER_SPOOL_H
#define WORKER_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPOOL_BLOCK (64 * 1024)

struct spool;
struct spool_file;

/* A nameless file in dir, at most max bytes of it in use at a time, rounded
 * down to whole blocks. NULL with errno. From then on a limit on the size of
 * files (RLIMIT_FSIZE) is a full disk and not a signal. */
struct spool *spool_create(const char *dir, uint64_t max);
/* After all its files. NULL is fine. */
void spool_free(struct spool *);

/* Bytes in use, in whole blocks. */
uint64_t spool_used(const struct spool *);

/* One request's part of it, empty. NULL when out of memory. */
struct spool_file *spool_open(struct spool *);
/* Gives its blocks back. NULL is fine. */
void spool_close(struct spool_file *);

/*
 * Appends all of the bytes: 0, or -1 with errno: EDQUOT (the spool's max is
 * reached), ENOMEM, or what the file system says (ENOSPC, EIO). After
 * an error only spool_close makes sense.
 */
int spool_append(struct spool_file *, const void *, size_t len);

/* Copies up to cap bytes from offset on; fewer only at the end. -1 with errno
 * when they cannot be read. */
ssize_t spool_read(struct spool_file *, uint64_t offset, void *out, size_t cap);

#endif
