/* SPDX-License-Identifier: MIT */
/*
 * Birth: HELLO → CONF…, FD… → CONF_END: drop → judge secret and token → open
 * the store → CONF_ACK → sandbox → READY. The same messages again, in
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
#include "util.h"

#define WORKERS_MAX 8

struct dispatch {
	struct event_base *base;
	struct peer *supervisor;
	pid_t parent;
	struct conf conf, next;	 /* next: being received */
	int secret_fd, token_fd; /* received, not yet read */
	struct keeper keeper;
	struct refresh *refresh;
	struct peer *worker[WORKERS_MAX]; /* the newest last */
	unsigned workers;
	struct peer *asked; /* the one that refreshes */
	int exit_code;
};

static void
leave(struct dispatch *d, int code)
{
	d->exit_code = code;
	(void)event_base_loopbreak(d->base);
}

/* --- workers -------------------------------------------------------------- */

static void
send_token(struct dispatch *d, struct peer *worker, uint32_t id)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct proto_token *out = calloc(1, sizeof(*out));
	struct token *best;

	if (out == NULL)
		fatalx("out of memory");
	best = keeper_best(&d->keeper, &out->state);
	if (best != NULL) {
		out->exp_s = best->claims.exp_s;
		(void)util_strlcpy(
		    out->path_id, best->claims.path_id, sizeof(out->path_id));
		(void)util_strlcpy(
		    out->jti, best->claims.jti, sizeof(out->jti));
		(void)util_strlcpy(out->token, best->text, sizeof(out->token));
	}
	peer_send_put(
	    worker, PROTO_TOKEN, id, space, proto_put_token(space, out));
	explicit_bzero(space, sizeof(space));
	explicit_bzero(out, sizeof(*out));
	free(out);
}

static void
on_token_get(struct dispatch *d, struct peer *p, struct ipc_frame *frame)
{
	send_token(d, p, frame->id);
}

static void
on_change(void *arg)
{
	struct dispatch *d = arg;
	unsigned i;

	for (i = 0; i < d->workers; i++)
		if (peer_state(d->worker[i]) == PROTO_RUNNING)
			send_token(d, d->worker[i], 0);
}

static void end_worker(struct dispatch *, struct peer *, const char *why);

/* Asked about a token that is no longer the current one, the next TOKEN_GET
 * is answer enough. */
static void
on_token_refused(struct dispatch *d, struct peer *p, struct ipc_frame *frame)
{
	enum proto_token_state state;
	struct token *best = keeper_best(&d->keeper, &state);
	struct proto_refused refused;

	if (proto_get_refused(frame, &refused) == -1) {
		end_worker(d, p, "a malformed TOKEN_REFUSED");
		return;
	}
	if (best == NULL || strcmp(best->claims.jti, refused.jti) != 0 ||
	    !tokens_refuse(&d->keeper.tokens, refused.jti))
		return;
	best = keeper_best(&d->keeper, &state);
	log_warnx("plugboard refused the token %s (%s): %s", refused.jti,
	    refused.status == 403 ? "403" : "join",
	    state == PROTO_TOKEN_REFUSED_ALL ? "there is no other"
					     : "trying the next one");
	refresh_plan(d->refresh);
}

static void
on_token_put(struct dispatch *d, struct peer *p, struct ipc_frame *frame)
{
	struct proto_put *put = calloc(1, sizeof(*put));
	uint8_t space[IPC_PAYLOAD_MAX];
	bool kept;

	if (put == NULL)
		fatalx("out of memory");
	if (proto_get_put(frame, put) == -1) {
		free(put);
		end_worker(d, p, "a malformed TOKEN_PUT");
		return;
	}
	if (p == d->asked)
		d->asked = NULL;
	kept = refresh_put(d->refresh, frame->id, put);
	peer_send_put(p, PROTO_TOKEN_RESULT, frame->id, space,
	    proto_put_u8(space, kept ? 1 : 0));
	explicit_bzero(put, sizeof(*put));
	free(put);
}

static void
on_worker_hello(struct dispatch *d, struct peer *p, struct ipc_frame *frame)
{
	char build[PROTO_BUILD_MAX];
	enum proto_role role;

	if (proto_get_hello(frame, &role, build) == -1 ||
	    role != PROTO_WORKER || strcmp(build, proto_build()) != 0) {
		end_worker(d, p, "the HELLO of another build");
		return;
	}
	peer_set_state(p, PROTO_RUNNING);
	refresh_plan(d->refresh);
}

static const struct {
	enum proto_type type;
	void (*handle)(struct dispatch *, struct peer *, struct ipc_frame *);
} worker_table[] = {
    {PROTO_HELLO, on_worker_hello},
    {PROTO_TOKEN_GET, on_token_get},
    {PROTO_TOKEN_REFUSED, on_token_refused},
    {PROTO_TOKEN_PUT, on_token_put},
};

static void
on_worker_frame(struct peer *p, struct ipc_frame *frame, void *arg)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(worker_table); i++)
		if (worker_table[i].type == frame->type)
			worker_table[i].handle(arg, p, frame);
}

static void
remove_worker(struct dispatch *d, struct peer *p)
{
	unsigned i;

	for (i = 0; i < d->workers && d->worker[i] != p; i++)
		;
	if (i == d->workers)
		return;
	memmove(&d->worker[i], &d->worker[i + 1],
	    (d->workers - i - 1) * sizeof(d->worker[0]));
	d->workers--;
	peer_free(p);
}

static void
forget_worker(struct dispatch *d, struct peer *p)
{
	bool asked = p == d->asked;

	remove_worker(d, p);
	if (asked) {
		d->asked = NULL;
		refresh_lost(d->refresh);
	}
}

/* A worker that breaks the protocol loses its conversation; the supervisor
 * sees to the rest. tokend itself must survive it: the worker reads what
 * outsiders wrote. */
static void
on_worker_end(struct peer *p, enum peer_end end, void *arg)
{
	if (end != PEER_EOF)
		log_warnx("the conversation with a worker is over");
	forget_worker(arg, p);
}

static void
end_worker(struct dispatch *d, struct peer *p, const char *why)
{
	log_warnx("worker sent %s: the conversation is over", why);
	forget_worker(d, p);
}

static const struct peer_ops worker_ops = {on_worker_frame, on_worker_end};

static void
add_worker(struct dispatch *d, int fd)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	struct peer_params params = {
	    .base = d->base,
	    .fd = fd,
	    .self = PROTO_TOKEND,
	    .other = PROTO_WORKER,
	    .ops = &worker_ops,
	    .arg = d,
	};
	struct peer *p;

	if (d->workers == WORKERS_MAX)
		remove_worker(d, d->worker[0]);
	p = peer_create(&params);
	d->worker[d->workers++] = p;
	peer_send_put(
	    p, PROTO_HELLO, 0, space, proto_put_hello(space, PROTO_TOKEND));
}

/* The newest worker that is ready to listen. */
static bool
on_ask(uint32_t id, void *arg)
{
	struct dispatch *d = arg;
	unsigned i;

	for (i = d->workers; i > 0; i--) {
		if (peer_state(d->worker[i - 1]) != PROTO_RUNNING)
			continue;
		d->asked = d->worker[i - 1];
		peer_send_empty(d->asked, PROTO_REFRESH_DUE, id);
		return true;
	}
	return false;
}

static const struct refresh_ops refresh_ops = {on_ask, on_change};

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
	if (kind == PROTO_FD_SECRET) {
		take_fd(&d->secret_fd, frame);
	} else if (kind == PROTO_FD_TOKEN) {
		take_fd(&d->token_fd, frame);
	} else if (kind == PROTO_FD_PEER) {
		add_worker(d, frame->fd);
		frame->fd = -1;
	} else {
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
			log_exit(EX_CONFIG, "there is no user %s", name);
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
	int code;

	d->keeper.seal = keeper_read_secret(d->secret_fd, &code);
	if (d->keeper.seal == NULL)
		return code;
	code = keeper_read_given(&d->keeper.tokens, d->token_fd);
	if (code == EX_OK)
		code = keeper_open(&d->keeper, &d->conf, was_root);
	return code;
}

static void
log_choice(struct dispatch *d)
{
	enum proto_token_state state;
	struct token *best = keeper_best(&d->keeper, &state);

	if (best == NULL)
		log_warnx("no token was given and none is stored: set "
			  "TELEPHONE_TOKEN and reload");
	else
		log_info("token: %s, from %s, path_id %s, jti %s",
		    proto_token_state_name(state),
		    proto_source_name(best->source), best->claims.path_id,
		    best->claims.jti);
}

static void
send_ack(struct dispatch *d, int code)
{
	uint8_t space[IPC_PAYLOAD_MAX];

	peer_send_put(d->supervisor, PROTO_CONF_ACK, 0, space,
	    proto_put_u8(space, (uint8_t)code));
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
	code = open_all(d, was_root);
	send_ack(d, code);
	if (code != EX_OK) {
		peer_flush(d->supervisor);
		leave(d, code);
		return;
	}
	keeper_save(&d->keeper);
	log_choice(d);
	sandbox_enter(&d->conf);
	sandbox_report(d->supervisor, SANDBOX_TOKEND);
	peer_send_empty(d->supervisor, PROTO_READY, 0);
	peer_set_state(d->supervisor, PROTO_RUNNING);
	refresh_plan(d->refresh);
}

/* A new secret must open what is there: all that is stored is then sealed
 * with it at the next save. */
static int
reload_secret(struct dispatch *d, struct seal **seal)
{
	int code;

	*seal = NULL;
	if (d->secret_fd == -1)
		return EX_OK;
	*seal = keeper_read_secret(d->secret_fd, &code);
	if (*seal == NULL)
		return code;
	code = keeper_try_seal(&d->keeper, *seal);
	if (code != EX_OK) {
		seal_free(*seal);
		*seal = NULL;
	}
	return code;
}

static int
reload(struct dispatch *d)
{
	struct seal *seal;
	int code = reload_secret(d, &seal);

	if (code == EX_OK)
		code = keeper_read_given(&d->keeper.tokens, d->token_fd);
	if (code != EX_OK) {
		seal_free(seal);
		return code;
	}
	if (seal != NULL) {
		seal_free(d->keeper.seal);
		d->keeper.seal = seal;
	}
	if (strcmp(conf_text(&d->conf, CONF_TOKEN_DB_PATH),
		conf_text(&d->next, CONF_TOKEN_DB_PATH)) != 0)
		log_warnx("TOKEN_DB_PATH changes only with a restart");
	apply_conf(d);
	store_set_timeout(d->keeper.store, conf_num(&d->conf, CONF_DB_TIMEOUT));
	tokens_forgive(&d->keeper.tokens);
	keeper_save(&d->keeper);
	log_choice(d);
	refresh_plan(d->refresh);
	on_change(d);
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
	util_close(&d->secret_fd);
	util_close(&d->token_fd);
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
	uint8_t level;

	(void)d;
	if (proto_get_u8(frame, &level) == -1 || level > LOG_LEVEL_ERROR)
		fatalx("the supervisor sent a malformed LOG_LEVEL");
	log_set_level((enum log_level)level);
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
		s.iat_s = best->claims.iat_s;
		s.exp_s = best->claims.exp_s;
		(void)util_strlcpy(
		    s.path_id, best->claims.path_id, sizeof(s.path_id));
		(void)util_strlcpy(s.jti, best->claims.jti, sizeof(s.jti));
	}
	s.refresh_in_ms = refresh_in_ms(d->refresh);
	s.refreshes = refresh_count(d->refresh);
	s.refresh_failures = refresh_failures(d->refresh);
	s.rows = rows > 0 ? (uint64_t)rows : 0;
	peer_send_put(d->supervisor, PROTO_TOKEND_STATUS, frame->id, space,
	    proto_put_tokend_status(space, &s));
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
	d->secret_fd = d->token_fd = -1;
	d->parent = getppid();
	conf_init(&d->conf);
	conf_init(&d->next);
	tokens_init(&d->keeper.tokens);
	refresh.keeper = &d->keeper;
	refresh.arg = d;
	d->refresh = refresh_create(&refresh);
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
	while (d->workers > 0)
		remove_worker(d, d->worker[0]);
	peer_free(d->supervisor);
	refresh_free(d->refresh);
	keeper_close(&d->keeper);
	util_close(&d->secret_fd);
	util_close(&d->token_fd);
	conf_clear(&d->conf);
	conf_clear(&d->next);
	free(d);
}

int
dispatch_exit_code(const struct dispatch *d)
{
	return d->exit_code;
}
