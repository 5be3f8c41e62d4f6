/* SPDX-License-Identifier: MIT */
/* The answers to the children's messages. */
#include <sysexits.h>

#include "control.h"
#include "dispatch.h"
#include "listen.h"
#include "log.h"
#include "notify.h"
#include "reload.h"
#include "service.h"
#include "util.h"

static void
send_conf(struct child *c, const struct conf *conf, unsigned to)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	int i, len;

	for (i = 0; i < CONF_KEYS; i++) {
		len = conf_put(space, conf, (enum conf_id)i, to);
		if (len != 0)
			peer_send_put(child_peer(c), PROTO_CONF, 0, space, len);
	}
}

static void
send_fd(struct child *c, enum proto_fd kind, int fd)
{
	uint8_t byte = (uint8_t)kind;

	if (fd != -1)
		peer_send(child_peer(c), PROTO_FD, 0, &byte, 1, fd);
}

void
service_configure_tokend(struct service *s, const struct conf *conf,
    const struct config_secrets *secrets)
{
	send_conf(s->tokend, conf, CONF_TO_TOKEND);
	send_fd(s->tokend, PROTO_FD_SECRET, secrets->secret);
	send_fd(s->tokend, PROTO_FD_PREVIOUS, secrets->previous);
	send_fd(s->tokend, PROTO_FD_JWT_KEY, secrets->jwt_key);
	send_fd(s->tokend, PROTO_FD_TOKEN, secrets->token);
	peer_send_empty(child_peer(s->tokend), PROTO_CONF_END, 0);
	s->acks_due++;
}

void
service_configure_new_tokend(struct service *s)
{
	struct config_secrets secrets = s->secrets;

	if (s->secret_tried != -1)
		secrets.previous = s->secret_tried;
	s->acks_due = 0;
	service_configure_tokend(s, &s->conf, &secrets);
}

void
service_link(struct service *s, struct child *worker)
{
	int sv[2];

	if (s->tokend == NULL || worker == NULL ||
	    peer_state(child_peer(s->tokend)) == PROTO_NEW ||
	    peer_state(child_peer(worker)) == PROTO_NEW)
		return; /* whichever says HELLO last is linked then */
	if (ipc_pair(sv) == -1) {
		log_warn("no socket pair for worker and tokend");
		return;
	}
	(void)ipc_refuse_fds(sv[0]);
	(void)ipc_refuse_fds(sv[1]);
	send_fd(s->tokend, PROTO_FD_PEER, sv[0]);
	send_fd(worker, PROTO_FD_PEER, sv[1]);
	util_close(&sv[0]);
	util_close(&sv[1]);
}

/* The newest last, as if each had come in its time: that one is asked to
 * refresh, and not one that is about to leave. */
static void
link_all(struct service *s)
{
	size_t i;

	for (i = 0; i < SERVICE_WORKERS_MAX; i++)
		service_link(s, s->old[i]);
	service_link(s, s->worker);
	service_link(s, s->fresh);
}

/* What it opens is nobody's business where there is no page. */
static void
send_inspect(struct service *s, struct child *c)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	if (inspect_is_on(&s->inspect, &s->conf))
		peer_send_put(child_peer(c), PROTO_INSPECT, 0, space,
		    proto_put_inspect(space, s->inspect.token));
}

void
service_give_listener(struct service *s, struct child *worker)
{
	if (peer_state(child_peer(worker)) == PROTO_NEW)
		return; /* it has it when it says HELLO */
	listen_renew(s->listener);
	send_fd(worker, PROTO_FD_LISTENER, s->listener);
}

static void
on_hello(struct child *c, void *arg)
{
	struct service *s = arg;

	levels_tell(s, c);
	if (child_role(c) == PROTO_TOKEND) {
		link_all(s);
		service_configure_new_tokend(s);
		return;
	}
	service_link(s, c);
	send_conf(c, &s->conf, CONF_TO_WORKER);
	if (c != s->fresh)
		service_give_listener(s, c);
	send_inspect(s, c);
	peer_send_empty(child_peer(c), PROTO_CONF_END, 0);
}

static void
on_stranger(struct child *c, const char *build, void *arg)
{
	struct service *s = arg;

	log_errorx("%s was replaced under a running supervisor (%s, this is "
		   "%s): ending, so that the new version can be started",
	    proto_role_name(child_role(c)), build, proto_build());
	if (s->stopping) /* a second call would end the drain */
		child_kill(c, NULL);
	else
		service_stop(s, EX_SOFTWARE);
}

static void
on_conf_ack(struct service *s, struct child *c, struct ipc_frame *frame)
{
	uint8_t code;

	if (proto_get_u8(frame, &code) == -1) {
		child_kill(c, "its CONF_ACK is malformed");
		return;
	}
	if (c != s->tokend || s->acks_due == 0 || --s->acks_due > 0)
		return; /* a worker's, or one that is no longer waited for */
	if (child_is_running(c) && s->reload != NULL)
		reload_on_ack(s->reload, code);
}

static void
on_ready(struct service *s, struct child *c, struct ipc_frame *frame)
{
	(void)frame;
	child_set_running(c);
	levels_tell(s, c); /* its configuration has set LOG_LEVEL's */
	log_debug("%s is ready", proto_role_name(child_role(c)));
	service_tell_walls(s);
	if (s->ready || s->tokend == NULL || s->worker == NULL ||
	    !child_is_running(s->tokend) || !child_is_running(s->worker))
		return;
	s->ready = true;
	notify_send("READY=1");
	log_info("ready: worker pid %d, tokend pid %d", child_pid(s->worker),
	    child_pid(s->tokend));
}

static void
on_sandbox(struct service *s, struct child *c, struct ipc_frame *frame)
{
	if (walls_take(&s->walls, child_role(c), frame) == -1)
		child_kill(c, "its SANDBOX is malformed");
	else
		service_tell_walls(s);
}

static void
on_joined(struct service *s, struct child *c, struct ipc_frame *frame)
{
	(void)frame;
	if (c == s->fresh && s->reload != NULL)
		reload_on_joined(s->reload);
}

static void
on_status(struct service *s, struct child *c, struct ipc_frame *frame)
{
	struct proto_worker_status status;
	struct proto_tokend_status token;

	if (c == s->worker && proto_get_worker_status(frame, &status) == 0) {
		s->joined = status.tunnels_joined > 0;
		notify_worker(&s->notify, &status);
	} else if (c == s->tokend &&
	    proto_get_tokend_status(frame, &token) == 0)
		notify_token(&s->notify, &token);
	/* Of several workers, the one that serves speaks for all. */
	if (s->control != NULL && (c == s->worker || c == s->tokend))
		control_status(s->control, frame);
}

/* What is connected serves the path of the token before, and can be given no
 * token for another: that is a new worker's, and the old one's requests are to
 * be answered. */
static void
on_report(struct service *s, struct child *c, struct ipc_frame *frame)
{
	struct proto_report report;
	bool moved = c == s->tokend && proto_get_report(frame, &report) == 0 &&
	    report.moved;

	if (s->control != NULL && c == s->tokend)
		control_report(s->control, frame);
	if (!moved)
		return;
	log_info("the new token is for another path: a reload moves there");
	service_reload(s);
}

static const struct {
	enum proto_type type;
	void (*handle)(struct service *, struct child *, struct ipc_frame *);
} table[] = {
    {PROTO_CONF_ACK, on_conf_ack},
    {PROTO_READY, on_ready},
    {PROTO_SANDBOX, on_sandbox},
    {PROTO_JOINED, on_joined},
    {PROTO_WORKER_STATUS, on_status},
    {PROTO_TOKEND_STATUS, on_status},
    {PROTO_TOKEN_REPORT, on_report},
};

static void
on_frame(struct child *c, struct ipc_frame *frame, void *arg)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(table); i++)
		if (table[i].type == frame->type)
			table[i].handle(arg, c, frame);
}

const struct child_ops dispatch_ops = {on_hello, on_stranger, on_frame};
