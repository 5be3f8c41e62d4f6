/* SPDX-License-Identifier: MIT */
/*
 * Tries and time. A request has one timer, which its stage gives a meaning:
 * the end of a wait, or the deadline of all of it. The breaker is told of each
 * try once: as soon as bytes of an answer come, or when the try ends without.
 */
#include <inttypes.h>

#include "conf.h"
#include "log.h"
#include "metrics.h"
#include "proxy_parts.h"
#include "timer.h"
#include "util.h"

const struct proxied_refusal proxied_breaker_open = {503, "breaker_open",
    "the application has not answered for a while and is not asked now"};
static const struct proxied_refusal no_memory = {
    503, "out_of_memory", "out of memory"};
static const struct proxied_refusal queue_timeout = {503, "queue_timeout",
    "the request waited for QUEUE_TIMEOUT behind MAX_INFLIGHT others"};

#define QUEUE_WAIT_MS 1000

void
proxied_await(struct proxied *p, int64_t at_ms)
{
	if (at_ms > p->deadline_ms)
		at_ms = p->deadline_ms;
	timer_set_ms(p->timer, at_ms - util_mono_ms());
}

/* --- the breaker ---------------------------------------------------------- */

static void
tell_breaker(struct proxy *proxy)
{
	const struct breaker *b = &proxy->breaker;

	if (b->state == proxy->breaker_told)
		return;
	proxy->breaker_told = b->state;
	metrics_set(proxy->params.metrics, METRICS_BREAKER, b->state);
	if (b->state == BREAKER_OPEN) {
		metrics_add(proxy->params.metrics, METRICS_BREAKER_OPENED, 1);
		log_warnx("circuit breaker: open: %u tries in a row brought "
			  "no byte of an answer; none is made for %" PRId64
			  " ms",
		    b->failures, b->open_ms);
	} else if (b->state == BREAKER_HALF_OPEN) {
		log_info("circuit breaker: half-open: one request tries");
	} else {
		log_info("circuit breaker: closed: the application answers");
	}
}

/* Whether an error means that not a byte came. */
static bool
is_silence(enum backend_error error)
{
	switch (error) {
	case BACKEND_RESOLVE:
	case BACKEND_UNREACHABLE:
	case BACKEND_CONNECT_TIMEOUT:
	case BACKEND_FIRST_BYTE_TIMEOUT:
	case BACKEND_TLS:
	case BACKEND_CUT:
	case BACKEND_STALE:
		return true;
	default:
		return false;
	}
}

static void
judge(struct proxied *p, breaker_outcome *outcome)
{
	if (p->judged)
		return;
	p->judged = true;
	outcome(&p->owner->breaker, p->probe, util_mono_ms());
	tell_breaker(p->owner);
}

/* --- trying --------------------------------------------------------------- */

static void
note_try(struct ledger_entry *e, unsigned tries)
{
	e->tries = tries;
	e->called_us = util_mono_us();
	if (tries == 1)
		e->tried_us = e->called_us;
	e->heard_us = 0;
	e->connect_us = -1;
}

void
proxied_try(struct proxied *p)
{
	struct proxy *proxy = p->owner;
	int64_t now_ms = util_mono_ms();

	if (!proxied_count_call(p))
		return;
	if (!breaker_admit(&proxy->breaker, now_ms, &p->probe)) {
		proxied_refuse_limit(p, &proxied_breaker_open,
		    breaker_wait_ms(&proxy->breaker, now_ms));
		return;
	}
	tell_breaker(proxy);
	p->stage = PROXIED_CALLING;
	p->judged = false;
	p->discard = false;
	if (p->tries++ > 0)
		metrics_add(proxy->params.metrics, METRICS_RETRIES, 1);
	note_try(&p->entry, p->tries);
	p->call = proxied_collect_begin(p) == -1 ? NULL : proxied_call(p);
	if (p->call == NULL) {
		judge(p, breaker_forgotten);
		proxied_refuse_limit(p, &no_memory, 0);
		return;
	}
	proxied_await(p, p->deadline_ms);
}

/* Another try after that, if time allows. */
static bool
pause_for(struct proxied *p, int64_t delay_ms, const char *why)
{
	int64_t at_ms = util_mono_ms() + delay_ms;

	if (at_ms >= p->deadline_ms ||
	    breaker_is_open(&p->owner->breaker, at_ms))
		return false;
	log_info("request %s: try %u: %s; again in %" PRId64 " ms", p->id,
	    p->tries, why, delay_ms);
	p->stage = PROXIED_PAUSED;
	proxied_await(p, at_ms);
	return true;
}

bool
proxied_heard(struct proxied *p, int status)
{
	char why[32];
	int64_t delay_ms;

	judge(p, breaker_succeeded);
	if (!retry_after_status(&p->owner->retry, p->method, p->tries, status))
		return false;
	(void)util_fmt(why, sizeof(why), "status %d", status);
	delay_ms = retry_delay_ms(p->tries);
	p->discard = pause_for(p, delay_ms, why);
	if (p->discard) {
		trace_called(p->trace, status, NULL);
		trace_retry(p->trace, status, NULL, delay_ms);
	}
	return p->discard;
}

static bool
cause_of(enum backend_error error, enum retry_cause *cause)
{
	static const struct {
		enum backend_error error;
		enum retry_cause cause;
	} causes[] = {
	    {BACKEND_RESOLVE, RETRY_CONNECT},
	    {BACKEND_UNREACHABLE, RETRY_CONNECT},
	    {BACKEND_TLS, RETRY_CONNECT},
	    {BACKEND_CONNECT_TIMEOUT, RETRY_TIMEOUT},
	    {BACKEND_FIRST_BYTE_TIMEOUT, RETRY_TIMEOUT},
	    {BACKEND_CUT, RETRY_CUT},
	    {BACKEND_STALE, RETRY_STALE},
	};
	size_t i;

	for (i = 0; i < UTIL_COUNT(causes); i++)
		if (causes[i].error == error) {
			*cause = causes[i].cause;
			return true;
		}
	return false;
}

static void
note_called(struct proxied *p, enum backend_error error)
{
	const char *code = error == BACKEND_OK ? NULL
	    : error == BACKEND_ABORTED && p->refusal_code != NULL
	    ? p->refusal_code
	    : backend_error_code(error);

	trace_called(p->trace, p->status, code);
}

bool
proxied_tried(struct proxied *p, enum backend_error error)
{
	enum retry_cause cause;
	int64_t delay_ms;

	p->call = NULL;
	if (p->discard)
		return true;
	note_called(p, error);
	if (is_silence(error))
		judge(p, breaker_failed);
	else if (error == BACKEND_MEMORY)
		judge(p, breaker_forgotten);
	else
		judge(p, breaker_succeeded);
	if (p->status != 0 || !cause_of(error, &cause) ||
	    !retry_after_failure(&p->owner->retry, p->method, p->tries, cause))
		return false;
	delay_ms = cause == RETRY_STALE ? retry_delay_stale_ms(p->tries)
					: retry_delay_ms(p->tries);
	if (!pause_for(p, delay_ms, backend_error_text(error)))
		return false;
	trace_retry(p->trace, 0, backend_error_code(error), delay_ms);
	return true;
}

void
proxied_give_up(struct proxied *p)
{
	if (p->call == NULL)
		return;
	judge(p, breaker_forgotten);
	trace_called(p->trace, p->status, "cancelled");
	backend_cancel(p->call);
	p->call = NULL;
}

/* --- time ----------------------------------------------------------------- */

static void
out_of_time(struct proxied *p)
{
	const char *code = "request_timeout";
	const char *reason =
	    "the application did not answer within REQUEST_TIMEOUT";
	bool waits = p->call != NULL && backend_is_waiting(p->call);

	if (p->status != 0) {
		code = "backend_unfinished";
		reason = "the application's answer did not end within "
			 "REQUEST_TIMEOUT: plugboard passes an answer on only "
			 "when it is whole, so this wire cannot stream";
	} else if (p->tries == 0) {
		reason = "the request waited for all of REQUEST_TIMEOUT";
	} else if (waits) {
		reason = "the request waited for one of "
			 "BACKEND_CONNECTIONS_MAX until REQUEST_TIMEOUT was "
			 "over";
	}
	if (p->call != NULL) {
		judge(p, waits ? breaker_forgotten : breaker_failed);
		trace_called(p->trace, p->status, code);
	}
	proxied_give_up(p);
	p->entry.outcome = METRICS_TIMEOUT;
	proxied_refuse(p, 504, code, reason);
}

void
proxied_on_timer(int fd, short what, void *arg)
{
	struct proxied *p = arg;
	bool late = util_mono_ms() >= p->deadline_ms;

	(void)fd;
	(void)what;
	switch (p->stage) {
	case PROXIED_WAITING:
		proxied_leave_queue(p);
		if (late)
			out_of_time(p);
		else
			proxied_refuse_limit(p, &queue_timeout, QUEUE_WAIT_MS);
		break;
	case PROXIED_PAUSED:
		proxied_give_up(p); /* whose answer nobody wants */
		proxied_try(p);
		break;
	case PROXIED_CALLING:
		if (!backend_settle(p->call))
			out_of_time(p);
		break;
	case PROXIED_NEW:
	case PROXIED_ANSWERING:
		break;
	}
}
