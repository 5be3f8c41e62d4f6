/* SPDX-License-Identifier: MIT */
/*
 * Secrets travel as descriptors: a sealed memfd or an opened file. Only
 * tokend reads one.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stddef.h>

/* A sealed, close-on-exec memfd with these bytes, or -1 with errno. */
int secret_memfd(const char *name, const void *data, size_t len);

/*
 * Reads a whole secret by pread from offset 0, so that the descriptor can be
 * read again, drops trailing CR and LF, and terminates it. Returns its length
 * or -1 with errno (EFBIG: longer than size - 1; EINVAL: a NUL inside).
 */
long secret_read(int fd, char *dst, size_t size);

/* Memory for secrets: locked where the limits allow, left out of core files
 * and of forks, guarded by unreadable pages. Fatal when out of memory. */
void *secret_alloc(size_t size);
/* Wipes and unmaps what secret_alloc gave. NULL is fine. */
void secret_free(void *, size_t size);

#endif
