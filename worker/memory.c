/* SPDX-License-Identifier: MIT */
/* The counter of memory.h. */
#include "conf.h"
#include "conf_check.h"
#include "memory.h"
#include "metrics.h"

void
memory_init(struct memory *m, const struct conf *conf, struct metrics *metrics)
{
	m->metrics = metrics;
	m->ceiling = (size_t)conf_memory_max(conf);
	m->max = m->ceiling - (size_t)conf_memory_reserved(conf);
	m->used = 0;
	metrics_set(metrics, METRICS_MEMORY_MAX, (int64_t)m->ceiling);
}

void
memory_set(struct memory *m, size_t *counted, size_t now)
{
	m->used += now - *counted;
	*counted = now;
	metrics_set(m->metrics, METRICS_MEMORY_USED, (int64_t)m->used);
}

bool
memory_has(const struct memory *m, size_t more)
{
	return m->used <= m->max && more <= m->max - m->used;
}

bool
memory_is_tight(const struct memory *m)
{
	return m->used >= m->max / 4 * 3;
}
