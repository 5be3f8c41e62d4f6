/* SPDX-License-Identifier: MIT */
/* The clients of control.h: who may come, how many, and for how long. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "control_parts.h"
#include "log.h"
#include "reload.h"
#include "service.h"
#include "util.h"

#define CLIENTS_MAX 8
/* … of which so many are kept for root, whatever others hold. */
#define ROOT_CLIENTS 2
/* Connections taken in a second; the rest waits in the backlog. */
#define ACCEPTS_MAX 50
#define WINDOW_MS 1000
/* --- clients -------------------------------------------------------------- */

int
control_release(struct client *c)
{
	int fd = peer_release(c->peer);

	TAILQ_REMOVE(&c->control->clients, c, entry);
	c->control->count--;
	reload_forget(c->control->service->reload, c);
	event_free(c->timer);
	free(c);
	return fd;
}

void
control_drop(struct client *c)
{
	int fd = control_release(c);

	ipc_close(&fd);
}

void
control_set_timer(struct client *c, int seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	(void)evtimer_add(c->timer, &tv);
}

void
control_no_timer(struct client *c)
{
	(void)evtimer_del(c->timer);
}

static void
on_frame(struct peer *peer, struct ipc_frame *frame, void *arg)
{
	(void)peer;
	control_ask(arg, frame);
}

static void
on_end(struct peer *peer, enum peer_end end, void *arg)
{
	(void)peer;
	(void)end;
	control_drop(arg);
}

static const struct peer_ops peer_ops = {on_frame, on_end};

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (!control_give_up(c))
		control_drop(c);
}

static void
client_create(struct control *control, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	struct peer_params params = {
	    .base = control->service->base,
	    .fd = fd,
	    .self = PROTO_SUPERVISOR,
	    .other = PROTO_CTL,
	    .ops = &peer_ops,
	    .arg = c,
	};

	if (c == NULL)
		fatalx("out of memory");
	c->control = control;
	c->timer = evtimer_new(params.base, on_timer, c);
	if (c->timer == NULL)
		fatalx("out of memory");
	c->peer = peer_create(&params);
	peer_set_state(c->peer, PROTO_RUNNING);
	TAILQ_INSERT_TAIL(&control->clients, c, entry);
	control->count++;
	control_set_timer(c, CONTROL_IDLE_S);
}

static bool
is_in_group(int fd, const struct ucred *peer, gid_t group)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);
	size_t i;

	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return false;
	for (i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* Root, our own user, or a member of group "telephone": the socket's mode
 * lets nobody else in, but a mode can be changed by mistake. */
static bool
may_ask(int fd, const struct ucred *peer)
{
	struct group *gr;

	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	gr = getgrnam("telephone");
	return gr != NULL && is_in_group(fd, peer, gr->gr_gid);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	(void)event_add(control->accept, NULL);
}

/* Whoever connects without end is made to wait, with everybody else on this
 * socket: the service itself must not. */
static void
slow_down(struct control *control)
{
	static const struct timeval pause = {.tv_sec = WINDOW_MS / 1000};
	int64_t now_ms = util_mono_ms();

	if (now_ms - control->window_ms >= WINDOW_MS) {
		control->window_ms = now_ms;
		control->accepts = 0;
	}
	if (++control->accepts < ACCEPTS_MAX)
		return;
	log_warnx("control socket: %d connections within a second: it rests",
	    ACCEPTS_MAX);
	(void)event_del(control->accept);
	(void)evtimer_add(control->again, &pause);
}

static unsigned
clients_max(const struct ucred *peer)
{
	return peer->uid == 0 ? CLIENTS_MAX : CLIENTS_MAX - ROOT_CLIENTS;
}

/* Says why, as far as the socket's buffer takes it, and ends it. */
static void
refuse(int fd, int code, const char *why)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame frame = {
	    .type = PROTO_TEXT, .payload = space, .fd = -1};

	frame.len = (uint32_t)proto_put_text(space, why);
	(void)ipc_send(fd, &frame);
	frame.type = PROTO_DONE;
	frame.len = (uint32_t)proto_put_u8(space, (uint8_t)code);
	(void)ipc_send(fd, &frame);
	ipc_close(&fd);
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct control *control = arg;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	int fd;

	(void)what;
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return;
	slow_down(control);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1 ||
	    !may_ask(fd, &peer)) {
		log_warnx(
		    "control socket: uid %d may not ask here", (int)peer.uid);
		refuse(fd, EX_NOPERM,
		    "you may not ask this telephone (be root, its user, "
		    "or in group telephone)");
	} else if (control->count >= clients_max(&peer)) {
		log_warnx(
		    "control socket: more than %u clients", clients_max(&peer));
		refuse(fd, EX_UNAVAILABLE,
		    "too many ask this telephone at once; try again");
	} else {
		client_create(control, fd);
	}
}

struct control *
control_create(struct service *s, int fd)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		fatalx("out of memory");
	control->service = s;
	TAILQ_INIT(&control->clients);
	control->accept =
	    event_new(s->base, fd, EV_READ | EV_PERSIST, on_accept, control);
	control->again = evtimer_new(s->base, on_again, control);
	if (control->again == NULL)
		fatalx("out of memory");
	if (control->accept == NULL || event_add(control->accept, NULL) == -1)
		fatalx("out of memory");
	return control;
}

void
control_free(struct control *control)
{
	if (control == NULL)
		return;
	while (!TAILQ_EMPTY(&control->clients))
		control_drop(TAILQ_FIRST(&control->clients));
	event_free(control->accept);
	event_free(control->again);
	free(control);
}
