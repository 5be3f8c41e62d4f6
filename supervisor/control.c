/* SPDX-License-Identifier: MIT */
/* The clients of control.h and what they may ask. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "control.h"
#include "log.h"
#include "peer.h"
#include "reload.h"
#include "service.h"
#include "util.h"
#include "version.h"

#define CLIENTS_MAX 8
/* … of which so many are kept for root, whatever others hold. */
#define ROOT_CLIENTS 2
/* Connections taken in a second; the rest waits in the backlog. */
#define ACCEPTS_MAX 50
#define WINDOW_MS 1000
/* A client that says nothing, and a child that answers nothing. */
#define IDLE_S 30
#define STATUS_S 2
/* A reload may take both of its own bounds. */
#define RELOAD_S 90

struct client {
	TAILQ_ENTRY(client) entry;
	struct control *control;
	struct peer *peer;
	struct event *timer;
	bool wants_worker, wants_tokend; /* a status not yet come */
	bool reloading;
	uint32_t token_id; /* asked of tokend and not yet answered, 0: none */
};

struct control {
	struct service *service;
	struct event *accept;
	struct event *again; /* accepts again */
	int64_t window_ms;   /* when the window of `accepts` began */
	unsigned accepts;
	TAILQ_HEAD(client_list, client) clients;
	unsigned count;
	uint32_t last_id; /* of what is passed on to tokend */
};

static void
client_free(struct client *c)
{
	TAILQ_REMOVE(&c->control->clients, c, entry);
	c->control->count--;
	reload_forget(c->control->service->reload, c);
	peer_free(c->peer);
	event_free(c->timer);
	free(c);
}

static void
set_timer(struct client *c, int seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	(void)evtimer_add(c->timer, &tv);
}

static void
send_text(struct client *c, const char *text)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	peer_send_put(
	    c->peer, PROTO_TEXT, 0, space, proto_put_text(space, text));
}

static void
send_done(struct client *c, int code)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	peer_send_put(
	    c->peer, PROTO_DONE, 0, space, proto_put_u8(space, (uint8_t)code));
	set_timer(c, IDLE_S);
}

/* --- status --------------------------------------------------------------- */

static uint32_t
pid_of(const struct child *c)
{
	return c == NULL ? 0 : (uint32_t)child_pid(c);
}

static void
send_own_status(struct client *c)
{
	const struct service *s = c->control->service;
	struct proto_supervisor_status st;
	uint8_t space[IPC_PAYLOAD_MAX];

	memset(&st, 0, sizeof(st));
	st.uptime_ms = util_mono_ms() - s->started_ms;
	st.pid = (uint32_t)getpid();
	st.worker_pid = pid_of(s->worker);
	st.tokend_pid = pid_of(s->tokend);
	st.generation = s->generation;
	st.worker_restarts = s->worker_restarts;
	st.tokend_restarts = s->tokend_restarts;
	st.root = s->root;
	(void)util_strlcpy(st.version, version, sizeof(st.version));
	(void)util_strlcpy(st.config, s->config->file, sizeof(st.config));
	inspect_url(&s->inspect, &s->conf, st.inspect, sizeof(st.inspect));
	peer_send_put(c->peer, PROTO_SUPERVISOR_STATUS, 0, space,
	    proto_put_supervisor_status(space, &st));
}

static void
end_status(struct client *c)
{
	if (!c->wants_worker && !c->wants_tokend)
		send_done(c, EX_OK);
}

static void
on_status(struct client *c, struct ipc_frame *frame)
{
	struct service *s = c->control->service;

	(void)frame;
	if (c->wants_worker || c->wants_tokend)
		return; /* asked twice: one answer */
	send_own_status(c);
	walls_tell(&s->walls, c->peer);
	c->wants_worker = service_ask_status(s, s->worker);
	c->wants_tokend = service_ask_status(s, s->tokend);
	set_timer(c, STATUS_S);
	end_status(c);
}

void
control_status(struct control *control, const struct ipc_frame *frame)
{
	struct client *c;
	bool worker = frame->type == PROTO_WORKER_STATUS;

	for (c = TAILQ_FIRST(&control->clients); c != NULL;
	     c = TAILQ_NEXT(c, entry)) {
		if (worker ? !c->wants_worker : !c->wants_tokend)
			continue;
		peer_send(
		    c->peer, frame->type, 0, frame->payload, frame->len, -1);
		if (worker)
			c->wants_worker = false;
		else
			c->wants_tokend = false;
		end_status(c);
	}
}

/* --- reload, reconnect, version, log -------------------------------------- */

static void
on_reload_text(const char *line, void *arg)
{
	send_text(arg, line);
}

static void
on_reload_done(int code, void *arg)
{
	struct client *c = arg;

	c->reloading = false;
	send_done(c, code);
}

static const struct reload_ops reload_ops = {on_reload_text, on_reload_done};

static void
on_reload(struct client *c, struct ipc_frame *frame)
{
	(void)frame;
	if (c->reloading)
		return;
	c->reloading = true;
	set_timer(c, RELOAD_S);
	reload_start(c->control->service, &reload_ops, c);
}

static void
on_reconnect(struct client *c, struct ipc_frame *frame)
{
	(void)frame;
	if (service_reconnect(c->control->service)) {
		send_done(c, EX_OK);
		return;
	}
	send_text(c, "the worker is being started, and connects by itself");
	send_done(c, EX_TEMPFAIL);
}

static void
on_log_level(struct client *c, struct ipc_frame *frame)
{
	struct proto_log log;

	if (proto_get_log(frame, &log) == -1) {
		send_text(c, "a level that there is not");
		send_done(c, EX_USAGE);
		return;
	}
	levels_set(c->control->service, &log);
	send_done(c, EX_OK);
}

static void
on_version(struct client *c, struct ipc_frame *frame)
{
	(void)frame;
	send_text(c, version);
	send_done(c, EX_OK);
}

/* --- tokens --------------------------------------------------------------- */

/* Passes a question and its descriptor on, unread. */
static void
pass_on(struct client *c, struct ipc_frame *frame)
{
	struct control *control = c->control;
	struct child *tokend = control->service->tokend;

	if (c->token_id != 0)
		return; /* asked twice: one answer */
	if (tokend == NULL || !child_is_running(tokend)) {
		send_text(c, "tokend is being restarted; try again");
		send_done(c, EX_UNAVAILABLE);
		return;
	}
	if (++control->last_id == 0)
		control->last_id = 1;
	c->token_id = control->last_id;
	peer_send(
	    child_peer(tokend), frame->type, c->token_id, NULL, 0, frame->fd);
	set_timer(c, RELOAD_S);
}

void
control_report(struct control *control, const struct ipc_frame *frame)
{
	struct proto_report report;
	struct client *c;

	for (c = TAILQ_FIRST(&control->clients); c != NULL;
	     c = TAILQ_NEXT(c, entry))
		if (c->token_id != 0 && c->token_id == frame->id)
			break;
	if (c == NULL || proto_get_report(frame, &report) == -1)
		return;
	c->token_id = 0;
	peer_send(c->peer, frame->type, 0, frame->payload, frame->len, -1);
	send_done(c, report.code);
}

void
control_tokend_end(struct control *control)
{
	struct client *c;

	for (c = TAILQ_FIRST(&control->clients); c != NULL;
	     c = TAILQ_NEXT(c, entry)) {
		if (c->token_id == 0)
			continue;
		c->token_id = 0;
		send_text(c, "tokend ended before it answered; try again");
		send_done(c, EX_UNAVAILABLE);
	}
}

/* --- clients -------------------------------------------------------------- */

static const struct {
	enum proto_type type;
	void (*handle)(struct client *, struct ipc_frame *);
} table[] = {
    {PROTO_STATUS, on_status},
    {PROTO_RELOAD, on_reload},
    {PROTO_RECONNECT, on_reconnect},
    {PROTO_VERSION, on_version},
    {PROTO_LOG_LEVEL, on_log_level},
    {PROTO_TOKEN_SET, pass_on},
    {PROTO_TOKEN_ROTATE, pass_on},
};

static void
on_frame(struct peer *peer, struct ipc_frame *frame, void *arg)
{
	size_t i;

	(void)peer;
	for (i = 0; i < UTIL_COUNT(table); i++)
		if (table[i].type == frame->type)
			table[i].handle(arg, frame);
}

static void
on_end(struct peer *peer, enum peer_end end, void *arg)
{
	(void)peer;
	(void)end;
	client_free(arg);
}

static const struct peer_ops peer_ops = {on_frame, on_end};

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (c->wants_worker || c->wants_tokend) {
		c->wants_worker = c->wants_tokend = false;
		end_status(c); /* with what there is */
		return;
	}
	client_free(c);
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
	set_timer(c, IDLE_S);
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
		util_close(&fd);
	} else if (control->count >= clients_max(&peer)) {
		log_warnx(
		    "control socket: more than %u clients", clients_max(&peer));
		util_close(&fd);
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
		client_free(TAILQ_FIRST(&control->clients));
	event_free(control->accept);
	event_free(control->again);
	free(control);
}
