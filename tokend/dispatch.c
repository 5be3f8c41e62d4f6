/* SPDX-License-Identifier: MIT */
/*
 * Birth: HELLO → CONF…, FD… → CONF_END: drop → sandbox → judge secret and
 * token → open the store → CONF_ACK → READY. The same messages again, in
 * RUNNING, are a reload: all of it is judged before any of it is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "conf.h"
#include "dispatch.h"
#include "keeper.h"
#include "log.h"
#include "peer.h"
#include "priv.h"
#include "refresh.h"
#include "sandbox.h"
#include "sandbox_report.h"
#include "store_fault.h"
#include "util.h"
#include "workers.h"

struct dispatch {
	struct event_base *base;
	struct peer *supervisor;
	pid_t parent;
	struct conf conf, next; /* next: being received */
	struct inputs inputs;
	struct keeper keeper;
	struct refresh *refresh;
	struct workers *workers;
	int exit_code;
};

static void
leave(struct dispatch *d, int code)
{
	d->exit_code = code;
	(void)event_base_loopbreak(d->base);
}

static bool
on_ask(uint32_t id, void *arg)
{
	struct dispatch *d = arg;

	return workers_ask(d->workers, id);
}

static void
on_change(void *arg)
{
	struct dispatch *d = arg;

	workers_news(d->workers);
}

static void
on_end(void *arg)
{
	struct dispatch *d = arg;

	workers_figures(d->workers);
}

static const struct refresh_ops refresh_ops = {on_ask, on_change, on_end};

/* --- birth and reload ----------------------------------------------------- */

static void
on_conf(struct dispatch *d, struct ipc_frame *frame)
{
	if (conf_get(frame, &d->next, CONF_TO_TOKEND) == -1)
		fatalx("the supervisor sent a malformed CONF");
}

static void
take_fd(int *slot, struct ipc_frame *frame)
{
	util_close(slot);
	*slot = frame->fd;
	frame->fd = -1;
}

static void
on_fd(struct dispatch *d, struct ipc_frame *frame)
{
	uint8_t kind;

	if (proto_get_u8(frame, &kind) == -1)
		fatalx("the supervisor sent a malformed FD");
	switch (kind) {
	case PROTO_FD_SECRET:
		take_fd(&d->inputs.secret, frame);
		break;
	case PROTO_FD_PREVIOUS:
		take_fd(&d->inputs.previous, frame);
		break;
	case PROTO_FD_JWT_KEY:
		take_fd(&d->inputs.jwt_key, frame);
		break;
	case PROTO_FD_TOKEN:
		take_fd(&d->inputs.token, frame);
		break;
	case PROTO_FD_PEER:
		workers_add(d->workers, frame->fd);
		frame->fd = -1;
		break;
	default:
		fatalx("the supervisor sent a descriptor that is not for "
		       "tokend");
	}
}

static void
drop(struct dispatch *d, bool was_root)
{
	struct priv_user user;
	const char *name = conf_text(&d->next, CONF_TOKEND_USER);

	if (was_root) {
		if (priv_lookup(&user, name) == -1)
			log_exit(EX_CONFIG,
			    "there is no user %s any more: make it, or name "
			    "another in TOKEND_USER",
			    name);
		priv_drop(&user);
	}
	priv_die_with_parent(d->parent);
}

static void
apply_conf(struct dispatch *d)
{
	conf_clear(&d->conf);
	d->conf = d->next;
	conf_init(&d->next);
	log_set_level((enum log_level)conf_num(&d->conf, CONF_LOG_LEVEL));
	log_set_format((enum log_format)conf_num(&d->conf, CONF_LOG_FORMAT));
	refresh_set_interval(
	    d->refresh, conf_num(&d->conf, CONF_TOKEN_REFRESH_INTERVAL));
}

static int
open_all(struct dispatch *d, bool was_root)
{
	int code = keeper_take_inputs(&d->keeper, &d->inputs);

	return code == EX_OK ? keeper_open(&d->keeper, &d->conf, was_root)
			     : code;
}

static void
log_choice(struct dispatch *d)
{
	enum proto_token_state state;
	struct token *best = keeper_best(&d->keeper, &state);

	if (best == NULL)
		log_warnx("no token was given and none is stored: give one "
			  "(telephonectl token set, or TELEPHONE_TOKEN and a "
			  "reload)");
	else
		log_info("token: %s, from %s, path_id %s, jti %s%s",
		    proto_token_state_name(state),
		    proto_source_name(best->source), best->claims.path_id,
		    best->claims.jti,
		    best->verified ? "" : ", signature not verified");
	keeper_warn(&d->keeper);
}

static void
send_ack(struct dispatch *d, int code)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	peer_send_put(d->supervisor, PROTO_CONF_ACK, 0, space,
	    proto_put_u8(space, (uint8_t)code));
}

/* What the sandbox would have no room for later: the look-up of this user's
 * name, and what libcrypto reads when it is used for the first time. */
static void
warm_up(void)
{
	static const char any[] = "00000000000000000000000000000000"
				  "00000000000000000000000000000000";

	store_fault_prepare();
	seal_free(seal_create(any));
}

static void
be_born(struct dispatch *d)
{
	bool was_root = priv_is_root();
	int code;

	log_set_level((enum log_level)conf_num(&d->next, CONF_LOG_LEVEL));
	log_set_format((enum log_format)conf_num(&d->next, CONF_LOG_FORMAT));
	drop(d, was_root);
	apply_conf(d);
	warm_up();
	sandbox_enter(&d->conf);
	code = open_all(d, was_root);
	send_ack(d, code);
	if (code != EX_OK) {
		peer_flush(d->supervisor);
		leave(d, code);
		return;
	}
	keeper_save(&d->keeper);
	log_choice(d);
	sandbox_report(d->supervisor, SANDBOX_TOKEND);
	peer_send_empty(d->supervisor, PROTO_READY, 0);
	peer_set_state(d->supervisor, PROTO_RUNNING);
	workers_open(d->workers);
	refresh_plan(d->refresh);
}

static int
reload(struct dispatch *d)
{
	int code = keeper_take_inputs(&d->keeper, &d->inputs);

	if (code != EX_OK)
		return code;
	if (strcmp(conf_text(&d->conf, CONF_TOKEN_DB_PATH),
		conf_text(&d->next, CONF_TOKEN_DB_PATH)) != 0)
		log_warnx("TOKEN_DB_PATH changes only with a restart");
	apply_conf(d);
	d->keeper.place.timeout_ms = conf_num(&d->conf, CONF_DB_TIMEOUT);
	store_set_timeout(d->keeper.store, d->keeper.place.timeout_ms);
	keeper_forgive(&d->keeper);
	keeper_save(&d->keeper);
	log_choice(d);
	refresh_plan(d->refresh);
	workers_news(d->workers);
	return EX_OK;
}

static void
on_conf_end(struct dispatch *d, struct ipc_frame *frame)
{
	(void)frame;
	if (peer_state(d->supervisor) == PROTO_SETUP) {
		be_born(d);
	} else {
		send_ack(d, reload(d));
		conf_clear(&d->next);
		conf_init(&d->next);
	}
	inputs_close(&d->inputs);
}

/* --- the supervisor ------------------------------------------------------- */

static void
on_stop(struct dispatch *d, struct ipc_frame *frame)
{
	(void)frame;
	leave(d, EX_OK);
}

static void
on_log_level(struct dispatch *d, struct ipc_frame *frame)
{
	struct proto_log log;

	(void)d;
	if (proto_get_log(frame, &log) == -1)
		fatalx("the supervisor sent a malformed LOG_LEVEL");
	log_set_level(log.level);
	log_set_journal(log.journal);
}

static void
on_status(struct dispatch *d, struct ipc_frame *frame)
{
	struct proto_tokend_status s;
	uint8_t space[IPC_PAYLOAD_MAX];
	struct token *best;
	int64_t rows = store_count(d->keeper.store);

	sandbox_report(d->supervisor, SANDBOX_TOKEND);
	memset(&s, 0, sizeof(s));
	best = keeper_best(&d->keeper, &s.state);
	if (best != NULL) {
		s.source = best->source;
		s.verified = best->verified;
		s.iat_s = best->claims.iat_s;
		s.exp_s = best->claims.exp_s;
		(void)util_strlcpy(
		    s.path_id, best->claims.path_id, sizeof(s.path_id));
		(void)util_strlcpy(s.sub, best->claims.sub, sizeof(s.sub));
		(void)util_strlcpy(s.jti, best->claims.jti, sizeof(s.jti));
	}
	s.refresh_in_ms = refresh_in_ms(d->refresh);
	s.refreshes = refresh_counts(d->refresh)->outcome[PROTO_REFRESH_OK];
	s.refresh_failures = refresh_failures(d->refresh);
	s.rows = rows > 0 ? (uint64_t)rows : 0;
	s.unreadable = d->keeper.unreadable;
	s.set_aside = tokens_refused(&d->keeper.tokens);
	s.unsaved = d->keeper.unsaved;
	(void)util_strlcpy(s.refusal, d->keeper.refusal, sizeof(s.refusal));
	peer_send_put(d->supervisor, PROTO_TOKEND_STATUS, frame->id, space,
	    proto_put_tokend_status(space, &s));
}

static void
send_report(struct dispatch *d, uint32_t id, const struct proto_report *report)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	peer_send_put(d->supervisor, PROTO_TOKEN_REPORT, id, space,
	    proto_put_report(space, report));
	workers_figures(d->workers);
}

static void
on_token_set(struct dispatch *d, struct ipc_frame *frame)
{
	struct proto_report report;

	keeper_set(&d->keeper, frame->fd, &report);
	refresh_plan(d->refresh);
	if (report.current)
		workers_news(d->workers);
	send_report(d, frame->id, &report);
}

static void
on_token_rotate(struct dispatch *d, struct ipc_frame *frame)
{
	struct proto_report report;

	keeper_rotate(&d->keeper, &report);
	refresh_plan(d->refresh); /* a save may be due */
	send_report(d, frame->id, &report);
}

static const struct {
	enum proto_type type;
	void (*handle)(struct dispatch *, struct ipc_frame *);
} supervisor_table[] = {
    {PROTO_CONF, on_conf},
    {PROTO_FD, on_fd},
    {PROTO_CONF_END, on_conf_end},
    {PROTO_STOP, on_stop},
    {PROTO_LOG_LEVEL, on_log_level},
    {PROTO_STATUS, on_status},
    {PROTO_TOKEN_SET, on_token_set},
    {PROTO_TOKEN_ROTATE, on_token_rotate},
};

static void
on_supervisor_frame(struct peer *p, struct ipc_frame *frame, void *arg)
{
	size_t i;

	(void)p;
	for (i = 0; i < UTIL_COUNT(supervisor_table); i++)
		if (supervisor_table[i].type == frame->type)
			supervisor_table[i].handle(arg, frame);
}

static void
on_supervisor_end(struct peer *p, enum peer_end end, void *arg)
{
	(void)p;
	leave(arg, end == PEER_EOF ? EX_OK : EX_SOFTWARE);
}

static const struct peer_ops supervisor_ops = {
    on_supervisor_frame, on_supervisor_end};

struct dispatch *
dispatch_create(struct event_base *base, int fd)
{
	struct dispatch *d = calloc(1, sizeof(*d));
	struct peer_params peer = {
	    .base = base,
	    .fd = fd,
	    .self = PROTO_TOKEND,
	    .other = PROTO_SUPERVISOR,
	    .ops = &supervisor_ops,
	};
	struct refresh_params refresh = {.base = base, .ops = &refresh_ops};
	uint8_t space[IPC_PAYLOAD_MAX];

	if (d == NULL)
		fatalx("out of memory");
	d->base = base;
	inputs_init(&d->inputs);
	keeper_init(&d->keeper);
	d->parent = getppid();
	conf_init(&d->conf);
	conf_init(&d->next);
	refresh.keeper = &d->keeper;
	refresh.arg = d;
	d->refresh = refresh_create(&refresh);
	d->workers = workers_create(base, &d->keeper, d->refresh);
	peer.arg = d;
	d->supervisor = peer_create(&peer);
	peer_send_put(d->supervisor, PROTO_HELLO, 0, space,
	    proto_put_hello(space, PROTO_TOKEND));
	peer_set_state(d->supervisor, PROTO_SETUP);
	return d;
}

void
dispatch_free(struct dispatch *d)
{
	workers_free(d->workers);
	peer_free(d->supervisor);
	refresh_free(d->refresh);
	keeper_close(&d->keeper);
	inputs_close(&d->inputs);
	conf_clear(&d->conf);
	conf_clear(&d->next);
	free(d);
}

int
dispatch_exit_code(const struct dispatch *d)
{
	return d->exit_code;
}
