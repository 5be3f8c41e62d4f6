/* SPDX-License-Identifier: MIT */
/*
 * `telephonectl requests`: the exchanges that the worker remembers and those
 * that run, once; or (telephonectl_follow.c) each as it ends.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "buf.h"
#include "log.h"
#include "proto.h"
#include "telephonectl.h"
#include "telephonectl_link.h"
#include "telephonectl_requests.h"
#include "telephonectl_row.h"
#include "util.h"

#define LAST 20

/* --- printing ------------------------------------------------------------- */

void
requests_head(const struct requests *r)
{
	char line[ROW_SIZE];

	if (r->json)
		return;
	row_head(line, sizeof(line), r->width);
	(void)puts(line);
}

void
requests_print(const struct requests *r, const struct exchange *e)
{
	static struct buf out = {.max = 1u << 16};
	char line[ROW_SIZE];

	if (!r->json) {
		row_put(line, sizeof(line), e, r->width);
		(void)puts(line);
		return;
	}
	buf_reset(&out);
	if (exchange_json(&out, e) == -1 || buf_putc(&out, '\n') == -1)
		fatalx("out of memory");
	(void)fwrite(out.data, 1, out.len, stdout);
}

void
requests_keep(const struct requests *r, struct requests_tail *tail,
    const struct exchange *e)
{
	if (r->last == 0 || !filter_takes(&r->filter, e))
		return;
	tail->kept[tail->count++ % r->last] = *e;
}

void
requests_flush(const struct requests *r, struct requests_tail *tail)
{
	unsigned i = tail->count > r->last ? tail->count - r->last : 0;

	for (; i < tail->count; i++)
		requests_print(r, &tail->kept[i % r->last]);
	tail->count = 0;
}

/* --- asking --------------------------------------------------------------- */

/* Waits until the link says anything; 1 with an answer, 0 when it is ready,
 * -1 when it is over. */
static int
await(struct link *l, struct ipc_frame *frame)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	int64_t left_ms;
	int n = 0;

	while (l->state == LINK_CALLED || l->state == LINK_ASKED) {
		left_ms = link_due_ms(l) - util_mono_ms();
		(void)poll(&p, 1, left_ms < 0 ? 0 : (int)left_ms);
		n = link_read(l, frame);
		if (n != 0)
			break;
	}
	return n;
}

/* Of what was asked for; each is newer than the last, so that pages end. */
static int
take_page(const struct requests *r, struct watch_question *question,
    const struct ipc_frame *frame, struct requests_tail *tail, bool *more)
{
	bool running = (question->flags & WATCH_RUNNING) != 0;
	uint64_t before = question->after, key;
	struct watch_page page;
	struct exchange e;
	struct unpack u;
	int n;

	if (watch_page_open(frame, &page, &u) == -1)
		return -1;
	while ((n = watch_page_next(&u, &e)) == 1) {
		key = running ? e.number : e.seq;
		if (key <= question->after)
			return -1;
		question->after = key;
		if (!running)
			requests_keep(r, tail, &e);
		else if (filter_takes(&r->filter, &e))
			requests_print(r, &e);
	}
	*more = page.more;
	return n == -1 || (page.more && question->after == before) ? -1 : 0;
}

/* One list, page by page: 0, or -1 when it is over. */
static int
collect(const struct requests *r, struct link *l, uint8_t flags,
    struct requests_tail *tail)
{
	struct watch_question question = {.flags = flags};
	uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame frame;
	bool more = true;

	while (more) {
		link_ask(l, PROTO_EXCHANGES_GET, space,
		    watch_put_question(space, &question), 0);
		if (await(l, &frame) != 1)
			return -1;
		if (frame.type != PROTO_EXCHANGES ||
		    take_page(r, &question, &frame, tail, &more) == -1)
			return link_refuse(l, proto_name(frame.type));
	}
	return 0;
}

static int
once(const struct requests *r)
{
	static struct requests_tail tail;
	static struct link l;
	struct ipc_frame frame;

	link_init(&l);
	if (link_open(&l, r->path) == -1 || await(&l, &frame) == -1)
		return telephonectl_fail(l.code, l.why, "");
	requests_head(r);
	if (!r->in_flight && collect(r, &l, 0, &tail) == -1)
		return telephonectl_fail(l.code, l.why, "");
	requests_flush(r, &tail);
	if (collect(r, &l, WATCH_RUNNING, &tail) == -1)
		return telephonectl_fail(l.code, l.why, "");
	link_close(&l);
	return EX_OK;
}

/* --- the command line ----------------------------------------------------- */

enum {
	OPTION_IN_FLIGHT = 256,
	OPTION_STATUS,
	OPTION_SLOW,
	OPTION_PATH,
	OPTION_FAILED,
	OPTION_JSON,
};

static const struct option longs[] = {
    {"follow", no_argument, NULL, 'f'},
    {"in-flight", no_argument, NULL, OPTION_IN_FLIGHT},
    {"status", required_argument, NULL, OPTION_STATUS},
    {"slow", required_argument, NULL, OPTION_SLOW},
    {"path", required_argument, NULL, OPTION_PATH},
    {"failed", no_argument, NULL, OPTION_FAILED},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0},
};

static const char *
take_last(struct requests *r, const char *text)
{
	char *rest;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &rest, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *rest != '\0' ||
	    n > REQUESTS_LAST_MAX)
		return "-n takes a number from 0 to 1024";
	r->last = (unsigned)n;
	return NULL;
}

/* NULL, or what is wrong. */
static const char *
take_option(struct requests *r, int c)
{
	switch (c) {
	case 'f':
		r->follow = true;
		return NULL;
	case 'n':
		return take_last(r, optarg);
	case OPTION_IN_FLIGHT:
		r->in_flight = true;
		return NULL;
	case OPTION_STATUS:
		return filter_status(&r->filter, optarg);
	case OPTION_SLOW:
		return filter_slow(&r->filter, optarg);
	case OPTION_PATH:
		r->filter.path = optarg;
		return NULL;
	case OPTION_FAILED:
		r->filter.failed = true;
		return NULL;
	case OPTION_JSON:
		r->json = true;
		return NULL;
	default:
		return "";
	}
}

int
telephonectl_requests(const char *path, int argc, char **argv)
{
	static char name[] = "telephonectl requests";
	struct requests r = {.path = path, .last = LAST};
	const char *fault;
	int c;

	argv[0] = name; /* for what getopt says */
	optind = 0;	/* a command line of its own */
	while ((c = getopt_long(argc, argv, "+fn:", longs, NULL)) != -1) {
		fault = take_option(&r, c);
		if (fault != NULL && fault[0] == '\0') /* said by getopt */
			return EX_USAGE;
		if (fault != NULL)
			return telephonectl_fail(EX_USAGE, fault, "");
	}
	if (optind < argc)
		return telephonectl_fail(
		    EX_USAGE, "unexpected argument", argv[optind]);
	if (r.follow && r.in_flight)
		return telephonectl_fail(EX_USAGE,
		    "--follow shows what ends, --in-flight what has not: one "
		    "of them (or telephonectl top)",
		    "");
	text_init();
	r.width = text_width(ROW_WIDTH_MIN, ROW_WIDTH_MAX);
	return r.follow ? requests_follow(&r) : once(&r);
}
