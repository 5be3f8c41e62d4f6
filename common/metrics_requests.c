/* SPDX-License-Identifier: MIT */
/* Requests of metrics.h: counted by closed lists, timed by fixed bounds. */
#include <inttypes.h>
#include <string.h>

#include "metrics.h"
#include "util.h"

static const char *const methods[METRICS_METHODS] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

/* What can become of a request. */
static const struct {
	int status_class; /* 0: nothing was answered */
	enum metrics_outcome outcome;
} ends[METRICS_ENDS] = {
    {2, METRICS_OK},
    {3, METRICS_OK},
    {4, METRICS_OK},
    {5, METRICS_OK},
    {5, METRICS_BACKEND_ERROR},
    {5, METRICS_TIMEOUT},
    {4, METRICS_REFUSED},
    {5, METRICS_REFUSED},
    {0, METRICS_LOST},
};

static const struct {
	const char *family, *labels, *help;
} histograms[METRICS_HISTOGRAMS] = {
#define PHASE(phase)                                                       \
	{                                                                  \
		"telephone_request_phase_seconds", "phase=\"" phase "\",", \
		    "Time of a request in one phase"                       \
	}
    [METRICS_DURATION] = {"telephone_request_duration_seconds", "",
	"From a request's arrival until its answer has left"},
    [METRICS_PHASE_QUEUE] = PHASE("queue"),
    [METRICS_PHASE_RETRY] = PHASE("retry"),
    [METRICS_PHASE_CONNECT] = PHASE("connect"),
    [METRICS_PHASE_FIRST_BYTE] = PHASE("first_byte"),
    [METRICS_PHASE_BODY] = PHASE("body"),
    [METRICS_PHASE_SEND] = PHASE("send"),
#undef PHASE
};

#define BOUNDS(X)         \
	X(1000, "0.001")  \
	X(2500, "0.0025") \
	X(5000, "0.005")  \
	X(10000, "0.01")  \
	X(25000, "0.025") \
	X(50000, "0.05")  \
	X(100000, "0.1")  \
	X(250000, "0.25") \
	X(500000, "0.5")  \
	X(1000000, "1")   \
	X(2500000, "2.5") \
	X(5000000, "5")   \
	X(10000000, "10") \
	X(30000000, "30") \
	X(60000000, "60")
const int64_t metrics_bounds_us[METRICS_BUCKETS] = {
#define BOUND_US(us, text) us,
    BOUNDS(BOUND_US)
#undef BOUND_US
};
static const char *const bound_texts[METRICS_BUCKETS] = {
#define BOUND_TEXT(us, text) text,
    BOUNDS(BOUND_TEXT)
#undef BOUND_TEXT
};

const char *
metrics_outcome_name(enum metrics_outcome outcome)
{
	static const char *const names[METRICS_OUTCOMES] = {
	    "ok", "backend_error", "timeout", "refused", "lost"};

	return (size_t)outcome < METRICS_OUTCOMES ? names[outcome] : "?";
}

/* --- counting ------------------------------------------------------------- */

static size_t
find_method(const char *method)
{
	size_t i;

	/* A method that nobody knows must not make a row of its own. */
	for (i = 0; i < METRICS_METHODS - 1; i++)
		if (strcmp(methods[i], method) == 0)
			break;
	return i;
}

/* The pair, or the last one of this outcome. */
static size_t
find_end(int status, enum metrics_outcome outcome)
{
	size_t i, last = 0;

	for (i = 0; i < METRICS_ENDS; i++) {
		if (ends[i].outcome != outcome)
			continue;
		last = i;
		if (ends[i].status_class == status / 100)
			break;
	}
	return last;
}

void
metrics_count_request(struct metrics *m, const char *method, int status,
    enum metrics_outcome outcome)
{
	m->requests[find_method(method)][find_end(status, outcome)]++;
}

uint64_t
metrics_requests(const struct metrics *m, enum metrics_outcome outcome)
{
	uint64_t sum = 0;
	size_t i, j;

	for (i = 0; i < METRICS_METHODS; i++)
		for (j = 0; j < METRICS_ENDS; j++)
			if (ends[j].outcome == outcome)
				sum += m->requests[i][j];
	return sum;
}

void
metrics_observe(struct metrics *m, enum metrics_histogram_id id, int64_t us)
{
	struct metrics_histogram *h = &m->histogram[id];
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < METRICS_BUCKETS && us > metrics_bounds_us[i])
		i++;
	h->bucket[i]++;
	h->sum_us += (uint64_t)us;
}

uint64_t
metrics_observed(const struct metrics_histogram *h)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i <= METRICS_BUCKETS; i++)
		count += h->bucket[i];
	return count;
}

int64_t
metrics_quantile_us(const struct metrics_histogram *h, double share)
{
	double want = share * (double)metrics_observed(h), below = 0, in;
	int64_t low, high;
	size_t i;

	for (i = 0; i < METRICS_BUCKETS; i++) {
		in = (double)h->bucket[i];
		if (in > 0 && below + in >= want) {
			low = i == 0 ? 0 : metrics_bounds_us[i - 1];
			high = metrics_bounds_us[i];
			return low +
			    (int64_t)((double)(high - low) * (want - below) /
				in);
		}
		below += in;
	}
	return metrics_observed(h) == 0
	    ? 0
	    : metrics_bounds_us[METRICS_BUCKETS - 1];
}

/* --- telling -------------------------------------------------------------- */

static void
put_head(
    struct buf *out, const char *family, const char *help, const char *type)
{
	(void)buf_printf(
	    out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, type);
}

static void
render_counts(const struct metrics *m, struct buf *out)
{
	static const char *const classes[] = {
	    "none", "1xx", "2xx", "3xx", "4xx", "5xx"};
	size_t i, j;

	put_head(out, "telephone_requests_total",
	    "Requests that have ended, each once", "counter");
	for (i = 0; i < METRICS_METHODS; i++)
		for (j = 0; j < METRICS_ENDS; j++)
			(void)buf_printf(out,
			    "telephone_requests_total{method=\"%s\","
			    "status_class=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
			    methods[i], classes[ends[j].status_class],
			    metrics_outcome_name(ends[j].outcome),
			    m->requests[i][j]);
}

/* "phase=\"queue\"," becomes "{phase=\"queue\"}", "" stays. */
static void
put_labels(struct buf *out, const char *labels)
{
	if (labels[0] != '\0')
		(void)buf_printf(
		    out, "{%.*s}", (int)strlen(labels) - 1, labels);
}

static void
render_histogram(
    const struct metrics *m, enum metrics_histogram_id id, struct buf *out)
{
	const struct metrics_histogram *h = &m->histogram[id];
	const char *family = histograms[id].family;
	const char *labels = histograms[id].labels;
	uint64_t sum = 0;
	size_t i;

	if (id == 0 || strcmp(family, histograms[id - 1].family) != 0)
		put_head(out, family, histograms[id].help, "histogram");
	for (i = 0; i <= METRICS_BUCKETS; i++) {
		sum += h->bucket[i];
		(void)buf_printf(out, "%s_bucket{%sle=\"%s\"} %" PRIu64 "\n",
		    family, labels,
		    i < METRICS_BUCKETS ? bound_texts[i] : "+Inf", sum);
	}
	(void)buf_printf(out, "%s_sum", family);
	put_labels(out, labels);
	(void)buf_printf(out, " %" PRIu64 ".%06d\n%s_count",
	    h->sum_us / 1000000, (int)(h->sum_us % 1000000), family);
	put_labels(out, labels);
	(void)buf_printf(out, " %" PRIu64 "\n", sum);
}

void
metrics_render_requests(const struct metrics *m, struct buf *out)
{
	int i;

	render_counts(m, out);
	for (i = 0; i < METRICS_HISTOGRAMS; i++)
		render_histogram(m, (enum metrics_histogram_id)i, out);
}
