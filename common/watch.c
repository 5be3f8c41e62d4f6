/* SPDX-License-Identifier: MIT */
/*
 * The encodings of watch.h. Either side may be in an attacker's hands: numbers
 * are held to what arithmetic bears, and texts are bytes without a NUL.
 */
#include <string.h>

#include "watch.h"

/* The year 9999, and a thousand years in microseconds: beyond them nothing is
 * meant, and below them nothing overflows. */
#define WALL_MAX_MS 253402300799999
#define TOOK_MAX_US 31556952000000000
#define BYTES_MAX (INT64_C(1) << 60)

/* In front of a page's entries. */
#define PAGE_HEAD_LEN (8 + 8 + 1 + 1)
/* One entry at its longest: seven texts, and the numbers. */
#define ENTRY_MAX                                                             \
	(EXCHANGE_ID_MAX + EXCHANGE_TRACE_MAX + EXCHANGE_METHOD_MAX +         \
	    EXCHANGE_PATH_MAX + 2 * EXCHANGE_WORD_MAX + EXCHANGE_REASON_MAX + \
	    7 * 4 + 8 * (8 + EXCHANGE_PHASES) + 16)

static int
end(const struct pack *p)
{
	return pack_ok(p) ? (int)p->len : -1;
}

static struct unpack
open_frame(const struct ipc_frame *frame)
{
	struct unpack u;

	unpack_init(&u, frame->payload, frame->len);
	return u;
}

static int
done(const struct unpack *u)
{
	return unpack_done(u) ? 0 : -1;
}

static int64_t
get_within(struct unpack *u, int64_t min, int64_t max)
{
	int64_t v = unpack_i64(u);

	if (v < min || v > max) {
		u->failed = true;
		return min;
	}
	return v;
}

static bool
get_bool(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	u->failed = u->failed || v > 1;
	return v == 1;
}

/* --- greeting and question ------------------------------------------------ */

int
watch_put_greeting(uint8_t *space, const struct watch_greeting *g)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u32(&p, g->pid);
	pack_i64(&p, g->started_s);
	return end(&p);
}

int
watch_get_greeting(const struct ipc_frame *frame, struct watch_greeting *g)
{
	struct unpack u = open_frame(frame);

	g->pid = unpack_u32(&u);
	g->started_s = get_within(&u, 0, WALL_MAX_MS / 1000);
	return done(&u);
}

int
watch_put_question(uint8_t *space, const struct watch_question *q)
{
	struct pack p;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_u64(&p, q->after);
	pack_u8(&p, q->flags);
	return q->flags < WATCH_FLAGS ? end(&p) : -1;
}

int
watch_get_question(const struct ipc_frame *frame, struct watch_question *q)
{
	struct unpack u = open_frame(frame);

	q->after = unpack_u64(&u);
	q->flags = unpack_u8(&u);
	return q->flags < WATCH_FLAGS ? done(&u) : -1;
}

/* --- a page --------------------------------------------------------------- */

void
watch_page_begin(struct pack *p, uint8_t *space)
{
	pack_init(p, space, IPC_PAYLOAD_MAX);
	p->len = PAGE_HEAD_LEN;
}

static void
put_exchange(struct pack *p, const struct exchange *e)
{
	int i;

	pack_u64(p, e->number);
	pack_u64(p, e->seq);
	pack_u8(p, e->ws);
	pack_u8(p, e->failed);
	pack_u32(p, e->tunnel);
	pack_u32(p, e->status);
	pack_u32(p, e->tries);
	pack_i64(p, e->began_ms);
	pack_i64(p, e->took_us);
	pack_i64(p, e->bytes_in);
	pack_i64(p, e->bytes_out);
	pack_u64(p, e->messages_in);
	pack_u64(p, e->messages_out);
	for (i = 0; i < EXCHANGE_PHASES; i++)
		pack_i64(p, e->phase_us[i]);
	pack_u8(p, (uint8_t)e->phase);
	pack_str(p, e->id);
	pack_str(p, e->trace_id);
	pack_str(p, e->method);
	pack_str(p, e->path);
	pack_str(p, e->outcome);
	pack_str(p, e->cause);
	pack_str(p, e->reason);
}

bool
watch_page_add(struct pack *p, const struct exchange *e)
{
	if (p->len + ENTRY_MAX > p->cap)
		return false;
	put_exchange(p, e);
	return pack_ok(p);
}

int
watch_page_end(struct pack *p, const struct watch_page *page)
{
	struct pack head;

	pack_init(&head, p->data, PAGE_HEAD_LEN);
	pack_u64(&head, page->ended);
	pack_u64(&head, page->oldest);
	pack_u8(&head, page->more);
	pack_u8(&head, page->draining);
	return pack_ok(&head) ? end(p) : -1;
}

int
watch_page_open(
    const struct ipc_frame *frame, struct watch_page *page, struct unpack *u)
{
	*u = open_frame(frame);
	page->ended = unpack_u64(u);
	page->oldest = unpack_u64(u);
	page->more = get_bool(u);
	page->draining = get_bool(u);
	return u->failed || page->oldest > page->ended ? -1 : 0;
}

static void
get_texts(struct unpack *u, struct exchange *e)
{
	unpack_str(u, e->id, sizeof(e->id));
	unpack_str(u, e->trace_id, sizeof(e->trace_id));
	unpack_str(u, e->method, sizeof(e->method));
	unpack_str(u, e->path, sizeof(e->path));
	unpack_str(u, e->outcome, sizeof(e->outcome));
	unpack_str(u, e->cause, sizeof(e->cause));
	unpack_str(u, e->reason, sizeof(e->reason));
}

int
watch_page_next(struct unpack *u, struct exchange *e)
{
	uint8_t phase;
	int i;

	if (u->failed)
		return -1;
	if (u->len == 0)
		return 0;
	memset(e, 0, sizeof(*e));
	e->number = unpack_u64(u);
	e->seq = unpack_u64(u);
	e->ws = get_bool(u);
	e->failed = get_bool(u);
	e->tunnel = unpack_u32(u);
	e->status = unpack_u32(u);
	e->tries = unpack_u32(u);
	e->began_ms = get_within(u, 0, WALL_MAX_MS);
	e->took_us = get_within(u, 0, TOOK_MAX_US);
	e->bytes_in = get_within(u, 0, BYTES_MAX);
	e->bytes_out = get_within(u, 0, BYTES_MAX);
	e->messages_in = unpack_u64(u);
	e->messages_out = unpack_u64(u);
	for (i = 0; i < EXCHANGE_PHASES; i++)
		e->phase_us[i] = get_within(u, -1, TOOK_MAX_US);
	phase = unpack_u8(u);
	get_texts(u, e);
	if (u->failed || phase >= EXCHANGE_PHASES)
		return -1;
	e->phase = (enum exchange_phase)phase;
	return 1;
}

/* --- load ----------------------------------------------------------------- */

int
watch_put_load(uint8_t *space, const struct watch_load *l)
{
	struct pack p;
	size_t i;

	pack_init(&p, space, IPC_PAYLOAD_MAX);
	pack_i64(&p, l->mono_us);
	for (i = 0; i < METRICS_OUTCOMES; i++)
		pack_u64(&p, l->requests[i]);
	for (i = 0; i < WATCH_VALUES; i++)
		pack_u64(&p, l->value[i]);
	for (i = 0; i <= METRICS_BUCKETS; i++)
		pack_u64(&p, l->duration.bucket[i]);
	pack_u64(&p, l->duration.sum_us);
	return end(&p);
}

int
watch_get_load(const struct ipc_frame *frame, struct watch_load *l)
{
	struct unpack u = open_frame(frame);
	size_t i;

	l->mono_us = get_within(&u, 0, TOOK_MAX_US);
	for (i = 0; i < METRICS_OUTCOMES; i++)
		l->requests[i] = (uint64_t)get_within(&u, 0, BYTES_MAX);
	for (i = 0; i < WATCH_VALUES; i++)
		l->value[i] = (uint64_t)get_within(&u, 0, BYTES_MAX);
	for (i = 0; i <= METRICS_BUCKETS; i++)
		l->duration.bucket[i] = (uint64_t)get_within(&u, 0, BYTES_MAX);
	l->duration.sum_us = unpack_u64(&u);
	return done(&u);
}
