/* SPDX-License-Identifier: MIT */
/* The places and the conversation of watchers.h; the answers are in
 * watchers_answer.c. */
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "ledger.h"
#include "log.h"
#include "peer.h"
#include "timer.h"
#include "util.h"
#include "watch.h"
#include "watchers.h"
#include "watchers_answer.h"

/* Whoever asks nothing for so long. */
#define IDLE_MS 30000
/* An answer is at most so often: it may cost as much as a request. */
#define PACE_MS 10
/* Who waits for what ends is looked after so often. */
#define LOOK_MS 40

struct watcher {
	TAILQ_ENTRY(watcher) entry;
	struct watchers *owner;
	struct peer *peer;
	struct event *timer;
	bool root;
	uint16_t asked; /* the question that is to be answered, 0: none */
	struct watch_question question;
	int64_t asked_ms, answered_ms;
};

struct watchers {
	struct event_base *base;
	struct watchers_source source;
	TAILQ_HEAD(watcher_list, watcher) list;
	unsigned count, others; /* … than root */
};

static void
let_go(struct watcher *c)
{
	struct watchers *w = c->owner;

	TAILQ_REMOVE(&w->list, c, entry);
	w->count--;
	w->others -= !c->root;
	timer_clear(&c->timer);
	peer_free(c->peer);
	free(c);
}

/* --- answering ------------------------------------------------------------ */

static void
answer(struct watcher *c)
{
	static uint8_t space[IPC_PAYLOAD_MAX];
	const struct watchers_source *source = &c->owner->source;
	bool load = c->asked == PROTO_LOAD_GET;
	int len = load ? watchers_load(source, space)
		       : watchers_page(source, &c->question, space);

	c->asked = 0;
	c->answered_ms = util_mono_ms();
	peer_send_put(
	    c->peer, load ? PROTO_LOAD : PROTO_EXCHANGES, 0, space, len);
}

/* Whether it has what it waits for, or has waited long enough. */
static bool
is_due(const struct watcher *c, int64_t now_ms)
{
	const struct watchers_source *source = &c->owner->source;

	return c->asked != PROTO_EXCHANGES_GET ||
	    (c->question.flags & WATCH_WAIT) == 0 || source->draining ||
	    source->ledger->ended > c->question.after ||
	    now_ms - c->asked_ms >= WATCH_WAIT_MS;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct watcher *c = arg;

	(void)fd;
	(void)what;
	if (c->asked == 0) {
		let_go(c);
	} else if (is_due(c, util_mono_ms())) {
		answer(c);
		timer_set_ms(c->timer, IDLE_MS);
	} else {
		timer_set_ms(c->timer, LOOK_MS);
	}
}

/* --- asking --------------------------------------------------------------- */

/* Not before the last one was answered, and that taken. */
static void
on_frame(struct peer *peer, struct ipc_frame *frame, void *arg)
{
	struct watcher *c = arg;

	if (c->asked != 0 || peer_waiting(peer) > 0) {
		log_warnx("telephonectl asks without reading");
		let_go(c);
		return;
	}
	if (frame->type == PROTO_EXCHANGES_GET &&
	    watch_get_question(frame, &c->question) == -1) {
		log_warnx("telephonectl sent a malformed question");
		let_go(c);
		return;
	}
	c->asked = frame->type;
	c->asked_ms = util_mono_ms();
	timer_set_ms(c->timer, c->answered_ms + PACE_MS - c->asked_ms);
}

static void
on_end(struct peer *peer, enum peer_end end, void *arg)
{
	(void)peer;
	(void)end;
	let_go(arg);
}

static const struct peer_ops peer_ops = {on_frame, on_end};

/* --- coming --------------------------------------------------------------- */

static bool
has_option(int fd, int name, int want)
{
	socklen_t len = sizeof(want);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 &&
	    value == want;
}

/* The supervisor sends nothing else; but it is the one thing that an outsider
 * has made and that gets in here. */
static bool
is_client(int fd, struct ucred *who)
{
	socklen_t len = sizeof(*who);

	return has_option(fd, SO_DOMAIN, AF_UNIX) &&
	    has_option(fd, SO_TYPE, SOCK_SEQPACKET) &&
	    has_option(fd, SO_ACCEPTCONN, 0) &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len) == 0 &&
	    util_nonblock(fd) == 0;
}

static bool
has_place(const struct watchers *w, bool root)
{
	return w->count < WATCHERS_MAX &&
	    (root || w->others < WATCHERS_MAX - WATCHERS_ROOT);
}

static void
refuse(int fd)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame frame = {
	    .type = PROTO_TEXT, .payload = space, .fd = -1};

	frame.len = (uint32_t)proto_put_text(
	    space, "too many look on already: end one of them");
	(void)ipc_send(fd, &frame);
	frame.type = PROTO_DONE;
	frame.len = (uint32_t)proto_put_u8(space, EX_UNAVAILABLE);
	(void)ipc_send(fd, &frame);
	ipc_close(&fd);
}

static void
greet(struct watcher *c)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	const struct metrics *m = c->owner->source.metrics;
	const struct watch_greeting greeting = {
	    .pid = (uint32_t)getpid(),
	    .started_s = metrics_get(m, METRICS_START_TIME),
	};

	peer_send_put(c->peer, PROTO_WATCHED, 0, space,
	    watch_put_greeting(space, &greeting));
	timer_set_ms(c->timer, IDLE_MS);
}

void
watchers_add(struct watchers *w, int fd)
{
	struct ucred who = {.uid = (uid_t)-1};
	struct peer_params params = {
	    .base = w->base,
	    .fd = fd,
	    .self = PROTO_WORKER,
	    .other = PROTO_CTL,
	    .ops = &peer_ops,
	};
	struct watcher *c = NULL;

	if (!is_client(fd, &who)) {
		log_warnx("what the supervisor handed over is no client");
		ipc_close_fd(&fd);
		return;
	}
	if (has_place(w, who.uid == 0))
		c = calloc(1, sizeof(*c));
	if (c == NULL) {
		refuse(fd);
		return;
	}
	c->owner = w;
	c->root = who.uid == 0;
	c->timer = timer_create_ms(w->base, on_timer, c);
	params.arg = c;
	c->peer = peer_create(&params);
	peer_set_state(c->peer, PROTO_RUNNING);
	TAILQ_INSERT_TAIL(&w->list, c, entry);
	w->count++;
	w->others += !c->root;
	greet(c);
}

/* --- life ----------------------------------------------------------------- */

void
watchers_drain(struct watchers *w)
{
	struct watcher *c;

	w->source.draining = true;
	TAILQ_FOREACH(c, &w->list, entry)
	if (c->asked != 0)
		timer_set_ms(c->timer, 0);
}

struct watchers *
watchers_create(struct event_base *base, const struct ledger *ledger,
    const struct metrics *metrics)
{
	struct watchers *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatalx("out of memory");
	w->base = base;
	w->source.ledger = ledger;
	w->source.metrics = metrics;
	TAILQ_INIT(&w->list);
	return w;
}

void
watchers_free(struct watchers *w)
{
	struct watcher *c;

	if (w == NULL)
		return;
	while ((c = TAILQ_FIRST(&w->list)) != NULL) {
		if (c->asked != 0)
			answer(c);
		let_go(c);
	}
	free(w);
}
