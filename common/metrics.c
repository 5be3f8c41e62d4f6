/* SPDX-License-Identifier: MIT */
/* The counters of metrics.h and their text form. */
#include <inttypes.h>
#include <string.h>

#include "metrics.h"
#include "version.h"

struct row {
	enum metrics_type type;
	const char *family;
	const char *labels;
	const char *help;
};

#define METRICS_ROW(id, type, family, labels, help) \
	[METRICS_##id] = {METRICS_##type, family, labels, help},
static const struct row rows[METRICS_COUNT] = {METRICS_TABLE(METRICS_ROW)};
#undef METRICS_ROW

static const char *const type_names[] = {
    [METRICS_COUNTER] = "counter",
    [METRICS_GAUGE] = "gauge",
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

static void
render_head(struct buf *out, const struct row *r)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", r->family, r->help,
	    r->family, type_names[r->type]);
}

static void
render_row(struct buf *out, const struct row *r, int64_t value)
{
	if (r->labels[0] == '\0')
		buf_printf(out, "%s %" PRId64 "\n", r->family, value);
	else
		buf_printf(
		    out, "%s{%s} %" PRId64 "\n", r->family, r->labels, value);
}

static void
render_build(struct buf *out)
{
	static const struct row build = {METRICS_GAUGE, "telephone_build_info",
	    "", "1, labelled with the version that runs"};

	render_head(out, &build);
	buf_printf(out, "%s{version=\"%s\"} 1\n", build.family, version);
}

int
metrics_render(const struct metrics *m, struct buf *out)
{
	const struct row *r;
	size_t i;

	for (i = 0; i < METRICS_COUNT; i++) {
		r = &rows[i];
		/* Rows of one family stand together. */
		if (i == 0 || strcmp(r->family, rows[i - 1].family) != 0)
			render_head(out, r);
		render_row(out, r, m->value[i]);
	}
	render_build(out);
	return out->failed ? -1 : 0;
}
