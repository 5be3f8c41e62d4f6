/* SPDX-License-Identifier: MIT */
/*
 * `telephonectl requests --follow`. A worker that is replaced has requests yet
 * to end while its successor has new ones: all are followed until they are
 * gone. One that crashes is said, and so is what was missed.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "proto.h"
#include "telephonectl.h"
#include "telephonectl_link.h"
#include "telephonectl_requests.h"
#include "util.h"

/* The one that serves, and as many as a supervisor lets drain. */
#define LINKS 5
#define AGAIN_MS 1000

struct followed {
	struct link link;
	uint32_t pid;	/* whose `after` it is, 0: nobody's */
	uint64_t after; /* the last seq that was seen */
	bool draining;
};

struct follow {
	const struct requests *requests;
	struct followed one[LINKS];
	struct requests_tail tail;
	int64_t again_ms; /* when to call next, -1: somebody serves */
	bool begun;	  /* the first list was shown */
	bool lost;	  /* and said so */
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout); /* in its place */
	(void)fputs("telephonectl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

/* --- answers -------------------------------------------------------------- */

static void
ask(struct followed *w)
{
	const struct watch_question question = {w->after, WATCH_WAIT};
	uint8_t space[IPC_PAYLOAD_MAX];

	link_ask(&w->link, PROTO_EXCHANGES_GET, space,
	    watch_put_question(space, &question), WATCH_WAIT_MS);
}

/* Between what was seen and what is still remembered. */
static void
tell_missed(const struct follow *f, const struct followed *w,
    const struct watch_page *page)
{
	if (f->begun && page->oldest > w->after + 1)
		say("%" PRIu64 " missed: more have ended than a worker "
		    "remembers",
		    page->oldest - w->after - 1);
}

static void
show(struct follow *f, const struct exchange *e)
{
	if (!f->begun)
		requests_keep(f->requests, &f->tail, e);
	else if (filter_takes(&f->requests->filter, e))
		requests_print(f->requests, e);
}

static int
take_page(struct follow *f, struct followed *w, const struct ipc_frame *frame)
{
	struct watch_page page;
	struct exchange e;
	struct unpack u;
	int n;

	if (frame->type != PROTO_EXCHANGES ||
	    watch_page_open(frame, &page, &u) == -1)
		return link_refuse(&w->link, proto_name(frame->type));
	tell_missed(f, w, &page);
	while ((n = watch_page_next(&u, &e)) == 1) {
		if (e.seq <= w->after)
			return link_refuse(&w->link, "EXCHANGES");
		w->after = e.seq;
		show(f, &e);
	}
	if (n == -1)
		return link_refuse(&w->link, "EXCHANGES");
	if (!page.more) {
		if (w->after < page.ended)
			w->after = page.ended;
		if (!f->begun) {
			requests_head(f->requests);
			requests_flush(f->requests, &f->tail);
		}
		f->begun = true;
	}
	(void)fflush(stdout);
	w->draining = page.draining;
	return 0;
}

/* --- workers -------------------------------------------------------------- */

/* Another place that knows this worker, or NULL. */
static struct followed *
find(struct follow *f, const struct followed *w, uint32_t pid)
{
	int i;

	for (i = 0; i < LINKS; i++)
		if (&f->one[i] != w && f->one[i].pid == pid)
			return &f->one[i];
	return NULL;
}

/* True: it is still spoken with in another place; else what was seen of it
 * there is taken over. */
static bool
is_known(struct follow *f, struct followed *w, uint32_t pid)
{
	struct followed *other = find(f, w, pid);

	if (other == NULL)
		return false;
	if (other->link.state != LINK_DOWN)
		return true;
	w->pid = other->pid;
	w->after = other->after;
	other->pid = 0;
	return false;
}

static void
greeted(struct follow *f, struct followed *w)
{
	uint32_t pid = w->link.greeting.pid;

	f->again_ms = -1;
	if (is_known(f, w, pid)) { /* it drains, and has no successor yet */
		link_close(&w->link);
		f->again_ms = util_mono_ms() + AGAIN_MS;
		return;
	}
	if (pid != w->pid) {
		w->pid = pid;
		w->after = 0;
		if (f->begun)
			say("going on with worker %u", pid);
	} else if (f->lost)
		say("worker %u answers again", pid);
	f->lost = false;
	ask(w);
}

/* The link has ended. */
static void
ended(struct follow *f, struct followed *w)
{
	if (w->draining) { /* as it should */
		w->draining = false;
		w->pid = 0;
		return;
	}
	if (!f->lost)
		say("%s; waiting for the next one (what it had not yet "
		    "told is lost)",
		    w->link.why);
	f->lost = true;
	f->again_ms = util_mono_ms() + AGAIN_MS;
}

static void
look(struct follow *f, struct followed *w)
{
	enum link_state before = w->link.state;
	struct ipc_frame frame;
	int n;

	if (before == LINK_DOWN)
		return;
	n = link_read(&w->link, &frame);
	if (n == 1)
		n = take_page(f, w, &frame);
	if (n == -1 || w->link.state == LINK_DOWN)
		ended(f, w);
	else if (before == LINK_CALLED && w->link.state == LINK_READY)
		greeted(f, w);
	else if (w->link.state == LINK_READY)
		ask(w);
	if (w->draining && f->again_ms == -1)
		f->again_ms = util_mono_ms();
}

/* The place for the next one, or NULL. */
static struct followed *
place(struct follow *f)
{
	int i;

	for (i = 0; i < LINKS; i++)
		if (f->one[i].link.state == LINK_DOWN)
			return &f->one[i];
	return NULL;
}

static bool
has_server(const struct follow *f)
{
	int i;

	for (i = 0; i < LINKS; i++)
		if (f->one[i].link.state != LINK_DOWN && !f->one[i].draining)
			return true;
	return false;
}

static void
call(struct follow *f)
{
	struct followed *w = place(f);

	f->again_ms = -1;
	if (has_server(f))
		return;
	if (w == NULL) { /* one of them is about to be ended */
		f->again_ms = util_mono_ms() + AGAIN_MS;
		return;
	}
	if (link_open(&w->link, f->requests->path) == -1)
		ended(f, w);
}

/* --- the loop ------------------------------------------------------------- */

static int
wait_ms(const struct follow *f)
{
	int64_t due, first = f->again_ms, left;
	int i;

	for (i = 0; i < LINKS; i++) {
		due = link_due_ms(&f->one[i].link);
		if (due != -1 && (first == -1 || due < first))
			first = due;
	}
	left = first - util_mono_ms();
	return first == -1 ? -1 : left < 0 ? 0 : (int)left + 1;
}

static void
turn(struct follow *f)
{
	struct pollfd fds[LINKS];
	int i;

	for (i = 0; i < LINKS; i++) /* -1 is left out by poll */
		fds[i] =
		    (struct pollfd){.fd = f->one[i].link.fd, .events = POLLIN};
	(void)poll(fds, LINKS, wait_ms(f));
	for (i = 0; i < LINKS; i++)
		look(f, &f->one[i]);
	if (f->again_ms != -1 && util_mono_ms() >= f->again_ms)
		call(f);
}

int
requests_follow(const struct requests *r)
{
	static struct follow f;
	int i;

	f.requests = r;
	f.again_ms = -1;
	for (i = 0; i < LINKS; i++)
		link_init(&f.one[i].link);
	if (link_open(&f.one[0].link, r->path) == -1)
		return telephonectl_fail(
		    f.one[0].link.code, f.one[0].link.why, "");
	while (!ferror(stdout))
		turn(&f);
	return EX_OK; /* but main() sees to that */
}
