/* SPDX-License-Identifier: MIT */
/*
 * record: the ring.  An entry is rendered to its JSON line when it is made,
 * so that reading the log is copying it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "board.h"
#include "json.h"
#include "record.h"
#include "text.h"

#define ENTRIES_MAX 2000
#define BYTES_MAX ((size_t)64 << 20)
#define WHOLE_MAX ((size_t)64 << 10)
#define PART_LEN ((size_t)1 << 10)

static struct buf ring[ENTRIES_MAX];
static uint64_t first = 1, next = 1; /* n of the oldest, of the next one */
static size_t total;

static void
forget_oldest(void)
{
	struct buf *b = &ring[first++ % ENTRIES_MAX];

	total -= b->len;
	buf_clear(b);
}

static void
begin(struct buf *b, uint64_t socket, const char *dir, const char *what)
{
	buf_addf(b,
	    "{\"n\":%llu,\"t\":%lld,\"socket\":%llu,\"dir\":\"%s\","
	    "\"what\":",
	    (unsigned long long)next, (long long)board_now_ms(),
	    (unsigned long long)socket, dir);
	json_puts(b, what);
}

static void
finish(struct buf *b)
{
	buf_adds(b, "}\n");
	while (next - first >= ENTRIES_MAX ||
	    (first < next && total + b->len > BYTES_MAX))
		forget_oldest();
	ring[next++ % ENTRIES_MAX] = *b;
	total += b->len;
}

/* The longest start of at most PART_LEN bytes that cuts no character. */
static size_t
part_len(const uint8_t *p)
{
	size_t n = PART_LEN;

	while (n > PART_LEN - 4 && (p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void
record_bytes(const struct record_bytes *r)
{
	struct buf b = BUF_INIT;
	char digest[TEXT_SHA256_SIZE];
	size_t len = r->len;

	if (!board.settings.record)
		return;
	begin(&b, r->socket, r->dir, r->what);
	buf_addf(&b, ",\"len\":%zu,\"frames\":%zu", r->len, r->frames);
	if (len > WHOLE_MAX) {
		text_sha256(r->data, len, digest);
		buf_addf(&b, ",\"sha256\":\"%s\"", digest);
		len = part_len(r->data);
	}
	if (text_is_utf8(r->data, len)) {
		buf_adds(&b, ",\"text\":");
		json_put(&b, r->data, len);
	}
	buf_adds(&b, ",\"b64\":\"");
	text_base64(&b, r->data, len);
	buf_addc(&b, '"');
	finish(&b);
}

void
record_event(uint64_t socket, const char *what, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	begin(&b, socket, "event", what);
	buf_adds(&b, ",\"text\":");
	if (text_is_utf8(s, (size_t)n))
		json_put(&b, s, (size_t)n);
	else
		json_puts(&b, "(not UTF-8)");
	free(s);
	finish(&b);
}

void
record_put(struct buf *out, uint64_t since)
{
	uint64_t n = since + 1 > first ? since + 1 : first;

	for (; n < next; n++)
		buf_add(
		    out, ring[n % ENTRIES_MAX].data, ring[n % ENTRIES_MAX].len);
}

uint64_t
record_last(void)
{
	return next - 1;
}

void
record_free(void)
{
	while (first < next)
		forget_oldest();
}
