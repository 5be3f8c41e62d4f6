/* SPDX-License-Identifier: MIT */
/* The beginnings and ends of ledger.h. */
#include <inttypes.h>
#include <string.h>

#include "ledger.h"
#include "log.h"
#include "trace_context.h"
#include "util.h"

const char *
ledger_phase_name(enum ledger_phase phase)
{
	static const char *const names[LEDGER_PHASES] = {
	    "queue", "retry", "connect", "first_byte", "body", "send"};

	return (size_t)phase < LEDGER_PHASES ? names[phase] : "?";
}

bool
ledger_failed(const struct ledger_entry *e)
{
	return e->cause != NULL || e->outcome != METRICS_OK;
}

const char *
ledger_outcome_name(const struct ledger_entry *e)
{
	return e->ws ? e->ws_outcome : metrics_outcome_name(e->outcome);
}

void
ledger_set_path(struct ledger_entry *e, const uint8_t *path, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < sizeof(e->path) - 1; i++) {
		if (path[i] == '?' || path[i] == '\0')
			break;
		e->path[i] = (char)path[i];
	}
	/* Not in the middle of a character. */
	while (i > 0 && i < len && (path[i] & 0xc0) == 0x80)
		i--;
	e->path[i] = '\0';
}

/* --- phases --------------------------------------------------------------- */

/* The first of a, b, c that was reached. */
static int64_t
first_of(int64_t a, int64_t b, int64_t c)
{
	return a != 0 ? a : b != 0 ? b : c;
}

/* How long the way to a connection took; of one that failed: all of it. */
static int64_t
connect_of(const struct ledger_entry *e, int64_t now_us)
{
	if (e->called_us == 0)
		return -1;
	if (e->connect_us >= 0)
		return e->connect_us;
	return first_of(e->heard_us, e->got_us, now_us) - e->called_us;
}

static int64_t
first_byte_of(const struct ledger_entry *e, int64_t now_us)
{
	int64_t us;

	if (e->called_us == 0 || (e->heard_us == 0 && e->connect_us < 0))
		return -1;
	us = first_of(e->heard_us, e->got_us, now_us) - e->called_us -
	    connect_of(e, now_us);
	return us < 0 ? 0 : us;
}

int64_t
ledger_phase_us(
    const struct ledger_entry *e, enum ledger_phase phase, int64_t now_us)
{
	int64_t end_us = e->ended_us != 0 ? e->ended_us : now_us;

	switch (phase) {
	case LEDGER_QUEUE:
		return first_of(e->tried_us, e->got_us, end_us) - e->began_us;
	case LEDGER_RETRY:
		return e->tries > 1 ? e->called_us - e->tried_us : -1;
	case LEDGER_CONNECT:
		return connect_of(e, end_us);
	case LEDGER_FIRST_BYTE:
		return first_byte_of(e, end_us);
	case LEDGER_BODY:
		return e->heard_us == 0
		    ? -1
		    : first_of(e->got_us, end_us, 0) - e->heard_us;
	case LEDGER_SEND:
		return e->got_us == 0 ? -1 : end_us - e->got_us;
	case LEDGER_PHASES:
		break;
	}
	return -1;
}

/* --- telling -------------------------------------------------------------- */

static void
count(struct ledger *l, const struct ledger_entry *e)
{
	int64_t us;
	int i;

	metrics_count_request(l->metrics, e->method, e->status, e->outcome);
	metrics_observe(
	    l->metrics, METRICS_DURATION, e->ended_us - e->began_us);
	for (i = 0; i < LEDGER_PHASES; i++) {
		us = ledger_phase_us(e, (enum ledger_phase)i, e->ended_us);
		if (us >= 0)
			metrics_observe(l->metrics,
			    METRICS_PHASE_QUEUE + (enum metrics_histogram_id)i,
			    us);
	}
}

#define HEX_MAX 33

static const char *
hex(char space[HEX_MAX], const uint8_t *bytes, size_t len)
{
	trace_context_hex(space, bytes, len);
	space[2 * len] = '\0';
	return space;
}

#define FIELD_TEXT(key, text)                \
	{                                    \
		key, LOG_FIELD_TEXT, text, 0 \
	}
#define FIELD_INT(key, num)                   \
	{                                     \
		key, LOG_FIELD_INT, NULL, num \
	}
#define FIELD_MS(key, us)                   \
	{                                   \
		key, LOG_FIELD_MS, NULL, us \
	}

/* What people read; programs have the fields. */
static void
put_text(const struct ledger_entry *e, char *text, size_t size)
{
	int64_t ms = (e->ended_us - e->began_us) / 1000;

	if (!ledger_failed(e))
		(void)util_fmt(
		    text, size, "%d in %" PRId64 " ms", e->status, ms);
	else if (e->outcome == METRICS_REFUSED)
		(void)util_fmt(
		    text, size, "refused with %d: %s", e->status, e->reason);
	else
		(void)util_fmt(text, size, "%s: %s, after %" PRId64 " ms",
		    e->cause, e->reason, ms);
}

static enum log_level
level_of(const struct ledger_entry *e)
{
	return ledger_failed(e) && !e->quiet ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
}

static void
tell_request(const struct ledger *l, const struct ledger_entry *e)
{
	int64_t now_us = e->ended_us;
	char trace[HEX_MAX] = "", text[LEDGER_REASON_MAX + 80];
	const struct log_field fields[] = {
	    FIELD_TEXT("request_id", e->id),
	    FIELD_TEXT("trace_id",
		e->traced ? hex(trace, e->trace_id, sizeof(e->trace_id))
			  : NULL),
	    FIELD_INT("tunnel", e->tunnel),
	    FIELD_TEXT("method", e->method),
	    FIELD_TEXT("path", e->path),
	    FIELD_INT("status", e->status == 0 ? -1 : e->status),
	    FIELD_TEXT("outcome", ledger_outcome_name(e)),
	    FIELD_TEXT("cause", e->cause),
	    FIELD_INT("bytes_in", e->bytes_in),
	    FIELD_INT("bytes_out", e->bytes_out),
	    FIELD_INT("tries", e->tries),
	    FIELD_MS("duration_ms", now_us - e->began_us),
	    FIELD_MS("queue_ms", ledger_phase_us(e, LEDGER_QUEUE, now_us)),
	    FIELD_MS("retry_ms", ledger_phase_us(e, LEDGER_RETRY, now_us)),
	    FIELD_MS("connect_ms", ledger_phase_us(e, LEDGER_CONNECT, now_us)),
	    FIELD_MS(
		"first_byte_ms", ledger_phase_us(e, LEDGER_FIRST_BYTE, now_us)),
	    FIELD_MS("body_ms", ledger_phase_us(e, LEDGER_BODY, now_us)),
	    FIELD_MS("send_ms", ledger_phase_us(e, LEDGER_SEND, now_us)),
	    FIELD_INT("sample", l->sample > 1 ? (int64_t)l->sample : -1),
	};
	const struct log_record record = {
	    level_of(e), "request", fields, UTIL_COUNT(fields)};

	put_text(e, text, sizeof(text));
	log_record(&record, "request %s: %s", e->id, text);
}

static void
tell_ws(const struct ledger_entry *e)
{
	int64_t us = e->ended_us - e->began_us;
	char trace[HEX_MAX] = "";
	const struct log_field fields[] = {
	    FIELD_TEXT("connection_id", e->id),
	    FIELD_TEXT("trace_id",
		e->traced ? hex(trace, e->trace_id, sizeof(e->trace_id))
			  : NULL),
	    FIELD_INT("tunnel", e->tunnel),
	    FIELD_TEXT("path", e->path),
	    FIELD_INT("code", e->status == 0 ? -1 : e->status),
	    FIELD_TEXT("outcome", ledger_outcome_name(e)),
	    FIELD_TEXT("cause", e->cause),
	    FIELD_INT("messages_in", (int64_t)e->messages_in),
	    FIELD_INT("messages_out", (int64_t)e->messages_out),
	    FIELD_INT("bytes_in", e->bytes_in),
	    FIELD_INT("bytes_out", e->bytes_out),
	    FIELD_MS("duration_ms", us),
	    FIELD_MS("connect_ms", e->connect_us),
	};
	const struct log_record record = {
	    level_of(e), "websocket", fields, UTIL_COUNT(fields)};

	log_record(&record,
	    "WebSocket %s: %s: %s after %" PRId64 ".%03d s; %" PRIu64
	    " messages (%" PRId64 " bytes) to the application, %" PRIu64
	    " (%" PRId64 " bytes) from it",
	    e->id, e->path, e->reason, us / 1000000, (int)(us / 1000 % 1000),
	    e->messages_in, e->bytes_in, e->messages_out, e->bytes_out);
}

/* Every success but one of LOG_SAMPLE is left out; never a failure, nor an
 * answer that speaks of one. */
static bool
is_logged(struct ledger *l, const struct ledger_entry *e)
{
	if (e->ws || ledger_failed(e) || e->status >= 500)
		return true;
	if (++l->unlogged < l->sample)
		return false;
	l->unlogged = 0;
	return true;
}

/* --- life ----------------------------------------------------------------- */

void
ledger_init(struct ledger *l, struct metrics *metrics, unsigned sample)
{
	memset(l, 0, sizeof(*l));
	TAILQ_INIT(&l->running);
	l->metrics = metrics;
	l->sample = sample;
}

void
ledger_begin(struct ledger *l, struct ledger_entry *e)
{
	e->began_us = util_mono_us();
	e->wall_ms = util_wall_ms();
	e->connect_us = -1;
	e->number = ++l->begun;
	TAILQ_INSERT_TAIL(&l->running, e, link);
}

void
ledger_end(struct ledger *l, struct ledger_entry *e)
{
	TAILQ_REMOVE(&l->running, e, link);
	e->ended_us = util_mono_us();
	e->seq = ++l->ended;
	if (!e->ws)
		count(l, e);
	if (is_logged(l, e)) {
		if (e->ws)
			tell_ws(e);
		else
			tell_request(l, e);
	}
	l->recent[e->seq % LEDGER_RECENT_MAX] = *e;
	if (l->on_end != NULL)
		l->on_end(e, l->arg);
}

void
ledger_forget(struct ledger *l, struct ledger_entry *e)
{
	TAILQ_REMOVE(&l->running, e, link);
}

const struct ledger_entry *
ledger_recent(const struct ledger *l, uint64_t seq)
{
	const struct ledger_entry *e = &l->recent[seq % LEDGER_RECENT_MAX];

	return seq != 0 && e->seq == seq ? e : NULL;
}
