/* SPDX-License-Identifier: MIT */
/* The table's values and their Prometheus text (format 0.0.4). */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "metrics.h"
#include "proto.h"
#include "version.h"

static const struct {
	enum metrics_type type;
	const char *family, *labels, *help;
} rows[METRICS_COUNT] = {
#define METRICS_ROW(id, type, family, labels, help) \
	{METRICS_##type, family, labels, help},
    METRICS_TABLE(METRICS_ROW)
#undef METRICS_ROW
};

void
metrics_init(struct metrics *m)
{
	memset(m, 0, sizeof(*m));
}

void
metrics_add(struct metrics *m, enum metrics_id id, int64_t n)
{
	m->value[id] += n;
}

void
metrics_set(struct metrics *m, enum metrics_id id, int64_t value)
{
	m->value[id] = value;
}

int64_t
metrics_get(const struct metrics *m, enum metrics_id id)
{
	return m->value[id];
}

int64_t
metrics_sum(
    const struct metrics *m, enum metrics_id first, enum metrics_id last)
{
	int64_t sum = 0;
	int i;

	for (i = (int)first; i <= (int)last; i++)
		sum += m->value[i];
	return sum;
}

void
metrics_set_walls(struct metrics *m, const struct proto_sandbox *s)
{
	metrics_set(
	    m, METRICS_SECCOMP_SUPERVISOR + s->process, s->level.seccomp);
	metrics_set(
	    m, METRICS_LANDLOCK_SUPERVISOR + s->process, s->level.landlock);
	metrics_set(
	    m, METRICS_VIOLATIONS_SUPERVISOR + s->process, s->violations);
}

static bool
is_counter(size_t i)
{
	return rows[i].type == METRICS_COUNTER ||
	    rows[i].type == METRICS_COUNTER_MS;
}

static void
render_row(const struct metrics *m, size_t i, struct buf *out)
{
	if (i == 0 || strcmp(rows[i].family, rows[i - 1].family) != 0)
		(void)buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n",
		    rows[i].family, rows[i].help, rows[i].family,
		    is_counter(i) ? "counter" : "gauge");
	(void)buf_puts(out, rows[i].family);
	if (rows[i].labels[0] != '\0')
		(void)buf_printf(out, "{%s}", rows[i].labels);
	if (rows[i].type == METRICS_GAUGE_MS ||
	    rows[i].type == METRICS_COUNTER_MS)
		(void)buf_printf(out, " %" PRId64 ".%03d\n", m->value[i] / 1000,
		    (int)(m->value[i] % 1000));
	else
		(void)buf_printf(out, " %" PRId64 "\n", m->value[i]);
}

int
metrics_render(const struct metrics *m, struct buf *out)
{
	size_t i;

	metrics_render_requests(m, out);
	for (i = 0; i < METRICS_COUNT; i++)
		render_row(m, i, out);
	return buf_printf(out,
	    "# HELP telephone_build_info The version of this executable\n"
	    "# TYPE telephone_build_info gauge\n"
	    "telephone_build_info{version=\"%s\"} 1\n",
	    version);
}
