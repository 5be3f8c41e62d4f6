/* SPDX-License-Identifier: MIT */
/* What the clients of control.h may ask, and what they are answered. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "control_parts.h"
#include "log.h"
#include "reload.h"
#include "service.h"
#include "util.h"
#include "version.h"

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
	control_set_timer(c, CONTROL_IDLE_S);
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
	control_set_timer(c, CONTROL_STATUS_S);
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

/* --- reload, drain, reconnect, version, log ------------------------------- */

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
	control_set_timer(c, CONTROL_RELOAD_S);
	reload_start(c->control->service, &reload_ops, c);
}

/* How long it takes is the service's own bound; nothing is to be said to this
 * client before that. */
static void
on_drain(struct client *c, struct ipc_frame *frame)
{
	(void)frame;
	c->draining = true;
	control_no_timer(c);
	service_drain(c->control->service);
}

void
control_stopped(struct control *control, int code)
{
	struct client *c, *next;

	for (c = TAILQ_FIRST(&control->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->draining)
			send_done(c, code);
	}
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
	control_set_timer(c, CONTROL_RELOAD_S);
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

/* --- looking on ----------------------------------------------------------- */

/* Whoever hands it over must know what is on it: the client has not waited for
 * its answer if there is anything. */
static bool
is_quiet(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN;
}

/* The worker that serves goes on with this client: what outsiders wrote is
 * shown by whom they wrote to. */
static void
on_watch(struct client *c, struct ipc_frame *frame)
{
	struct child *worker = c->control->service->worker;
	int fd;

	(void)frame;
	if (worker == NULL || !child_is_running(worker)) {
		send_text(c, "the worker is being started; try again");
		send_done(c, EX_TEMPFAIL);
		return;
	}
	if (peer_waiting(child_peer(worker)) > 0) {
		send_text(c, "the worker does not answer");
		send_done(c, EX_UNAVAILABLE);
		return;
	}
	fd = control_release(c);
	/* Closing one may take time, which the worker has not. */
	(void)ipc_refuse_fds(fd);
	if (!is_quiet(fd)) {
		ipc_close(&fd);
		return;
	}
	peer_send(child_peer(worker), PROTO_WATCHER, 0, NULL, 0, fd);
	(void)close(fd); /* nothing of it is shut down: it lives there */
}

/* --- the table ------------------------------------------------------------ */

static const struct {
	enum proto_type type;
	void (*handle)(struct client *, struct ipc_frame *);
} table[] = {
    {PROTO_STATUS, on_status},
    {PROTO_RELOAD, on_reload},
    {PROTO_DRAIN, on_drain},
    {PROTO_RECONNECT, on_reconnect},
    {PROTO_VERSION, on_version},
    {PROTO_LOG_LEVEL, on_log_level},
    {PROTO_TOKEN_SET, pass_on},
    {PROTO_TOKEN_ROTATE, pass_on},
    {PROTO_WATCH, on_watch},
};

void
control_ask(struct client *c, struct ipc_frame *frame)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(table); i++) {
		if (table[i].type == frame->type) {
			table[i].handle(c, frame);
			return; /* it may be gone */
		}
	}
}

bool
control_give_up(struct client *c)
{
	if (!c->wants_worker && !c->wants_tokend)
		return false;
	c->wants_worker = c->wants_tokend = false;
	end_status(c); /* with what there is */
	return true;
}
