/* SPDX-License-Identifier: MIT */
/* The buffer of inbox.h. */
#include "inbox.h"

/* A buffer that grew beyond this is given back after its message. */
#define KEEP_MAX (1024 * 1024)

void
inbox_init(struct inbox *i, size_t max)
{
	buf_init(&i->buf, max);
	i->max = max;
	i->skip = false;
	i->skipped = 0;
}

void
inbox_clear(struct inbox *i)
{
	buf_clear(&i->buf);
	i->skip = false;
	i->skipped = 0;
}

void
inbox_begin(struct inbox *i)
{
	buf_reset(&i->buf);
	i->skip = false;
	i->skipped = 0;
}

void
inbox_append(struct inbox *i, const void *data, size_t len)
{
	if (!i->skip && buf_append(&i->buf, data, len) == 0)
		return;
	if (!i->skip) {
		i->skipped = i->buf.len;
		i->skip = true;
		buf_clear(&i->buf);
	}
	i->skipped += len;
}

size_t
inbox_size(const struct inbox *i)
{
	return i->skip ? i->skipped : i->buf.len;
}

struct buf
inbox_take(struct inbox *i)
{
	struct buf message = i->buf;

	buf_init(&i->buf, i->max);
	return message;
}

void
inbox_give(struct inbox *i, struct buf *message)
{
	if (message->cap > KEEP_MAX || i->buf.data != NULL)
		buf_clear(message);
	else
		i->buf = *message;
}
