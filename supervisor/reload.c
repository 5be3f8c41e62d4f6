/* SPDX-License-Identifier: MIT */
/* reading → tokend judges (ack) → the new worker joins (or time is up). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "log.h"
#include "notify.h"
#include "reload.h"
#include "service.h"
#include "util.h"

/* tokend may have to wait DB_TIMEOUT for a locked store; beyond that it is
 * ill, and killed before this is over. */
#define ACK_SLACK_S 15
/* A new worker that cannot join in this time is given up while the old one
 * serves; else it takes over: it may be what the reload was for. */
#define JOIN_MAX_S 30

struct reload {
	struct service *service;
	const struct reload_ops *ops;
	void *arg;
	struct conf conf;
	struct config_secrets secrets;
	struct event *timer;
	bool judged; /* tokend has said yes */
	bool looked; /* time is up, and what had come by then is read */
};

static void tell(struct reload *, enum log_level, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* The level matters where nobody reads the answer: after a SIGHUP. */
static void
tell(struct reload *r, enum log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (level == LOG_LEVEL_ERROR)
		log_errorx("reload: %s", line);
	else if (level == LOG_LEVEL_WARN)
		log_warnx("reload: %s", line);
	else
		log_info("reload: %s", line);
	if (r->ops != NULL)
		r->ops->on_text(line, r->arg);
}

static void
finish(struct reload *r, int code)
{
	struct service *s = r->service;

	s->reload = NULL;
	/* Before telephonectl may end: systemd waits for that, too. */
	if (!s->stopping)
		notify_send("READY=1");
	if (r->timer != NULL)
		event_free(r->timer);
	conf_clear(&r->conf);
	config_close_secrets(&r->secrets);
	if (r->ops != NULL)
		r->ops->on_done(code, r->arg);
	free(r);
}

void
reload_forget(struct reload *r, void *arg)
{
	if (r != NULL && r->ops != NULL && r->arg == arg)
		r->ops = NULL;
}

static void
swap_conf(struct reload *r)
{
	struct service *s = r->service;
	struct conf conf = s->conf;

	s->conf = r->conf;
	r->conf = conf; /* freed with the reload */
	levels_reset(s);
}

/* The new values are the service's from here on; those of its own take effect
 * now. */
static void
adopt(struct reload *r)
{
	struct service *s = r->service;
	struct config_secrets secrets = s->secrets;

	swap_conf(r);
	s->secrets = r->secrets;
	r->secrets = secrets;
	util_close(&s->secret_tried); /* tokend can read its store by these */
	s->generation++;
}

/* The old values are back, for the next worker too. The secrets are not: what
 * is stored is sealed with the new one already. */
static void
undo(struct reload *r)
{
	struct service *s = r->service;

	swap_conf(r);
	s->generation--;
	if (s->tokend != NULL && child_is_running(s->tokend))
		service_configure_tokend(s, &s->conf, &s->secrets);
}

/* tokend has not said whether it took the new secret: if it did, the store is
 * sealed with it, and the next one must be able to read that. */
static void
keep_secret(struct reload *r)
{
	struct service *s = r->service;

	util_close(&s->secret_tried);
	s->secret_tried = r->secrets.secret;
	r->secrets.secret = -1;
}

void
reload_cancel(struct reload *r, const char *why)
{
	if (r == NULL)
		return;
	if (r->service->fresh != NULL)
		child_kill(r->service->fresh, why);
	if (!r->judged)
		keep_secret(r);
	else if (!r->service->stopping)
		undo(r);
	tell(r, LOG_LEVEL_WARN, "given up: %s; what ran before goes on", why);
	finish(r, EX_SOFTWARE);
}

static void
set_timer(struct reload *r, int seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	r->looked = false;
	(void)evtimer_add(r->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct reload *r = arg;

	(void)fd;
	(void)what;
	/* A loop that was interrupted (SIGCONT, for one) comes to its timers
	 * before it has looked at its sockets. */
	if (!r->looked) {
		set_timer(r, 0);
		r->looked = true;
		return;
	}
	if (!r->judged) {
		/* Whatever it would say later, it would be by other values. */
		if (r->service->tokend != NULL)
			child_kill(r->service->tokend,
			    "it does not judge the new configuration");
		reload_cancel(r, "tokend does not answer");
		return;
	}
	if (r->service->joined && r->service->worker != NULL &&
	    child_is_running(r->service->worker)) {
		reload_cancel(r,
		    "the new worker has not joined within 30 s, and the old "
		    "one serves");
		return;
	}
	service_swap(r->service);
	tell(r, LOG_LEVEL_WARN,
	    "the new worker is not joined yet; it has taken over all the "
	    "same");
	finish(r, EX_OK);
}

static void
tell_lines(struct reload *r, enum log_level level, const struct buf *lines)
{
	const char *p = (const char *)lines->data;
	const char *end = p == NULL ? NULL : p + lines->len, *nl;

	for (; p != end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL;
	     p = nl + 1)
		tell(r, level, "%.*s", (int)(nl - p), p);
}

static void
keep_value(struct conf_value *to, const struct conf_value *from)
{
	free(to->text);
	to->text = from->text == NULL ? NULL : strdup(from->text);
	if (from->text != NULL && to->text == NULL)
		fatalx("out of memory");
	to->num = from->num;
	to->source = from->source;
}

/* Keys that only a new start can apply (and judge: the users, for one): the
 * old value stays in force, also for children that are started anew. */
static void
keep_fixed(struct reload *r)
{
	const struct conf *old = &r->service->conf;
	int i;

	for (i = 0; i < CONF_KEYS; i++) {
		if (conf_keys[i].reloadable ||
		    strcmp(conf_text(old, (enum conf_id)i),
			conf_text(&r->conf, (enum conf_id)i)) == 0)
			continue;
		tell(r, LOG_LEVEL_WARN, "%s has changed and needs a restart",
		    conf_keys[i].name);
		keep_value(&r->conf.value[i], &old->value[i]);
	}
}

static void
begin(struct reload *r)
{
	struct service *s = r->service;
	const char *fault;

	if (config_load(s->config, &r->conf) == -1) {
		tell_lines(r, LOG_LEVEL_WARN, &r->conf.warnings);
		tell_lines(r, LOG_LEVEL_ERROR, &r->conf.faults);
		tell(r, LOG_LEVEL_ERROR, "nothing was changed");
		finish(r, EX_CONFIG);
		return;
	}
	tell_lines(r, LOG_LEVEL_WARN, &r->conf.warnings);
	fault = inspect_fault(&s->inspect, &r->conf);
	if (fault != NULL) {
		tell(r, LOG_LEVEL_ERROR, "%s; nothing was changed", fault);
		finish(r, EX_CONFIG);
		return;
	}
	if (config_secrets(&r->conf, &r->secrets) == -1) {
		tell(r, LOG_LEVEL_ERROR,
		    "a secret cannot be read (see the log); nothing was "
		    "changed");
		finish(r, EX_CONFIG);
		return;
	}
	if (s->tokend == NULL || !child_is_running(s->tokend)) {
		tell(r, LOG_LEVEL_WARN, "tokend is being restarted; try again");
		finish(r, EX_UNAVAILABLE);
		return;
	}
	keep_fixed(r);
	set_timer(
	    r, ACK_SLACK_S + (int)(conf_num(&s->conf, CONF_DB_TIMEOUT) / 1000));
	service_configure_tokend(s, &r->conf, &r->secrets);
}

static void
refuse(const struct service *s, const struct reload_ops *ops, void *arg)
{
	const char *why = s->reload != NULL ? "another one is under way"
	    : s->stopping		    ? "the service is stopping"
					    : "the service is still starting";
	char text[80];

	log_warnx("reload: refused, because %s", why);
	if (ops == NULL)
		return;
	(void)util_fmt(
	    text, sizeof(text), "refused: %s; nothing was changed", why);
	ops->on_text(text, arg);
	ops->on_done(EX_UNAVAILABLE, arg);
}

void
reload_start(struct service *s, const struct reload_ops *ops, void *arg)
{
	struct reload *r;

	if (s->reload != NULL || s->stopping || !s->ready) {
		refuse(s, ops, arg);
		return;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		fatalx("out of memory");
	r->service = s;
	r->ops = ops;
	r->arg = arg;
	r->secrets = (struct config_secrets)CONFIG_NO_SECRETS;
	conf_init(&r->conf);
	r->timer = evtimer_new(s->base, on_timer, r);
	if (r->timer == NULL)
		fatalx("out of memory");
	s->reload = r;
	notify_reloading();
	begin(r);
}

void
reload_on_ack(struct reload *r, uint8_t code)
{
	if (r->judged)
		return;
	if (code != EX_OK) {
		tell(r, LOG_LEVEL_ERROR,
		    "tokend refused the new secret or token (see the "
		    "log); nothing was changed");
		finish(r, code);
		return;
	}
	r->judged = true;
	adopt(r);
	if (service_start_fresh(r->service) == -1) {
		reload_cancel(r, "no new worker can be started");
		return;
	}
	set_timer(r, JOIN_MAX_S);
}

void
reload_on_joined(struct reload *r)
{
	service_swap(r->service);
	tell(r, LOG_LEVEL_INFO,
	    "done: the new worker has joined, the old one drains");
	finish(r, EX_OK);
}

void
reload_on_tokend_end(struct reload *r)
{
	if (r != NULL && !r->judged)
		reload_cancel(r, "tokend ended");
}
