/* SPDX-License-Identifier: MIT */
/* The lines of telephonectl_frame.h, the most important first. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "telephonectl_frame.h"
#include "telephonectl_row.h"
#include "util.h"

#define LINE_MAX 1024

void
frame_init(struct frame *f)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->text, 4u << 20);
}

void
frame_clear(struct frame *f)
{
	buf_clear(&f->text);
}

/* The one way into a frame: what is not plain stays outside. */
static void
put(struct frame *f, bool heading, const char *line)
{
	char cell[TEXT_SIZE(FRAME_COLUMNS_MAX)];

	if (f->count >= f->rows)
		return;
	(void)text_fit(cell, sizeof(cell), line, f->columns, TEXT_CUT_END);
	f->line[f->count].at = f->text.len;
	f->line[f->count].len = strlen(cell);
	f->line[f->count++].heading = heading;
	if (buf_puts(&f->text, cell) == -1)
		fatalx("out of memory");
}

/* --- the telephone -------------------------------------------------------- */

static const char *
state_of(const struct view *v, char text[STATUS_READY_MAX])
{
	const struct status *s = v->status;

	if (s == NULL)
		return "not seen yet";
	return status_ready(s, text);
}

static void
put_title(struct frame *f, const struct view *v)
{
	const struct proto_supervisor_status *p;
	char line[LINE_MAX], age[STATUS_AGE_MAX], clock[16] = "";
	char ready[STATUS_READY_MAX];
	time_t now = (time_t)(v->wall_ms / 1000);
	struct tm tm;

	if (localtime_r(&now, &tm) != NULL)
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	if (v->status == NULL) {
		(void)util_fmt(line, sizeof(line), "%s  telephone: %s", clock,
		    state_of(v, ready));
		put(f, true, line);
		return;
	}
	p = &v->status->supervisor;
	(void)util_fmt(line, sizeof(line),
	    "%s  telephone: %s, up %s; worker %u, %u restarts; %s", clock,
	    state_of(v, ready), status_age(p->uptime_ms, age), p->worker_pid,
	    p->worker_restarts, p->version);
	put(f, true, line);
}

static void
put_faults(struct frame *f, const struct view *v)
{
	char line[LINE_MAX];

	if (v->status_fault != NULL) {
		(void)util_fmt(line, sizeof(line), "! %s; what is below is old",
		    v->status_fault);
		put(f, true, line);
	}
	if (v->worker_fault != NULL) {
		(void)util_fmt(line, sizeof(line), "! %s", v->worker_fault);
		put(f, true, line);
	}
}

static void
put_token(struct frame *f, const struct view *v)
{
	const struct proto_tokend_status *t = &v->status->tokend;
	int64_t left_ms = t->exp_s * 1000 - v->wall_ms;
	char line[LINE_MAX], a[STATUS_AGE_MAX], b[STATUS_AGE_MAX];

	if (!v->status->has_tokend)
		(void)util_fmt(line, sizeof(line), "token     tokend %s",
		    status_missing(v->status->supervisor.tokend_pid));
	else if (t->state == PROTO_TOKEN_NONE)
		(void)util_fmt(line, sizeof(line),
		    "token     awaited: telephonectl token set");
	else
		(void)util_fmt(line, sizeof(line),
		    "token     %s, %s %s%s%s%s%s",
		    proto_token_state_name(t->state),
		    left_ms > 0 ? "expires in" : "expired",
		    status_age(left_ms > 0 ? left_ms : -left_ms, a),
		    left_ms > 0 ? "" : " ago",
		    t->refresh_in_ms >= 0 ? ", refresh in " : "",
		    t->refresh_in_ms >= 0 ? status_age(t->refresh_in_ms, b)
					  : "",
		    t->unsaved ? ", NOT stored" : "");
	put(f, false, line);
}

/* --- load ----------------------------------------------------------------- */

/* Thousandths a second: "12.3", "1.2k"; "-" when there is no rate yet. */
static const char *
per_s(char space[TEXT_NUMBER_MAX], bool known, int64_t rate)
{
	if (!known)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "-");
	else if (rate < 1000000)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%d.%d",
		    (int)(rate / 1000), (int)(rate % 1000 / 100));
	else
		(void)text_amount(space, (uint64_t)rate / 1000);
	return space;
}

static void
put_load(struct frame *f, const struct view *v)
{
	const struct watch_load *now = model_now(v->model);
	char line[LINE_MAX], n[5][TEXT_NUMBER_MAX];
	struct model_rates r = {0};
	bool known = model_rates(v->model, &r);

	if (now == NULL)
		return;
	(void)util_fmt(line, sizeof(line),
	    "requests  %s/s, %s/s failed; %s in flight, %s waiting; %s "
	    "WebSockets",
	    per_s(n[0], known, r.requests), per_s(n[1], known, r.failed),
	    text_amount(n[2], now->value[WATCH_IN_FLIGHT]),
	    text_amount(n[3], now->value[WATCH_WAITING]),
	    text_amount(n[4], now->value[WATCH_WEBSOCKETS]));
	put(f, false, line);
	(void)util_fmt(line, sizeof(line),
	    "bytes     %s/s to the application, %s/s from it; retries %s/s; "
	    "spool %s",
	    per_s(n[0], known, r.bytes_to), per_s(n[1], known, r.bytes_from),
	    per_s(n[2], known, r.retries),
	    text_amount(n[3], now->value[WATCH_SPOOL]));
	put(f, false, line);
}

static void
put_latency(struct frame *f, const struct view *v)
{
	char line[LINE_MAX], p50[TEXT_NUMBER_MAX], p95[TEXT_NUMBER_MAX];
	char p99[TEXT_NUMBER_MAX], n[TEXT_NUMBER_MAX];
	struct model_latency l;

	if (model_now(v->model) == NULL)
		return;
	if (!model_latency(v->model, &l))
		(void)util_fmt(line, sizeof(line),
		    "latency   no request has ended in the last %d s",
		    (int)(l.window_us / 1000000));
	else
		(void)util_fmt(line, sizeof(line),
		    "latency   p50 %s, p95 %s, p99 %s%s (%s in the last %d s)",
		    text_took(p50, l.p50_us), text_took(p95, l.p95_us),
		    l.more ? "over " : "", text_took(p99, l.p99_us),
		    text_amount(n, l.requests), (int)(l.window_us / 1000000));
	put(f, false, line);
}

/* --- tunnels -------------------------------------------------------------- */

static void
put_tunnel(
    struct frame *f, const struct proto_tunnel_status *t, unsigned number)
{
	char line[LINE_MAX], since[64] = "", beat[64] = "", end[96] = "";
	char age[STATUS_AGE_MAX];

	if (t->joined_ms >= 0)
		(void)util_fmt(since, sizeof(since), " since %s",
		    status_age(t->joined_ms, age));
	else if (t->retry_ms >= 0)
		(void)util_fmt(since, sizeof(since), ", next attempt in %s",
		    status_age(t->retry_ms, age));
	if (t->joined_ms >= 0 && t->heartbeat_ms >= 0)
		(void)util_fmt(beat, sizeof(beat), ", heartbeat %s ago",
		    status_age(t->heartbeat_ms, age));
	if (t->last_reason != PROTO_REASON_NONE && t->last_detail != 0)
		(void)util_fmt(end, sizeof(end), "; last end: %s %u",
		    proto_reason_name(t->last_reason), t->last_detail);
	else if (t->last_reason != PROTO_REASON_NONE)
		(void)util_fmt(end, sizeof(end), "; last end: %s",
		    proto_reason_name(t->last_reason));
	(void)util_fmt(line, sizeof(line), "tunnel %u  %s%s%s%s", number,
	    proto_tunnel_name(t->state), since, beat, end);
	put(f, false, line);
}

static void
put_tunnels(struct frame *f, const struct view *v)
{
	unsigned i;

	if (!v->status->has_worker)
		return;
	for (i = 0; i < v->status->worker.tunnels; i++)
		put_tunnel(f, &v->status->worker.tunnel_list[i], i + 1);
}

/* --- lists ---------------------------------------------------------------- */

struct list {
	const char *name, *none;
	const struct exchange *e;
	unsigned count;
};

static void
put_list(struct frame *f, const struct list *l, unsigned room)
{
	char line[ROW_SIZE];
	unsigned i;

	if (room < 2)
		return;
	put(f, true, l->count > 0 ? l->name : l->none);
	for (i = 0; i < l->count && i + 1 < room; i++) {
		row_put(line, sizeof(line), &l->e[i], f->columns);
		put(f, false, line);
	}
}

/* Each gets half of what is left, and what the other does not need. */
static void
put_lists(struct frame *f, const struct view *v)
{
	const struct list slowest = {"slowest in flight",
	    "no request is in flight", v->slowest, v->slowest_count};
	const struct list failures = {"recent failures", "no recent failures",
	    v->failures, v->failure_count};
	unsigned left = f->rows - f->count, half, own;

	if (left < 3)
		return;
	put(f, false, "");
	left--;
	half = left / 2;
	own = failures.count + 1;
	put_list(f, &slowest, own < half ? left - own : left - half);
	put_list(f, &failures, f->rows - f->count);
}

void
frame_render(
    struct frame *f, const struct view *v, unsigned rows, unsigned columns)
{
	buf_reset(&f->text);
	f->count = 0;
	f->columns = columns < FRAME_COLUMNS_MAX ? columns : FRAME_COLUMNS_MAX;
	f->rows = rows < FRAME_ROWS_MAX ? rows : FRAME_ROWS_MAX;
	if (v->help != NULL && f->rows > 1)
		f->rows--;
	put_title(f, v);
	put_faults(f, v);
	if (v->status != NULL)
		put_token(f, v);
	put_load(f, v);
	put_latency(f, v);
	if (v->status != NULL)
		put_tunnels(f, v);
	if (model_now(v->model) != NULL)
		put_lists(f, v);
	if (v->help != NULL && rows > 1) {
		f->rows++;
		while (f->count + 1 < f->rows)
			put(f, false, "");
		put(f, false, v->help);
	}
}
