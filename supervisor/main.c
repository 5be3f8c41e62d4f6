/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's life: read the configuration, bind the sockets, start
 * tokend and the worker, keep them running, answer telephonectl, and take
 * them along at the end. It never reads a secret (only moves it) and never
 * parses what an outsider wrote.
 *
 * Exit codes: 0 after an orderly stop, 1 after a forced one, else sysexits:
 * 64 usage, 69 unavailable, 70 software, 73 cannot create, 77 no permission,
 * 78 configuration.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "child.h"
#include "config.h"
#include "control.h"
#include "listen.h"
#include "log.h"
#include "options.h"
#include "priv.h"
#include "sandbox.h"
#include "service.h"
#include "util.h"
#include "version.h"

/* --- before anything runs ------------------------------------------------- */

/* As root, both users must exist and be different. 0 or 78. */
static int
check_users(const struct conf *conf)
{
	const char *worker = conf_text(conf, CONF_WORKER_USER);
	const char *tokend = conf_text(conf, CONF_TOKEND_USER);
	struct priv_user w, t;
	bool have_w, have_t;

	if (!priv_is_root()) {
		log_warnx("not started by root: all processes run as one "
			  "user, and only root can keep them apart");
		return EX_OK;
	}
	have_w = priv_lookup(&w, worker) == 0;
	have_t = priv_lookup(&t, tokend) == 0;
	if (!have_w || !have_t) {
		log_errorx("there is no user %s%s%s; run: for u in %s %s; do "
			   "useradd --system --user-group --no-create-home "
			   "--shell /usr/sbin/nologin $u; done; or name "
			   "others in WORKER_USER and TOKEND_USER",
		    have_w ? tokend : worker, have_w || have_t ? "" : " and ",
		    have_w || have_t ? "" : tokend, worker, tokend);
		return EX_CONFIG;
	}
	if (w.uid == t.uid || w.uid == 0 || t.uid == 0) {
		log_errorx("WORKER_USER (%s) and TOKEND_USER (%s) must be two "
			   "users, and neither may be root",
		    worker, tokend);
		return EX_CONFIG;
	}
	return EX_OK;
}

static int
check_configuration(
    const struct config *config, const struct conf *conf, bool faults)
{
	struct config_secrets secrets;
	int code = faults ? EX_CONFIG : EX_OK, result;

	/* Not that a secret is missing which may stand in that file: whoever
	 * believed it would make another one. */
	if (config->unread || config_secrets(conf, &secrets) == -1)
		return EX_CONFIG;
	result = child_check_secrets(&secrets);
	config_close_secrets(&secrets);
	if (code == EX_OK)
		code = result;
	if (code == EX_OK)
		(void)printf("configuration ok\n");
	return code;
}

/* --- signals -------------------------------------------------------------- */

static void
on_end_signal(evutil_socket_t sig, short what, void *arg)
{
	struct service *s = arg;

	(void)what;
	log_info("%s: stopping", strsignal(sig));
	service_stop(s, EX_OK);
}

static void
on_reload_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	service_reload(arg);
}

static void
on_reconnect_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)service_reconnect(arg);
}

struct signals {
	struct event *event[4];
};

static void
watch_signals(struct signals *w, struct service *s)
{
	static const struct {
		int sig;
		void (*cb)(evutil_socket_t, short, void *);
	} table[] = {
	    {SIGTERM, on_end_signal},
	    {SIGINT, on_end_signal},
	    {SIGHUP, on_reload_signal},
	    {SIGUSR2, on_reconnect_signal},
	};
	size_t i;

	for (i = 0; i < UTIL_COUNT(table); i++) {
		w->event[i] =
		    evsignal_new(s->base, table[i].sig, table[i].cb, s);
		if (w->event[i] == NULL || event_add(w->event[i], NULL) == -1)
			fatalx("out of memory");
	}
	(void)signal(SIGPIPE, SIG_IGN);
}

/* --- running -------------------------------------------------------------- */

static int
check_inspect(struct service *s)
{
	const char *fault;

	inspect_init(&s->inspect, s->listener);
	fault = inspect_fault(&s->inspect, &s->conf);
	if (fault != NULL) {
		log_errorx("%s", fault);
		return EX_CONFIG;
	}
	if (s->listener == -1 &&
	    conf_num(&s->conf, CONF_INSPECT) != CONF_INSPECT_OFF)
		log_warnx("INSPECT: there is no health listener, and so no "
			  "page; set HEALTH_CHECK_PORT");
	return EX_OK;
}

static int
run_service(struct service *s)
{
	struct listen_control control;
	struct signals signals;
	char path[108];
	size_t i;
	int code;

	log_own_stream();
	levels_find_journal(&s->levels);
	s->listener = listen_health(&s->conf, &code);
	if (code == EX_OK)
		code = check_inspect(s);
	if (code != EX_OK)
		return code;
	if (!config_control_path(&s->conf, s->root, path, sizeof(path)))
		return EX_CANTCREAT;
	code = listen_control_open(&control, path, s->root);
	if (code != EX_OK)
		return code;
	s->control = control_create(s, control.fd);
	watch_signals(&signals, s);
	sandbox_enter(&s->conf);
	walls_own(&s->walls);
	log_info("telephone %s, control socket %s", version, path);
	(void)service_start(s);
	if (event_base_dispatch(s->base) == -1)
		s->exit_code = EX_SOFTWARE;
	for (i = 0; i < UTIL_COUNT(signals.event); i++)
		event_free(signals.event[i]);
	control_stopped(s->control, s->exit_code);
	control_free(s->control);
	listen_control_close(&control);
	log_info("stopped");
	return s->exit_code;
}

static int
run(struct config *config, struct conf *conf)
{
	struct config_secrets secrets;
	struct event_base *base;
	struct service *s;
	int code = check_users(conf);

	if (code != EX_OK)
		return code;
	if (config_secrets(conf, &secrets) == -1)
		return EX_CONFIG;
	base = event_base_new();
	if (base == NULL)
		fatalx("libevent cannot be set up");
	s = service_create(base, config, conf, &secrets);
	code = run_service(s);
	service_free(s);
	event_base_free(base);
	conf_init(conf); /* it was the service's, and is gone */
	return code;
}

static int
start(const struct options *options, enum options_action action)
{
	struct config config;
	struct conf conf;
	bool faults;
	int code;

	config_init(&config, options);
	conf_init(&conf);
	faults = config_load(&config, &conf) == -1;
	log_set_level((enum log_level)conf_num(&conf, CONF_LOG_LEVEL));
	log_set_format((enum log_format)conf_num(&conf, CONF_LOG_FORMAT));
	config_report(&conf);
	if (action == OPTIONS_CHECK)
		code = check_configuration(&config, &conf, faults);
	else
		code = faults ? EX_CONFIG : run(&config, &conf);
	conf_clear(&conf);
	config_clear(&config);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	enum options_action action;

	if (util_fill_stdio(O_RDWR) == -1)
		return EX_OSERR;
	log_init("telephone", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	priv_harden();
	action = options_parse(&options, argc, argv);
	switch (action) {
	case OPTIONS_USAGE:
		return EX_USAGE;
	case OPTIONS_HELP:
		(void)fputs(options_help, stdout);
		return EX_OK;
	case OPTIONS_VERSION:
		(void)printf("telephone %s\n", version);
		return EX_OK;
	default:
		return start(&options, action);
	}
}
