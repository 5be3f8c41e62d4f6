/* SPDX-License-Identifier: MIT */
/*
 * Queue → batch → collector. A batch leaves when it is full, or when its
 * oldest span has waited OTEL_BSP_SCHEDULE_DELAY; there is one at a time.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "backend.h"
#include "conf.h"
#include "log.h"
#include "metrics.h"
#include "otel.h"
#include "proto.h"
#include "timer.h"
#include "trace_parts.h"
#include "util.h"
#include "version.h"

#define SPAN_MAX (16 * 1024)
#define HEAD_MAX (64 * 1024)
/* Losses are one line in so long. */
#define TELL_MS 60000

/* --- what is lost --------------------------------------------------------- */

static void
tell_loss(struct trace *t)
{
	int64_t now_ms = util_mono_ms();

	if (t->told_ms != 0 && now_ms - t->told_ms < TELL_MS)
		return;
	log_warnx("traces: %" PRIu64
		  " spans were lost on the way to %s: %s; more are counted, "
		  "and said in a minute",
	    t->lost - t->lost_told, trace_export_where(t->export),
	    t->last_error);
	t->told_ms = now_ms;
	t->lost_told = t->lost;
}

static void
lose(struct trace *t, enum metrics_id how, uint64_t count, const char *why)
{
	if (count == 0)
		return;
	metrics_add(t->params.metrics, how, (int64_t)count);
	t->lost += count;
	(void)util_strlcpy(t->last_error, why, sizeof(t->last_error));
	tell_loss(t);
}

static void
tell_recovery(struct trace *t)
{
	if (t->told_ms == 0)
		return;
	t->told_ms = 0;
	log_info("traces: %s takes spans again; %" PRIu64
		 " more were lost meanwhile",
	    trace_export_where(t->export), t->lost - t->lost_told);
	t->lost_told = t->lost;
}

/* --- the queue ------------------------------------------------------------ */

static void
note_queue(struct trace *t)
{
	metrics_set(t->params.metrics, METRICS_TRACE_QUEUE, (int64_t)t->count);
}

static struct trace_text *
take_first(struct trace *t)
{
	struct trace_text *s = STAILQ_FIRST(&t->queue);

	STAILQ_REMOVE_HEAD(&t->queue, link);
	t->count--;
	t->bytes -= s->len;
	return s;
}

static void
drop_all(struct trace *t, const char *why)
{
	size_t count = t->count;

	while (t->count > 0)
		free(take_first(t));
	note_queue(t);
	lose(t, METRICS_TRACE_DROPPED, count, why);
}

/* When the next batch is due: at once, for one that is full. Never from inside
 * of an exchange. */
static void
schedule(struct trace *t)
{
	if (t->sending > 0 || t->flushing)
		return;
	if (t->count >= t->batch_count_max || t->bytes >= TRACE_BATCH_MAX / 2)
		timer_set_ms(t->timer, 0);
	else if (t->count == 1)
		timer_set_ms(t->timer, t->delay_ms);
}

void
trace_put(struct trace *t)
{
	struct trace_text *s;

	if (t->span.failed || t->count >= t->count_max ||
	    t->bytes + t->span.len > TRACE_QUEUE_MAX) {
		lose(t, METRICS_TRACE_DROPPED, 1,
		    t->span.failed ? "a span is too long"
				   : "the queue is full "
				     "(OTEL_BSP_MAX_QUEUE_SIZE)");
		return;
	}
	s = malloc(sizeof(*s) + t->span.len);
	if (s == NULL) {
		lose(t, METRICS_TRACE_DROPPED, 1, "out of memory");
		return;
	}
	s->len = t->span.len;
	memcpy(s->data, t->span.data, s->len);
	STAILQ_INSERT_TAIL(&t->queue, s, link);
	t->count++;
	t->bytes += s->len;
	note_queue(t);
	schedule(t);
}

/* --- batches -------------------------------------------------------------- */

static void
fill_batch(struct trace *t)
{
	struct trace_text *s;

	buf_reset(&t->batch);
	(void)buf_append(&t->batch, t->head.data, t->head.len);
	while (t->count > 0 && t->sending < t->batch_count_max &&
	    t->batch.len < TRACE_BATCH_MAX) {
		s = take_first(t);
		if (t->sending++ > 0)
			(void)buf_putc(&t->batch, ',');
		(void)buf_append(&t->batch, s->data, s->len);
		free(s);
	}
	(void)trace_json_end(&t->batch);
	note_queue(t);
}

static void
send_batch(struct trace *t)
{
	uint64_t lost;

	if (t->count == 0)
		return;
	fill_batch(t);
	if (!t->batch.failed) {
		trace_export_send(t->export, t->batch.data, t->batch.len);
		return;
	}
	lost = t->sending;
	t->sending = 0;
	buf_clear(&t->batch);
	lose(t, METRICS_TRACE_DROPPED, lost, "out of memory");
}

static void
over(struct trace *t)
{
	if (t->on_over == NULL)
		return;
	timer_stop(t->timer);
	if (t->lost > t->lost_told) {
		t->told_ms = 0; /* the last word */
		tell_loss(t);
	}
	t->on_over(t->on_over_arg);
	t->on_over = NULL;
}

static void
count_result(struct trace *t, const struct trace_result *r)
{
	uint64_t rejected = r->rejected < t->sending ? r->rejected : t->sending;

	if (!r->sent) {
		lose(t, METRICS_TRACE_FAILED, t->sending, r->why);
		return;
	}
	metrics_add(t->params.metrics, METRICS_TRACE_EXPORTED,
	    (int64_t)(t->sending - rejected));
	if (rejected == 0) {
		tell_recovery(t);
		t->last_error[0] = '\0';
	}
	lose(t, METRICS_TRACE_REJECTED, rejected, r->why);
	if (rejected == 0 && r->why[0] != '\0')
		log_info("traces: %s", r->why);
}

static void
on_exported(const struct trace_result *r, void *arg)
{
	struct trace *t = arg;

	count_result(t, r);
	t->sending = 0;
	buf_clear(&t->batch); /* it may be long until the next */
	if (t->flushing && t->count == 0)
		over(t);
	else if (t->flushing)
		send_batch(t);
	else if (t->count >= t->batch_count_max)
		timer_set_ms(t->timer, 0);
	else if (t->count > 0)
		timer_set_ms(t->timer, t->delay_ms);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct trace *t = arg;

	(void)fd;
	(void)what;
	if (t->flushing) {
		drop_all(t, "telephone ends, and the collector is too slow");
		over(t);
	} else if (t->sending == 0) {
		send_batch(t);
	}
}

bool
trace_flush(struct trace *t, void (*on_over)(void *arg), void *arg)
{
	if (t == NULL || (t->count == 0 && t->sending == 0))
		return false;
	t->flushing = true;
	t->on_over = on_over;
	t->on_over_arg = arg;
	trace_export_hurry(t->export, util_mono_ms() + TRACE_FLUSH_MS);
	if (t->sending == 0)
		send_batch(t);
	timer_set_ms(t->timer, TRACE_FLUSH_MS + TRACE_FLUSH_MS / 4);
	return true;
}

void
trace_status(const struct trace *t, struct proto_worker_status *s)
{
	const struct metrics *m;

	s->tracing = t != NULL;
	if (t == NULL)
		return;
	m = t->params.metrics;
	s->spans = (uint64_t)metrics_get(m, METRICS_TRACE_EXPORTED);
	s->spans_lost = (uint64_t)metrics_sum(
	    m, METRICS_TRACE_REJECTED, METRICS_TRACE_DROPPED);
	s->spans_waiting = t->count + t->sending;
	(void)util_strlcpy(
	    s->trace_error, t->last_error, sizeof(s->trace_error));
}

/* --- life ----------------------------------------------------------------- */

static void
set_base(struct trace_place *p)
{
	bool v6 = strchr(p->host, ':') != NULL;

	(void)util_fmt(p->base, sizeof(p->base), "%s://%s%s%s:%" PRId64,
	    p->scheme, v6 ? "[" : "", p->host, v6 ? "]" : "", p->port);
}

/* The server that a client asks is Plugboard; its own words about that are in
 * header fields, which are nobody's business here. */
static void
set_places(struct trace *t)
{
	const struct conf *conf = t->params.conf;
	struct backend_params b;

	(void)url_parse(&t->plugboard_url, conf_text(conf, CONF_PLUGBOARD_URL));
	t->plugboard.scheme = t->plugboard_url.tls ? "https" : "http";
	t->plugboard.host = t->plugboard_url.host;
	t->plugboard.port = t->plugboard_url.port;
	memset(&b, 0, sizeof(b));
	backend_configure(&b, conf);
	t->backend.scheme =
	    strcasecmp(b.scheme, "https") == 0 ? "https" : "http";
	t->backend.host = b.host;
	t->backend.port = b.port;
	set_base(&t->backend);
	if (b.unix_path[0] != '\0') {
		t->backend.host = b.unix_path;
		t->backend.port = -1;
	}
}

/* Attributes of the resource. What is ours to say comes first; keys that the
 * operator gives count instead of them. */
static size_t
set_own(struct trace_attr *a, const struct conf *conf)
{
	const char *name = conf_text(conf, CONF_OTEL_SERVICE_NAME);

	a[0] = (struct trace_attr){
	    "service.name", name[0] != '\0' ? name : "telephone", 0};
	a[1] = (struct trace_attr){"service.version", version, 0};
	a[2] = (struct trace_attr){"telemetry.sdk.name", "telephone", 0};
	a[3] = (struct trace_attr){"telemetry.sdk.language", "c", 0};
	a[4] = (struct trace_attr){"telemetry.sdk.version", version, 0};
	return 5;
}

/* One more, or another value. OTEL_SERVICE_NAME counts before the attribute. */
static int
add_attribute(struct trace_attr *a, size_t *count, size_t own,
    const struct otel_pair *pair, bool named)
{
	size_t i;

	for (i = 0; i < own && strcmp(a[i].key, pair->key) != 0;)
		i++;
	if (i == 0 && named)
		return 0;
	if (i == own)
		i = (*count)++;
	a[i].key = strdup(pair->key); /* until the head is written */
	a[i].text = strdup(pair->value);
	return a[i].key == NULL || a[i].text == NULL ? -1 : 0;
}

static int
make_head(struct trace *t)
{
	const struct conf *conf = t->params.conf;
	const char *text = conf_text(conf, CONF_OTEL_RESOURCE_ATTRIBUTES);
	struct trace_attr a[OTEL_PAIRS_MAX + 5], kept[5];
	size_t own = set_own(a, conf), count = own, i;
	struct otel_pair pair;
	int result = 0;

	memcpy(kept, a, sizeof(kept));
	while (result == 0 && otel_next_pair(&text, &pair) == 1)
		result = add_attribute(a, &count, own, &pair,
		    conf_is_set(conf, CONF_OTEL_SERVICE_NAME));
	buf_init(&t->head, HEAD_MAX);
	if (result == 0)
		result = trace_json_begin(&t->head, a, count);
	for (i = 0; i < count; i++) {
		if (i < own && a[i].text == kept[i].text)
			continue;
		free((char *)(uintptr_t)a[i].key);
		free((char *)(uintptr_t)a[i].text);
	}
	return result;
}

struct trace *
trace_create(const struct trace_params *params)
{
	const struct conf *conf = params->conf;
	struct trace *t = calloc(1, sizeof(*t));
	struct trace_export_params export = {
	    .base = params->base,
	    .resolve = params->resolve,
	    .tls = params->tls,
	    .metrics = params->metrics,
	    .conf = conf,
	    .on_done = on_exported,
	    .arg = t,
	};

	if (t == NULL)
		return NULL;
	t->params = *params;
	STAILQ_INIT(&t->queue);
	t->count_max = (size_t)conf_num(conf, CONF_OTEL_BSP_MAX_QUEUE_SIZE);
	t->batch_count_max =
	    (size_t)conf_num(conf, CONF_OTEL_BSP_MAX_EXPORT_BATCH_SIZE);
	t->delay_ms = conf_num(conf, CONF_OTEL_BSP_SCHEDULE_DELAY);
	trace_sampler_init(&t->sampler,
	    (enum trace_sampler_kind)conf_num(conf, CONF_OTEL_TRACES_SAMPLER),
	    otel_ratio(conf_text(conf, CONF_OTEL_TRACES_SAMPLER_ARG)));
	set_places(t);
	buf_init(&t->span, SPAN_MAX);
	buf_init(&t->batch, TRACE_BATCH_MAX + 2 * HEAD_MAX);
	t->timer = timer_create_ms(params->base, on_timer, t);
	t->export = trace_export_create(&export);
	if (t->export == NULL || make_head(t) == -1) {
		trace_free(t);
		return NULL;
	}
	log_info("traces: spans go to %s", trace_export_where(t->export));
	return t;
}

void
trace_free(struct trace *t)
{
	if (t == NULL)
		return;
	t->told_ms = 0;
	drop_all(t, "telephone ended before they were sent");
	trace_export_free(t->export);
	timer_clear(&t->timer);
	buf_clear(&t->head);
	buf_clear(&t->span);
	buf_clear(&t->batch);
	free(t);
}
