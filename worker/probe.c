/* SPDX-License-Identifier: MIT */
/* One question at a time; its timer is the pause, then the deadline. */
#include <stdlib.h>

#include "backend.h"
#include "conf.h"
#include "log.h"
#include "probe.h"
#include "timer.h"
#include "util.h"

#define DEADLINE_MS 5000

struct probe {
	struct probe_params params;
	const char *path; /* "": nothing is asked */
	int64_t interval_ms;
	struct event *timer;
	struct backend_call *call;
	int status;
	enum ready_backend result;
};

static void
conclude(struct probe *p, bool good, const char *why)
{
	enum ready_backend result =
	    good ? READY_BACKEND_GOOD : READY_BACKEND_BAD;
	bool first = p->result == READY_BACKEND_UNKNOWN;

	if (result != p->result && good)
		log_info("the application is well (BACKEND_HEALTH_PATH)");
	else if (result != p->result)
		log_warnx("the application is not well: BACKEND_HEALTH_PATH: "
			  "%s",
		    why);
	p->result = result;
	timer_set_ms(p->timer, p->interval_ms);
	if (first)
		p->params.on_known(p->params.arg);
}

static int
on_status(int status, void *arg)
{
	struct probe *p = arg;

	p->status = status;
	return 0;
}

static int
on_field(const char *line, size_t len, void *arg)
{
	(void)line;
	(void)len;
	(void)arg;
	return 0;
}

static int
on_body(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	(void)arg;
	return 0;
}

static void
on_done(enum backend_error error, const char *detail, void *arg)
{
	struct probe *p = arg;
	char why[32];

	(void)detail;
	p->call = NULL;
	(void)util_fmt(why, sizeof(why), "status %d", p->status);
	if (error != BACKEND_OK)
		conclude(p, false, backend_error_text(error));
	else
		conclude(p, p->status < 400, why);
}

static const struct backend_ops ops = {on_status, on_field, on_body, on_done};

static void
ask(struct probe *p)
{
	static const struct backend_field fields[] = {
	    {"user-agent", "telephone-health"},
	    {"accept", "*/*"},
	};
	const struct backend_request request = {
	    .method = "GET",
	    .target = p->path,
	    .fields = fields,
	    .field_count = UTIL_COUNT(fields),
	    .once = true,
	};

	p->status = 0;
	p->call = backend_start(p->params.backend, &request, &ops, p);
	if (p->call == NULL)
		conclude(p, false, "out of memory");
	else
		timer_set_ms(p->timer, DEADLINE_MS);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd;
	(void)what;
	if (p->call == NULL) {
		ask(p);
		return;
	}
	backend_cancel(p->call);
	p->call = NULL;
	conclude(p, false, "no answer within 5 s");
}

enum ready_backend
probe_result(const struct probe *p)
{
	return p->result;
}

struct probe *
probe_create(const struct probe_params *params)
{
	const struct conf *conf = params->conf;
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->params = *params;
	p->path = conf_text(conf, CONF_BACKEND_HEALTH_PATH);
	p->interval_ms = conf_num(conf, CONF_BACKEND_HEALTH_INTERVAL);
	p->timer = timer_create_ms(params->base, on_timer, p);
	if (p->path[0] == '\0')
		return p;
	p->result = READY_BACKEND_UNKNOWN;
	timer_set_ms(p->timer, 0);
	return p;
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	backend_cancel(p->call);
	timer_clear(&p->timer);
	free(p);
}
