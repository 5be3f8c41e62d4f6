/* SPDX-License-Identifier: MIT */
/* A list of blocks, and a place in it where reading went on last. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "body.h"
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
	size_t len, max;
	struct utf8_state utf8;
	struct block *reading;
};

struct body *
body_create(size_t max)
{
	struct body *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	TAILQ_INIT(&b->blocks);
	b->max = max;
	utf8_init(&b->utf8);
	return b;
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
	free(b);
}

/* A block with room: the last one, or a new one. */
static struct block *
get_room(struct body *b)
{
	struct block *last = TAILQ_LAST(&b->blocks, blocks), *k;
	size_t cap = BLOCK_FIRST;

	if (last != NULL && last->len < last->cap)
		return last;
	if (last != NULL)
		cap = last->cap * 2 < BLOCK_MAX ? last->cap * 2 : BLOCK_MAX;
	k = malloc(sizeof(*k) + cap);
	if (k == NULL)
		return NULL;
	k->start = b->len;
	k->len = 0;
	k->cap = cap;
	TAILQ_INSERT_TAIL(&b->blocks, k, entry);
	return k;
}

int
body_append(struct body *b, const void *data, size_t len)
{
	const uint8_t *p = data;
	struct block *k;
	size_t n;

	if (len > b->max - b->len) {
		errno = EFBIG;
		return -1;
	}
	utf8_feed(&b->utf8, p, len);
	while (len > 0) {
		k = get_room(b);
		if (k == NULL) {
			errno = ENOMEM;
			return -1;
		}
		n = k->cap - k->len < len ? k->cap - k->len : len;
		memcpy(k->data + k->len, p, n);
		k->len += n;
		b->len += n;
		p += n;
		len -= n;
	}
	return 0;
}

size_t
body_len(const struct body *b)
{
	return b->len;
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

size_t
body_read(struct body *b, size_t offset, uint8_t *out, size_t cap)
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
