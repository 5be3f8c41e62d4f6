/* SPDX-License-Identifier: MIT */
/*
 * The body of one answer: collected in pieces, read in pieces. Up to a bound
 * it stands in memory, in blocks, so that growing never copies; what is more
 * stands in the spool. Judged for UTF-8 on the way in.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct body;
struct memory;
struct spool;

struct body_params {
	uint64_t max;	     /* bytes in all */
	size_t memory_max;   /* … of them in memory */
	struct spool *spool; /* for the rest, or NULL: there is none */
	/* Where that is counted, or NULL. When it is tight, the rest begins
	 * at once. */
	struct memory *memory;
};

/* NULL when out of memory. */
struct body *body_create(const struct body_params *);
void body_free(struct body *); /* NULL is fine */

/*
 * 0, or -1 with errno: EFBIG (more than max, nothing was taken), EDQUOT (the
 * spool is full, or there is none), ENOMEM, or what the disk says. After any
 * but the first the body is of no use.
 */
int body_append(struct body *, const void *, size_t len);

uint64_t body_len(const struct body *);
bool body_is_spooled(const struct body *);

/* True when all of it is valid UTF-8 and no character is unfinished. */
bool body_is_text(const struct body *);

/* True when it is not, whatever may follow. */
bool body_is_binary(const struct body *);

/* Copies up to cap bytes from offset on; returns how many, fewer only at the
 * end, or -1 with errno when the disk does not give them back. Reading
 * forwards costs no search. */
ssize_t body_read(struct body *, uint64_t offset, uint8_t *out, size_t cap);

#endif
