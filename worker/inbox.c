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

/* From here on nothing is held. */
static void
begin_to_skip(struct inbox *i)
{
	i->skip = true;
	i->skipped = i->buf.len;
	envelope_init(&i->envelope);
	envelope_feed(&i->envelope, i->buf.data, i->buf.len);
	buf_clear(&i->buf);
}

void
inbox_begin(struct inbox *i, size_t frame_len)
{
	buf_reset(&i->buf);
	i->skip = false;
	i->skipped = 0;
	if (frame_len > i->max)
		begin_to_skip(i);
}

void
inbox_append(struct inbox *i, const void *data, size_t len)
{
	if (!i->skip && buf_append(&i->buf, data, len) == 0)
		return;
	if (!i->skip)
		begin_to_skip(i);
	envelope_feed(&i->envelope, data, len);
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
