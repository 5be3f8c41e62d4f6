/* SPDX-License-Identifier: MIT */
/* The differences of telephonectl_model.h. */
#include <string.h>

#include "metrics.h"
#include "telephonectl_model.h"

/* Two figures nearer than this are one. */
#define STEP_MIN_US 50000

static const struct watch_load *
seen(const struct model *m, unsigned back)
{
	if (back >= m->count || back >= MODEL_SEEN_MAX)
		return NULL;
	return &m->seen[(m->count - 1 - back) % MODEL_SEEN_MAX];
}

const struct watch_load *
model_now(const struct model *m)
{
	return seen(m, 0);
}

void
model_forget(struct model *m)
{
	m->count = 0;
	m->pid = 0;
}

static uint64_t
total(const struct watch_load *l)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < METRICS_OUTCOMES; i++)
		sum += l->requests[i];
	return sum;
}

/* Counters count up: all of them, whoever wrote them. */
static bool
follows(const struct watch_load *a, const struct watch_load *b)
{
	static const enum watch_value counters[] = {
	    WATCH_RETRIES, WATCH_BYTES_TO, WATCH_BYTES_FROM};
	size_t i;

	if (b->mono_us < a->mono_us)
		return false;
	for (i = 0; i < METRICS_OUTCOMES; i++)
		if (b->requests[i] < a->requests[i])
			return false;
	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (b->value[counters[i]] < a->value[counters[i]])
			return false;
	for (i = 0; i <= METRICS_BUCKETS; i++)
		if (b->duration.bucket[i] < a->duration.bucket[i])
			return false;
	return true;
}

void
model_add(struct model *m, uint32_t pid, const struct watch_load *load)
{
	const struct watch_load *last = model_now(m);

	if (last != NULL && (m->pid != pid || !follows(last, load)))
		model_forget(m);
	else if (last != NULL && load->mono_us - last->mono_us < STEP_MIN_US)
		return;
	m->pid = pid;
	m->seen[m->count++ % MODEL_SEEN_MAX] = *load;
}

static int64_t
rate(uint64_t from, uint64_t to, int64_t us)
{
	return (int64_t)((double)(to - from) * 1e9 / (double)us);
}

bool
model_rates(const struct model *m, struct model_rates *r)
{
	const struct watch_load *b = seen(m, 0), *a = seen(m, 1);
	int64_t us;

	if (a == NULL)
		return false;
	us = b->mono_us - a->mono_us;
	r->requests = rate(total(a), total(b), us);
	r->failed = rate(total(a) - a->requests[METRICS_OK],
	    total(b) - b->requests[METRICS_OK], us);
	r->retries = rate(a->value[WATCH_RETRIES], b->value[WATCH_RETRIES], us);
	r->bytes_to =
	    rate(a->value[WATCH_BYTES_TO], b->value[WATCH_BYTES_TO], us);
	r->bytes_from =
	    rate(a->value[WATCH_BYTES_FROM], b->value[WATCH_BYTES_FROM], us);
	return true;
}

/* The oldest within the window. */
static const struct watch_load *
window_begin(const struct model *m)
{
	const struct watch_load *now = seen(m, 0), *at, *begin = now;
	unsigned back;

	for (back = 1; (at = seen(m, back)) != NULL &&
	     now->mono_us - at->mono_us <= MODEL_WINDOW_US;
	     back++)
		begin = at;
	return begin;
}

bool
model_latency(const struct model *m, struct model_latency *l)
{
	const struct watch_load *now = model_now(m), *begin;
	struct metrics_histogram h;
	int i;

	if (now == NULL)
		return false;
	begin = window_begin(m);
	memset(&h, 0, sizeof(h));
	for (i = 0; i <= METRICS_BUCKETS; i++)
		h.bucket[i] =
		    now->duration.bucket[i] - begin->duration.bucket[i];
	l->window_us = now->mono_us - begin->mono_us;
	l->requests = metrics_observed(&h);
	l->p50_us = metrics_quantile_us(&h, 0.5);
	l->p95_us = metrics_quantile_us(&h, 0.95);
	l->p99_us = metrics_quantile_us(&h, 0.99);
	l->more =
	    (double)h.bucket[METRICS_BUCKETS] > 0.01 * (double)l->requests;
	return l->requests > 0;
}
