/* SPDX-License-Identifier: MIT */
/* What leaves the worker of an entry: ledger_json.h. */
#include <string.h>

#include "ledger.h"
#include "ledger_json.h"
#include "util.h"

_Static_assert((int)EXCHANGE_PHASES == (int)LEDGER_PHASES &&
	(int)EXCHANGE_SEND == (int)LEDGER_SEND,
    "the same phases in the same order");

/* Where one that runs is. */
static enum exchange_phase
phase_of(const struct ledger_entry *e)
{
	if (e->got_us != 0)
		return EXCHANGE_SEND;
	if (e->heard_us != 0)
		return EXCHANGE_BODY;
	if (e->connect_us >= 0)
		return EXCHANGE_FIRST_BYTE;
	return e->called_us != 0 ? EXCHANGE_CONNECT : EXCHANGE_QUEUE;
}

/* A WebSocket has but the way to its opening, and then lasts. */
static void
put_phases(struct exchange *x, const struct ledger_entry *e, int64_t now_us)
{
	int i;

	for (i = 0; i < EXCHANGE_PHASES; i++)
		x->phase_us[i] = e->ws
		    ? -1
		    : ledger_phase_us(e, (enum ledger_phase)i, now_us);
	if (e->ws)
		x->phase_us[EXCHANGE_CONNECT] = e->connect_us;
	x->phase = phase_of(e);
}

static void
put_trace(struct exchange *x, const struct ledger_entry *e)
{
	size_t i;

	for (i = 0; e->traced && i < sizeof(e->trace_id); i++)
		(void)util_fmt(x->trace_id + 2 * i, 3, "%02x", e->trace_id[i]);
}

/* What an entry says of its end before that has come is what it will say if
 * nobody says better. */
static void
put_end(struct exchange *x, const struct ledger_entry *e)
{
	x->seq = e->seq;
	x->failed = ledger_failed(e);
	x->status = e->status < 0 ? 0 : (uint32_t)e->status;
	(void)util_strlcpy(
	    x->outcome, ledger_outcome_name(e), sizeof(x->outcome));
	if (e->cause != NULL)
		(void)util_strlcpy(x->cause, e->cause, sizeof(x->cause));
	if (x->failed || e->ws)
		(void)util_strlcpy(x->reason, e->reason, sizeof(x->reason));
}

void
ledger_exchange(
    struct exchange *x, const struct ledger_entry *e, int64_t now_us)
{
	memset(x, 0, sizeof(*x));
	x->number = e->number;
	x->ws = e->ws;
	x->tunnel = e->tunnel;
	x->tries = e->tries;
	x->began_ms = e->wall_ms;
	x->took_us = (e->ended_us != 0 ? e->ended_us : now_us) - e->began_us;
	x->bytes_in = e->bytes_in;
	x->bytes_out = e->bytes_out;
	x->messages_in = e->messages_in;
	x->messages_out = e->messages_out;
	(void)util_strlcpy(x->id, e->id, sizeof(x->id));
	(void)util_strlcpy(x->method, e->method, sizeof(x->method));
	(void)util_strlcpy(x->path, e->path, sizeof(x->path));
	put_phases(x, e, now_us);
	put_trace(x, e);
	if (e->seq != 0)
		put_end(x, e);
}

int
ledger_json(struct buf *b, const struct ledger_entry *e, int64_t now_us)
{
	struct exchange x;

	ledger_exchange(&x, e, now_us);
	return exchange_json(b, &x);
}
