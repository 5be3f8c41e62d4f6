/* SPDX-License-Identifier: MIT */
/*
 * Children start, end, are started again, and all end with the service.
 * waitpid(2) is the one authority on who has ended.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <event2/event.h>

#include "control.h"
#include "dispatch.h"
#include "liveness.h"
#include "log.h"
#include "notify.h"
#include "priv.h"
#include "reload.h"
#include "respawn.h"
#include "service.h"
#include "util.h"

/* How soon a reload that has to wait looks again. */
#define RELOAD_LOOK_MS 200
/* What leaving may take beyond SHUTDOWN_TIMEOUT. */
#define LEAVE_SLACK_MS 5000

void
service_set_timer(struct event *ev, int64_t ms)
{
	struct timeval tv;

	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (evtimer_add(ev, &tv) == -1)
		fatalx("a timer cannot be armed");
}

/* --- starting ------------------------------------------------------------- */

static struct child *
start(struct service *s, enum proto_role role)
{
	struct child_params params = {
	    .base = s->base,
	    .role = role,
	    .ops = &dispatch_ops,
	    .arg = s,
	};

	return child_start(&params);
}

static void
again_later(struct event *timer, unsigned *failures)
{
	service_set_timer(timer, respawn_delay_ms(++*failures));
}

static void
start_tokend(struct service *s)
{
	s->tokend = start(s, PROTO_TOKEND);
	if (s->tokend == NULL)
		again_later(s->tokend_again, &s->tokend_failures);
}

static void
start_worker(struct service *s)
{
	s->worker = start(s, PROTO_WORKER);
	if (s->worker == NULL)
		again_later(s->worker_again, &s->worker_failures);
}

static void
on_tokend_again(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)what;
	s->tokend_restarts++;
	start_tokend(s);
}

static void
on_worker_again(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)what;
	s->worker_restarts++;
	start_worker(s);
}

int
service_start(struct service *s)
{
	start_tokend(s);
	start_worker(s);
	return s->tokend != NULL && s->worker != NULL ? 0 : -1;
}

int
service_start_fresh(struct service *s)
{
	s->fresh = start(s, PROTO_WORKER);
	return s->fresh == NULL ? -1 : 0;
}

static void
drain(struct service *s, struct child *worker)
{
	size_t i, oldest = 0;

	if (worker == NULL)
		return;
	for (i = 0; i < SERVICE_WORKERS_MAX; i++) {
		if (s->old[i] == NULL) {
			s->old[i] = worker;
			(void)child_stop(worker, PROTO_STOP_REPLACED);
			return;
		}
	}
	/* More reloads than drains can end: the oldest must go. */
	for (i = 1; i < SERVICE_WORKERS_MAX; i++)
		if (child_age_ms(s->old[i]) > child_age_ms(s->old[oldest]))
			oldest = i;
	child_kill(s->old[oldest], "too many generations are draining");
	child_free(s->old[oldest]);
	s->old[oldest] = worker;
	(void)child_stop(worker, PROTO_STOP_REPLACED);
}

void
service_swap(struct service *s)
{
	struct child *old = s->worker;

	(void)evtimer_del(s->worker_again);
	s->worker = s->fresh;
	s->fresh = NULL;
	s->worker_failures = 0;
	/* Not before: a probe would find a worker that is not joined yet beside
	 * one that is, and a scrape the counters of either in turn. */
	drain(s, old);
	service_give_listener(s, s->worker);
}

/* --- ending --------------------------------------------------------------- */

static bool
has_workers(const struct service *s)
{
	size_t i;

	for (i = 0; i < SERVICE_WORKERS_MAX; i++)
		if (s->old[i] != NULL)
			return true;
	return s->worker != NULL || s->fresh != NULL;
}

/* tokend goes last: a refresh that came in the drain is still stored. */
static void
continue_stop(struct service *s)
{
	if (has_workers(s))
		return;
	if (s->tokend != NULL)
		(void)child_stop(s->tokend, PROTO_STOP_END);
	else
		(void)event_base_loopbreak(s->base);
}

static void
kill_all(struct service *s, const char *why)
{
	struct child *all[] = {s->tokend, s->worker, s->fresh};
	size_t i;

	for (i = 0; i < UTIL_COUNT(all); i++)
		if (all[i] != NULL)
			child_kill(all[i], why);
	for (i = 0; i < SERVICE_WORKERS_MAX; i++)
		if (s->old[i] != NULL)
			child_kill(s->old[i], why);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)what;
	if (s->exit_code == EX_OK)
		s->exit_code = 1; /* what was in flight is lost */
	kill_all(s, "it does not leave");
}

void
service_stop(struct service *s, int code)
{
	struct child *leaving[] = {s->worker, s->fresh};
	int64_t leave_ms =
	    conf_num(&s->conf, CONF_SHUTDOWN_TIMEOUT) + LEAVE_SLACK_MS;
	size_t i;

	if (s->stopping && s->drain_asked && code == EX_OK) {
		s->drain_asked = false;
		return; /* the first one, of whoever knows of no drain */
	}
	if (s->stopping) {
		log_warnx("stopping at once");
		s->exit_code = code != EX_OK ? code : 1;
		kill_all(s, NULL);
		return;
	}
	s->stopping = true;
	s->exit_code = code;
	notify_stopping(leave_ms + LEAVE_SLACK_MS);
	(void)evtimer_del(s->tokend_again);
	(void)evtimer_del(s->worker_again);
	reload_cancel(s->reload, "the service is stopping");
	service_set_timer(s->deadline, leave_ms);
	for (i = 0; i < UTIL_COUNT(leaving); i++)
		if (leaving[i] != NULL)
			(void)child_stop(leaving[i], PROTO_STOP_END);
	continue_stop(s);
}

void
service_drain(struct service *s)
{
	if (s->stopping)
		return;
	log_info("drain: stopping");
	s->drain_asked = true;
	service_stop(s, EX_OK);
}

void
service_tell_walls(struct service *s)
{
	struct child *workers[] = {s->worker, s->fresh};
	size_t i;

	for (i = 0; i < UTIL_COUNT(workers); i++)
		if (workers[i] != NULL && child_is_running(workers[i]))
			walls_tell(&s->walls, child_peer(workers[i]));
}

/* --- a child has ended ---------------------------------------------------- */

static struct child **
find(struct service *s, pid_t pid)
{
	struct child **all[] = {&s->tokend, &s->worker, &s->fresh};
	size_t i;

	for (i = 0; i < UTIL_COUNT(all); i++)
		if (*all[i] != NULL && child_pid(*all[i]) == pid)
			return all[i];
	for (i = 0; i < SERVICE_WORKERS_MAX; i++)
		if (s->old[i] != NULL && child_pid(s->old[i]) == pid)
			return &s->old[i];
	return NULL;
}

/* An end that no new start can mend: what the child said of its own birth, or
 * MAX_RETRIES. Without such a bound a worker that speaks of it is not believed:
 * it has read what outsiders wrote. */
static bool
is_final(const struct service *s, const struct child *c, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	if (code < EX__BASE || code > EX__MAX)
		return false;
	if (child_is_running(c))
		return child_role(c) == PROTO_WORKER &&
		    code == EX_UNAVAILABLE &&
		    conf_num(&s->conf, CONF_MAX_RETRIES) >= 0;
	return !s->ready;
}

static void
start_again(struct service *s, enum proto_role role, int64_t age_ms)
{
	bool tokend = role == PROTO_TOKEND;
	unsigned *failures = tokend ? &s->tokend_failures : &s->worker_failures;

	if (age_ms >= RESPAWN_GOOD_MS)
		*failures = 0;
	again_later(tokend ? s->tokend_again : s->worker_again, failures);
}

static void
on_child_end(struct service *s, struct child **slot, int status)
{
	struct child *c = *slot;
	enum proto_role role = child_role(c);
	int64_t age_ms = child_age_ms(c);
	bool final = is_final(s, c, status);
	char text[64];

	*slot = NULL;
	if (role == PROTO_TOKEND && !child_is_running(c))
		util_close(&s->secret_tried); /* it may be what it died of */
	/* Who was told to leave and did is not worth a line. */
	if (status != 0 || (!s->stopping && slot < &s->old[0]))
		log_warnx("%s (pid %d) ended with %s after %" PRId64 " s",
		    proto_role_name(role), child_pid(c),
		    child_status_text(status, text, sizeof(text)),
		    age_ms / 1000);
	if (walls_on_end(&s->walls, role, status))
		service_tell_walls(s);
	child_free(c);
	if (s->stopping)
		continue_stop(s);
	else if (slot == &s->fresh)
		reload_cancel(s->reload, "the new worker ended");
	else if (slot >= &s->old[0])
		return; /* drained */
	else if (final)
		service_stop(s, WEXITSTATUS(status));
	else
		start_again(s, role, age_ms);
	if (role != PROTO_TOKEND)
		return;
	reload_on_tokend_end(s->reload);
	if (s->control != NULL)
		control_tokend_end(s->control);
}

/* The next child that has ended, or -1. Its group goes with it: a look-up
 * helper that hangs hears no end of file, and the Landlock of a dying worker
 * keeps even the signal for the death of a parent from it. Before the pid can
 * be another's. */
static pid_t
reap(int *status)
{
	siginfo_t info = {0};

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 ||
	    info.si_pid == 0)
		return -1;
	(void)kill(-info.si_pid, SIGKILL);
	return waitpid(info.si_pid, status, WNOHANG);
}

static void
on_sigchld(evutil_socket_t sig, short what, void *arg)
{
	struct service *s = arg;
	struct child **slot;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = reap(&status)) > 0) {
		slot = find(s, pid);
		if (slot != NULL)
			on_child_end(s, slot, status);
	}
}

/* --- questions to a child ------------------------------------------------- */

bool
service_ask_status(struct service *s, struct child *c)
{
	if (c == NULL || !child_is_running(c))
		return false;
	peer_send_empty(child_peer(c), PROTO_STATUS, ++s->last_id);
	return true;
}

bool
service_reconnect(struct service *s)
{
	if (s->worker == NULL || !child_is_running(s->worker))
		return false;
	peer_send_empty(child_peer(s->worker), PROTO_RECONNECT, 0);
	return true;
}

/* --- reload by a signal --------------------------------------------------- */

static bool
can_reload(const struct service *s)
{
	return s->ready && s->reload == NULL && s->tokend != NULL &&
	    child_is_running(s->tokend);
}

static void
on_reload_later(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)what;
	if (s->stopping)
		return;
	if (can_reload(s))
		reload_start(s, NULL, NULL);
	else
		service_set_timer(s->reload_later, RELOAD_LOOK_MS);
}

void
service_reload(struct service *s)
{
	if (s->stopping || can_reload(s)) {
		reload_start(s, NULL, NULL);
		return;
	}
	log_info("reload: it begins when %s",
	    s->reload != NULL ? "the one that is under way is over"
			      : "the service is ready");
	service_set_timer(s->reload_later, RELOAD_LOOK_MS);
}

/* --- life ----------------------------------------------------------------- */

struct service *
service_create(struct event_base *base, struct config *config,
    struct conf *conf, const struct config_secrets *secrets)
{
	struct service *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatalx("out of memory");
	s->base = base;
	s->config = config;
	s->conf = *conf;
	s->secrets = *secrets;
	s->secret_tried = s->listener = -1;
	walls_init(&s->walls);
	notify_init(&s->notify);
	s->root = priv_is_root();
	s->generation = 1;
	s->started_ms = util_mono_ms();
	s->tokend_again = evtimer_new(base, on_tokend_again, s);
	s->worker_again = evtimer_new(base, on_worker_again, s);
	s->reload_later = evtimer_new(base, on_reload_later, s);
	s->deadline = evtimer_new(base, on_deadline, s);
	s->child_signal = evsignal_new(base, SIGCHLD, on_sigchld, s);
	if (s->tokend_again == NULL || s->worker_again == NULL ||
	    s->reload_later == NULL || s->deadline == NULL ||
	    s->child_signal == NULL || event_add(s->child_signal, NULL) == -1)
		fatalx("out of memory");
	liveness_open(s);
	return s;
}

void
service_free(struct service *s)
{
	event_free(s->tokend_again);
	event_free(s->worker_again);
	liveness_close(s);
	event_free(s->reload_later);
	event_free(s->deadline);
	event_free(s->child_signal);
	conf_clear(&s->conf);
	config_close_secrets(&s->secrets);
	util_close(&s->secret_tried);
	util_close(&s->listener);
	free(s);
}
