/* SPDX-License-Identifier: MIT */
/* A list of blocks, and a place in it where reading went on last; behind them
 * a part of the spool. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "body.h"
#include "memory.h"
#include "spool.h"
#include "utf8.h"

/* The first block is small, since most answers are; each next one is twice
 * as long, to a bound. */
#define BLOCK_FIRST (4 * 1024)
#define BLOCK_MAX (256 * 1024)

struct block {
	TAILQ_ENTRY(block) entry;
	size_t start; /* offset of its first byte in the body */
	size_t len, cap;
	uint8_t data[];
};

struct body {
	TAILQ_HEAD(blocks, block) blocks;
	struct body_params params;
	size_t in_memory;
	uint64_t len;
	struct utf8_state utf8;
	struct block *reading;
	struct spool_file *file; /* NULL: nothing was spooled */
	size_t held, counted;	 /* bytes of all blocks */
};

struct body *
body_create(const struct body_params *params)
{
	struct body *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	TAILQ_INIT(&b->blocks);
	b->params = *params;
	utf8_init(&b->utf8);
	return b;
}

static void
count(struct body *b)
{
	if (b->params.memory != NULL)
		memory_set(b->params.memory, &b->counted, b->held);
}

void
body_free(struct body *b)
{
	struct block *k;

	if (b == NULL)
		return;
	while ((k = TAILQ_FIRST(&b->blocks)) != NULL) {
		TAILQ_REMOVE(&b->blocks, k, entry);
		free(k);
	}
	b->held = 0;
	count(b);
	spool_close(b->file);
	free(b);
}

/* A block with room: the last one, or a new one. */
static struct block *
get_room(struct body *b)
{
	struct block *last = TAILQ_LAST(&b->blocks, blocks), *k;
	size_t cap = BLOCK_FIRST, room = b->params.memory_max - b->in_memory;

	if (last != NULL && last->len < last->cap)
		return last;
	if (last != NULL)
		cap = last->cap * 2 < BLOCK_MAX ? last->cap * 2 : BLOCK_MAX;
	if (cap > room)
		cap = room;
	k = malloc(sizeof(*k) + cap);
	if (k == NULL)
		return NULL;
	b->held += sizeof(*k) + cap;
	count(b);
	k->start = b->in_memory;
	k->len = 0;
	k->cap = cap;
	TAILQ_INSERT_TAIL(&b->blocks, k, entry);
	return k;
}

static int
keep(struct body *b, const uint8_t *p, size_t len)
{
	struct block *k;
	size_t n;

	while (len > 0) {
		k = get_room(b);
		if (k == NULL) {
			errno = ENOMEM;
			return -1;
		}
		n = k->cap - k->len < len ? k->cap - k->len : len;
		memcpy(k->data + k->len, p, n);
		k->len += n;
		b->in_memory += n;
		p += n;
		len -= n;
	}
	return 0;
}

static int
put_aside(struct body *b, const uint8_t *p, size_t len)
{
	if (len == 0)
		return 0;
	if (b->params.spool == NULL) {
		errno = EDQUOT;
		return -1;
	}
	if (b->file == NULL && (b->file = spool_open(b->params.spool)) == NULL)
		return -1;
	return spool_append(b->file, p, len);
}

/* What may still be kept in memory; what was put aside comes last. */
static size_t
get_left(const struct body *b)
{
	const struct block *last = TAILQ_LAST(&b->blocks, blocks);

	if (b->file != NULL)
		return 0;
	if (b->params.memory != NULL && memory_is_tight(b->params.memory))
		return last == NULL ? 0 : last->cap - last->len;
	return b->params.memory_max - b->in_memory;
}

int
body_append(struct body *b, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t left = get_left(b);
	size_t kept = len < left ? len : left;

	if (len > b->params.max - b->len) {
		errno = EFBIG;
		return -1;
	}
	utf8_feed(&b->utf8, p, len);
	if (keep(b, p, kept) == -1 || put_aside(b, p + kept, len - kept) == -1)
		return -1;
	b->len += len;
	return 0;
}

uint64_t
body_len(const struct body *b)
{
	return b->len;
}

bool
body_is_spooled(const struct body *b)
{
	return b->file != NULL;
}

bool
body_is_text(const struct body *b)
{
	return utf8_is_complete(&b->utf8);
}

bool
body_is_binary(const struct body *b)
{
	return b->utf8.invalid;
}

static size_t
read_kept(struct body *b, size_t offset, uint8_t *out, size_t cap)
{
	size_t done = 0, n, at;
	struct block *k = b->reading;

	if (k == NULL || offset < k->start)
		k = TAILQ_FIRST(&b->blocks);
	for (; k != NULL && done < cap; k = TAILQ_NEXT(k, entry)) {
		if (offset + done >= k->start + k->len)
			continue;
		at = offset + done - k->start;
		n = k->len - at < cap - done ? k->len - at : cap - done;
		memcpy(out + done, k->data + at, n);
		done += n;
		b->reading = k;
	}
	return done;
}

ssize_t
body_read(struct body *b, uint64_t offset, uint8_t *out, size_t cap)
{
	size_t done = 0;
	ssize_t n;

	if (offset >= b->len)
		return 0;
	if (offset < b->in_memory)
		done = read_kept(b, (size_t)offset, out, cap);
	if (b->file == NULL || done == cap)
		return (ssize_t)done;
	n = spool_read(
	    b->file, offset + done - b->in_memory, out + done, cap - done);
	return n == -1 ? -1 : (ssize_t)done + n;
}
