/* SPDX-License-Identifier: MIT */
/*
 * `telephonectl top`: each second a status from the supervisor and, on a
 * socket of its own, three answers of the worker: figures, what is in flight,
 * what has failed. Either half may be missing, and is then said to be.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "proto.h"
#include "telephonectl.h"
#include "telephonectl_frame.h"
#include "telephonectl_link.h"
#include "telephonectl_poll.h"
#include "telephonectl_screen.h"
#include "telephonectl_text.h"
#include "util.h"

#define DELAY_MS 1000
/* The supervisor is asked, and called for the worker, no oftener than this,
 * however quick the frames: it takes 50 calls a second from all. */
#define CALL_MS 1000
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS (3600 * 1000)
#define FRAMES_MAX 1000000
#define HELP "q quits"

/* What the worker is asked in turn. */
enum step {
	STEP_LOAD,
	STEP_RUNNING,
	STEP_FAILED,
	STEPS
};

struct top {
	const char *path;
	int64_t delay_ms, next_ms;
	int64_t call_ms;      /* the supervisor, not before */
	unsigned long frames; /* plain ones that are wanted, 0: a terminal */
	unsigned long shown;
	struct poll_status poll;
	struct link link;
	char fault[LINK_WHY_MAX]; /* why the worker was not seen; "": it was */
	enum step step;
	uint32_t pid;	       /* whose failures these are */
	uint64_t failed_after; /* the last seq that was looked at */
	struct model model;
	struct exchange slowest[FRAME_LIST_MAX];
	struct exchange failures[FRAME_LIST_MAX]; /* a ring */
	struct exchange newest[FRAME_LIST_MAX];	  /* … in order */
	unsigned slowest_count, failure_count;
	struct frame frame;
	int code;
};

/* --- drawing -------------------------------------------------------------- */

static unsigned
sort_failures(struct top *t)
{
	unsigned n = t->failure_count < FRAME_LIST_MAX ? t->failure_count
						       : FRAME_LIST_MAX;
	unsigned i;

	for (i = 0; i < n; i++)
		t->newest[i] =
		    t->failures[(t->failure_count - 1 - i) % FRAME_LIST_MAX];
	return n;
}

static void
render(struct top *t, unsigned rows, unsigned columns)
{
	const struct poll_status *p = &t->poll;
	struct view v = {
	    .status = p->has_status ? &p->status : NULL,
	    .status_fault = p->why[0] != '\0' ? p->why : NULL,
	    .model = &t->model,
	    .slowest = t->slowest,
	    .slowest_count = t->slowest_count,
	    .failures = t->newest,
	    .wall_ms = util_wall_ms(),
	    .help = t->frames == 0 ? HELP : NULL,
	};

	v.failure_count = sort_failures(t);
	if (t->fault[0] != '\0' && strcmp(t->fault, p->why) != 0)
		v.worker_fault = t->fault;
	frame_render(&t->frame, &v, rows, columns);
}

static void
draw(struct top *t)
{
	unsigned rows, columns;

	screen_size(&rows, &columns);
	render(t, rows, columns);
	screen_draw(&t->frame);
}

/* Without a terminal: so many frames, an empty line between them. */
static void
print_plain(struct top *t)
{
	unsigned i;

	render(t, FRAME_ROWS_MAX, text_width(20, FRAME_COLUMNS_MAX));
	if (t->shown++ > 0)
		(void)putchar('\n');
	for (i = 0; i < t->frame.count; i++)
		(void)printf("%.*s\n", (int)t->frame.line[i].len,
		    (const char *)t->frame.text.data + t->frame.line[i].at);
	(void)fflush(stdout);
}

/* --- the worker ----------------------------------------------------------- */

static void
ask(struct top *t)
{
	struct watch_question q = {0, WATCH_RUNNING | WATCH_REQUESTS};
	uint8_t space[IPC_PAYLOAD_MAX];

	if (t->step == STEP_LOAD) {
		link_ask(&t->link, PROTO_LOAD_GET, NULL, 0, 0);
		return;
	}
	if (t->step == STEP_FAILED)
		q = (struct watch_question){t->failed_after, WATCH_FAILED};
	link_ask(&t->link, PROTO_EXCHANGES_GET, space,
	    watch_put_question(space, &q), 0);
}

static int
take_load(struct top *t, const struct ipc_frame *frame)
{
	struct watch_load load;

	if (frame->type != PROTO_LOAD || watch_get_load(frame, &load) == -1)
		return -1;
	model_add(&t->model, t->link.greeting.pid, &load);
	return 0;
}

/* Those that run come in the order of their beginnings: the first are the
 * slowest. */
static int
take_list(struct top *t, const struct ipc_frame *frame)
{
	bool running = t->step == STEP_RUNNING;
	struct watch_page page;
	struct exchange e;
	struct unpack u;
	int n;

	if (frame->type != PROTO_EXCHANGES ||
	    watch_page_open(frame, &page, &u) == -1)
		return -1;
	if (running)
		t->slowest_count = 0;
	while ((n = watch_page_next(&u, &e)) == 1) {
		if (!running) {
			t->failures[t->failure_count++ % FRAME_LIST_MAX] = e;
			t->failed_after = e.seq;
		} else if (t->slowest_count < FRAME_LIST_MAX)
			t->slowest[t->slowest_count++] = e;
	}
	if (!running && !page.more)
		t->failed_after = page.ended;
	/* Another one serves: from here on it is asked. */
	if (page.draining)
		link_close(&t->link);
	return n;
}

static void
forget(struct top *t)
{
	t->pid = t->link.greeting.pid;
	t->failed_after = 0;
	t->failure_count = 0;
	t->slowest_count = 0;
}

/* What was known of it is not so any more; what has failed has. */
static void
lose_worker(struct top *t)
{
	(void)util_strlcpy(t->fault, t->link.why, sizeof(t->fault));
	t->slowest_count = 0;
	model_forget(&t->model);
}

static void
look_at_worker(struct top *t)
{
	enum link_state before = t->link.state;
	struct ipc_frame frame;
	int n;

	if (before == LINK_DOWN)
		return;
	n = link_read(&t->link, &frame);
	if (n == 1) {
		n = t->step == STEP_LOAD ? take_load(t, &frame)
					 : take_list(t, &frame);
		if (n == -1)
			n = link_refuse(&t->link, proto_name(frame.type));
		t->step++;
	}
	if (n == -1) {
		lose_worker(t);
		return;
	}
	if (t->link.state != LINK_READY || before == LINK_READY)
		return;
	if (before == LINK_CALLED) {
		if (t->link.greeting.pid != t->pid)
			forget(t);
		t->step = STEP_LOAD;
	}
	if (t->step < STEPS)
		ask(t);
	else
		t->fault[0] = '\0';
}

/* --- the loop ------------------------------------------------------------- */

static void
call(struct top *t)
{
	t->call_ms = util_mono_ms() + CALL_MS;
	poll_ask(&t->poll, t->path);
	if (t->link.state == LINK_DOWN && link_open(&t->link, t->path) == -1)
		lose_worker(t);
}

static void
begin_round(struct top *t)
{
	if (util_mono_ms() >= t->call_ms)
		call(t);
	if (t->link.state == LINK_READY) {
		t->step = STEP_LOAD;
		ask(t);
	}
}

/* Whether what was asked in this round is answered, or will not be. */
static bool
is_round_over(const struct top *t)
{
	return t->poll.fd == -1 && t->link.state != LINK_CALLED &&
	    t->link.state != LINK_ASKED;
}

static void
wait_for(struct top *t, struct pollfd fds[4])
{
	int64_t left_ms = t->next_ms - util_mono_ms();

	fds[0] = (struct pollfd){.fd = t->poll.fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = t->link.fd, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[3] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (t->frames == 0) {
		fds[2].fd = screen_signal_fd();
		fds[3].fd = STDIN_FILENO;
	}
	if (poll(fds, 4, left_ms < 0 ? 0 : (int)left_ms) == -1)
		fds[3].revents = 0; /* interrupted: nothing was looked at */
}

/* True: it is over, with t->code. */
static bool
turn_screen(struct top *t, bool round_over, const struct pollfd *input)
{
	switch (screen_read(input->revents != 0, &t->code)) {
	case SCREEN_QUIT:
		return true;
	case SCREEN_REDRAW:
		draw(t);
		return false;
	case SCREEN_NOTHING:
		break;
	}
	if (round_over)
		draw(t);
	return false;
}

/* The first round has no rates yet, and is not shown; nor is one in which
 * nothing is known yet of the telephone. */
static bool
turn_plain(struct top *t, bool tick, unsigned long rounds)
{
	bool asked = t->poll.has_status || t->poll.why[0] != '\0';

	if (!tick || rounds < 2 || !asked)
		return false;
	print_plain(t);
	t->code = t->poll.why[0] != '\0' ? t->poll.code : EX_OK;
	return t->shown >= t->frames || ferror(stdout);
}

static int
run(struct top *t)
{
	struct pollfd fds[4];
	unsigned long rounds = 0;
	bool was_over = true, over, tick = true;

	for (;;) {
		if (tick) {
			t->next_ms = util_mono_ms() + t->delay_ms;
			begin_round(t);
			was_over = false;
		}
		wait_for(t, fds);
		(void)poll_read(&t->poll);
		look_at_worker(t);
		tick = util_mono_ms() >= t->next_ms;
		over = (is_round_over(t) && !was_over) || tick;
		was_over = is_round_over(t) || was_over;
		rounds += tick;
		if (t->frames == 0 ? turn_screen(t, over, &fds[3])
				   : turn_plain(t, tick, rounds))
			return t->code;
	}
}

/* --- the command line ----------------------------------------------------- */

static const char *
take_delay(struct top *t, const char *text)
{
	char *rest;
	double s = strtod(text, &rest);

	if (rest == text || *rest != '\0' ||
	    !(s * 1000 >= DELAY_MIN_MS && s * 1000 <= DELAY_MAX_MS))
		return "-d takes seconds from 0.1 to 3600";
	t->delay_ms = (int64_t)(s * 1000);
	return NULL;
}

static const char *
take_frames(struct top *t, const char *text)
{
	char *rest;

	errno = 0;
	t->frames = strtoul(text, &rest, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *rest != '\0' ||
	    t->frames == 0 || t->frames > FRAMES_MAX)
		return "-n takes a number from 1 to 1000000";
	return NULL;
}

static int
start(struct top *t)
{
	int code;

	if (t->frames == 0 && !screen_is_there())
		return telephonectl_fail(EX_USAGE,
		    "top needs a terminal that can move its cursor (TERM); "
		    "-n FRAMES prints so many plain ones",
		    "");
	/* Said on a terminal as it was. */
	if (link_open(&t->link, t->path) == -1)
		return telephonectl_fail(t->link.code, t->link.why, "");
	if (t->frames == 0 && screen_open() == -1)
		return telephonectl_fail(
		    EX_OSERR, "the terminal", strerror(errno));
	code = run(t);
	screen_close();
	return code;
}

int
telephonectl_top(const char *path, int argc, char **argv)
{
	static char name[] = "telephonectl top";
	static struct top t;
	const char *fault;
	int c, code;

	argv[0] = name; /* for what getopt says */
	t.path = path;
	t.delay_ms = DELAY_MS;
	optind = 0; /* a command line of its own */
	while ((c = getopt(argc, argv, "+d:n:")) != -1) {
		if (c == '?')
			return EX_USAGE;
		fault =
		    c == 'd' ? take_delay(&t, optarg) : take_frames(&t, optarg);
		if (fault != NULL)
			return telephonectl_fail(EX_USAGE, fault, "");
	}
	if (optind < argc)
		return telephonectl_fail(
		    EX_USAGE, "unexpected argument", argv[optind]);
	text_init();
	frame_init(&t.frame);
	poll_init(&t.poll);
	link_init(&t.link);
	code = start(&t);
	poll_close(&t.poll);
	link_close(&t.link);
	frame_clear(&t.frame);
	return code;
}
