/* SPDX-License-Identifier: MIT */
/* The JSON of exchange.h. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "exchange.h"
#include "jsonout.h"
#include "log.h"

const char *
exchange_phase_name(enum exchange_phase phase)
{
	static const char *const names[EXCHANGE_PHASES] = {
	    "queue", "retry", "connect", "first_byte", "body", "send"};

	return (size_t)phase < EXCHANGE_PHASES ? names[phase] : "?";
}

static void
put_number(struct buf *b, const char *name, bool is_there, uint64_t v)
{
	if (is_there)
		(void)buf_printf(b, ",\"%s\":%" PRIu64, name, v);
	else
		(void)buf_printf(b, ",\"%s\":null", name);
}

static void
put_phases(struct buf *b, const struct exchange *e)
{
	size_t first;
	int i;

	(void)buf_puts(b, ",\"phases_ms\":{");
	first = b->len;
	for (i = 0; i < EXCHANGE_PHASES; i++)
		jsonout_put_ms(b, exchange_phase_name((enum exchange_phase)i),
		    e->phase_us[i]);
	if (!b->failed) { /* the comma in front of the first */
		memmove(b->data + first, b->data + first + 1, --b->len - first);
	}
	(void)buf_putc(b, '}');
}

int
exchange_json(struct buf *b, const struct exchange *e)
{
	bool ended = e->seq != 0;
	char began[LOG_STAMP_MAX];

	(void)buf_printf(b, "{\"number\":%" PRIu64, e->number);
	put_number(b, "seq", ended, e->seq);
	jsonout_put_text(b, "kind", e->ws ? "websocket" : "request");
	jsonout_put_text(b, "state", ended ? "ended" : "running");
	jsonout_put_text(b, "id", e->id);
	jsonout_put_text(b, "trace_id", e->trace_id);
	jsonout_put_text(b, "began", log_stamp(began, e->began_ms));
	jsonout_put_int(b, "tunnel", e->tunnel);
	jsonout_put_text(b, "method", e->method);
	jsonout_put_text(b, "path", e->path);
	put_number(b, "status", e->status != 0, e->status);
	jsonout_put_text(b, "outcome", e->outcome);
	jsonout_put_bool(b, "failed", e->failed);
	jsonout_put_text(b, "cause", e->cause);
	jsonout_put_text(b, "reason", e->reason);
	jsonout_put_int(b, "tries", e->tries);
	jsonout_put_int(b, "bytes_in", e->bytes_in);
	jsonout_put_int(b, "bytes_out", e->bytes_out);
	put_number(b, "messages_in", e->ws, e->messages_in);
	put_number(b, "messages_out", e->ws, e->messages_out);
	jsonout_put_ms(b, "duration_ms", e->took_us);
	jsonout_put_text(
	    b, "phase", ended ? NULL : exchange_phase_name(e->phase));
	put_phases(b, e);
	(void)buf_putc(b, '}');
	return b->failed ? -1 : 0;
}
