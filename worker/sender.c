/* SPDX-License-Identifier: MIT */
/* `watch` runs while anything is queued, here or in the kernel. */
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <event2/event.h>

#include "sender.h"
#include "timer.h"
#include "util.h"

struct sender {
	struct sender_params params;
	struct outbox outbox;
	struct pace pace;
	struct event *watch;
	bool watching;
	int fd;		  /* borrowed, -1: stopped */
	int64_t began_ms; /* the message being sent, 0: none */
};

static void
watch(struct sender *s)
{
	if (s->watching)
		return;
	s->watching = true;
	timer_set_ms(s->watch, PACE_SAMPLE_MS);
}

static void
sample(struct sender *s)
{
	int queued = 0;

	if (s->fd == -1 || ioctl(s->fd, SIOCOUTQ, &queued) == -1)
		queued = 0;
	pace_sample(&s->pace, (uint64_t)queued, !outbox_is_empty(&s->outbox),
	    util_mono_ms());
}

/* A projection may be wrong, but not for ever: Plugboard gives a telephone up
 * that has sent no heartbeat for 60 s. */
static bool
is_overrun(const struct sender *s, int64_t now_ms)
{
	return s->began_ms != 0 &&
	    now_ms - s->began_ms > s->params.message_ms * 4 / 3;
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct sender *s = arg;
	const struct sender_ops *ops = s->params.ops;
	int64_t now_ms = util_mono_ms();

	(void)fd;
	(void)what;
	s->watching = false;
	sample(s);
	if (outbox_is_empty(&s->outbox) && pace_is_idle(&s->pace))
		return;
	if (now_ms - s->pace.progress_ms > s->params.stall_ms)
		ops->on_stuck(PROTO_REASON_STALLED,
		    "plugboard took no byte within SEND_TIMEOUT",
		    s->params.arg);
	else if (is_overrun(s, now_ms))
		ops->on_stuck(PROTO_REASON_TOO_SLOW,
		    "one answer took far longer than MAX_SEND_TIME",
		    s->params.arg);
	else
		watch(s);
}

int
sender_push(struct sender *s, const struct outbox_message *message, bool urgent)
{
	if (outbox_push(&s->outbox, message, urgent) == -1)
		return -1;
	watch(s);
	return 0;
}

bool
sender_is_empty(const struct sender *s)
{
	return outbox_is_empty(&s->outbox);
}

size_t
sender_held(const struct sender *s)
{
	return s->outbox.held;
}

void
sender_read(struct sender *s, uint8_t *out, size_t cap,
    struct outbox_fragment *fragment)
{
	const struct outbox_message *next = outbox_fresh(&s->outbox);

	if (next != NULL && next->len >= OUTBOX_LONG)
		s->params.ops->on_long(s->params.arg);
	outbox_read(&s->outbox, out, cap, fragment);
}

void
sender_wrote(struct sender *s, const struct outbox_fragment *fragment)
{
	int64_t now_ms = util_mono_ms();

	pace_wrote(&s->pace, fragment->len, now_ms);
	if (fragment->first)
		s->began_ms = now_ms;
	if (!fragment->last)
		return;
	s->began_ms = 0;
	outbox_pop(&s->outbox);
}

const struct pace *
sender_pace(struct sender *s)
{
	sample(s);
	return &s->pace;
}

void
sender_start(struct sender *s, int fd)
{
	s->fd = fd;
	pace_init(&s->pace, util_mono_ms());
}

void
sender_stop(struct sender *s)
{
	if (s == NULL)
		return;
	timer_stop(s->watch);
	s->watching = false;
	s->began_ms = 0;
	s->fd = -1;
	outbox_clear(&s->outbox);
}

struct sender *
sender_create(const struct sender_params *params)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->params = *params;
	s->fd = -1;
	outbox_init(&s->outbox);
	pace_init(&s->pace, util_mono_ms());
	s->watch = timer_create_ms(params->base, on_watch, s);
	return s;
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	sender_stop(s);
	timer_clear(&s->watch);
	free(s);
}
