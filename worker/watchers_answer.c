/* SPDX-License-Identifier: MIT */
/* The pages and figures of watchers_answer.h. */
#include "ledger.h"
#include "ledger_json.h"
#include "util.h"
#include "watch.h"
#include "watchers_answer.h"

static bool
is_asked_for(const struct ledger_entry *e, uint8_t flags)
{
	if ((flags & WATCH_REQUESTS) != 0 && e->ws)
		return false;
	return (flags & WATCH_FAILED) == 0 || ledger_failed(e);
}

static uint64_t
oldest(const struct ledger *l)
{
	if (l->ended <= LEDGER_RECENT_MAX)
		return l->ended > 0;
	return l->ended - LEDGER_RECENT_MAX + 1;
}

static bool
add(struct pack *p, const struct ledger_entry *e)
{
	struct exchange x;

	ledger_exchange(&x, e, util_mono_us());
	return watch_page_add(p, &x);
}

/* False: there was no room for all. */
static bool
add_ended(struct pack *p, const struct ledger *l,
    const struct watch_question *question)
{
	uint64_t seq = question->after < l->ended ? question->after : l->ended;
	const struct ledger_entry *e;

	if (seq + 1 < oldest(l))
		seq = oldest(l) - 1;
	while (++seq <= l->ended) {
		e = ledger_recent(l, seq);
		if (e != NULL && is_asked_for(e, question->flags) && !add(p, e))
			return false;
	}
	return true;
}

/* What one that runs says of its end is not yet so: none has failed. */
static bool
add_running(struct pack *p, const struct ledger *l,
    const struct watch_question *question)
{
	const struct ledger_entry *e;

	if ((question->flags & WATCH_FAILED) != 0)
		return true;
	TAILQ_FOREACH(e, &l->running, link)
	if (e->number > question->after && is_asked_for(e, question->flags) &&
	    !add(p, e))
		return false;
	return true;
}

int
watchers_page(const struct watchers_source *source,
    const struct watch_question *question, uint8_t *space)
{
	const struct ledger *l = source->ledger;
	struct watch_page page = {
	    .ended = l->ended,
	    .oldest = oldest(l),
	    .draining = source->draining,
	};
	struct pack p;

	watch_page_begin(&p, space);
	page.more = (question->flags & WATCH_RUNNING) != 0
	    ? !add_running(&p, l, question)
	    : !add_ended(&p, l, question);
	return watch_page_end(&p, &page);
}

int
watchers_load(const struct watchers_source *source, uint8_t *space)
{
	const struct metrics *m = source->metrics;
	struct watch_load load = {.mono_us = util_mono_us()};
	const int64_t value[WATCH_VALUES] = {
	    [WATCH_IN_FLIGHT] = metrics_get(m, METRICS_IN_FLIGHT),
	    [WATCH_WAITING] = metrics_get(m, METRICS_WAITING),
	    [WATCH_WEBSOCKETS] = metrics_get(m, METRICS_WS_SESSIONS),
	    [WATCH_RETRIES] = metrics_get(m, METRICS_RETRIES),
	    [WATCH_BYTES_TO] = metrics_get(m, METRICS_REQUEST_BYTES) +
		metrics_get(m, METRICS_WS_BYTES_TO),
	    [WATCH_BYTES_FROM] = metrics_get(m, METRICS_RESPONSE_BYTES) +
		metrics_get(m, METRICS_WS_BYTES_FROM),
	    [WATCH_SPOOL] = metrics_get(m, METRICS_SPOOL_BYTES),
	};
	int i;

	for (i = 0; i < METRICS_OUTCOMES; i++)
		load.requests[i] = metrics_requests(m, (enum metrics_outcome)i);
	for (i = 0; i < WATCH_VALUES; i++)
		load.value[i] = value[i] < 0 ? 0 : (uint64_t)value[i];
	load.duration = m->histogram[METRICS_DURATION];
	return watch_put_load(space, &load);
}
