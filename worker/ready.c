/* SPDX-License-Identifier: MIT */
/* The checks of ready.h. */
#include <inttypes.h>
#include <time.h>

#include "ready.h"
#include "version.h"

static const char *
why_token(const struct ready_facts *f)
{
	if (f->token_expiry_s == 0)
		return "no_token";
	return f->token_expiry_s <= f->wall_s ? "token_expired" : NULL;
}

/* The first one is due an interval after the join, which stands for it. */
static const char *
why_heartbeat(const struct ready_facts *f)
{
	int64_t age_ms = f->heartbeat_ms >= 0 ? f->heartbeat_ms : f->joined_ms;

	return age_ms > f->heartbeat_max_ms ? "heartbeat_late" : NULL;
}

static const char *
why_backend(const struct ready_facts *f)
{
	switch (f->backend) {
	case READY_BACKEND_UNKNOWN:
		return "backend_unknown";
	case READY_BACKEND_BAD:
		return "backend_unhealthy";
	case READY_BACKEND_UNASKED:
	case READY_BACKEND_GOOD:
		break;
	}
	return NULL;
}

const char *
ready_why(const struct ready_facts *f, enum ready_check check)
{
	switch (check) {
	case READY_DRAIN:
		return f->draining ? "draining" : NULL;
	case READY_TOKEN:
		return why_token(f);
	case READY_TUNNEL:
		return f->joined ? NULL : "not_joined";
	case READY_HEARTBEAT:
		return why_heartbeat(f);
	case READY_BACKEND:
		return why_backend(f);
	case READY_CHECKS:
		break;
	}
	return NULL;
}

const char *
ready_not(const struct ready_facts *f)
{
	const char *why = NULL;
	int i;

	for (i = 0; i < READY_CHECKS && why == NULL; i++)
		why = ready_why(f, (enum ready_check)i);
	return why;
}

void
ready_text(const struct ready_facts *f, bool verbose, struct buf *out)
{
	static const char *const names[READY_CHECKS] = {
	    "drain", "token", "tunnel", "heartbeat", "backend"};
	const char *why = ready_not(f);
	int i;

	for (i = 0; verbose && i < READY_CHECKS; i++) {
		const char *bad = ready_why(f, (enum ready_check)i);

		(void)buf_printf(out, "[%s]%s %s%s\n", bad == NULL ? "+" : "-",
		    names[i],
		    bad == NULL ? "ok" : "failed: ", bad == NULL ? "" : bad);
	}
	(void)buf_printf(out, "%s\n", why == NULL ? "ok" : why);
}

/* As Go's time.Duration prints whole seconds: "1h2m3s". */
static void
put_duration(struct buf *out, int64_t s)
{
	if (s >= 3600)
		(void)buf_printf(out, "%" PRId64 "h", s / 3600);
	if (s >= 60)
		(void)buf_printf(out, "%" PRId64 "m", s / 60 % 60);
	(void)buf_printf(out, "%" PRId64 "s", s % 60);
}

/* RFC 3339, or null. */
static void
put_time(struct buf *out, const char *name, int64_t s)
{
	time_t t = (time_t)s;
	char text[32];
	struct tm tm;

	(void)buf_printf(out, ",\"%s\":", name);
	if (s <= 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm) == 0)
		(void)buf_puts(out, "null");
	else
		(void)buf_puts(out, text);
}

void
ready_json(const struct ready_facts *f, const char *status, struct buf *out)
{
	const char *why, *comma = "";
	int i;

	(void)buf_printf(out,
	    "{\"status\":\"%s\",\"connected\":%s,\"uptime\":\"", status,
	    f->joined ? "true" : "false");
	put_duration(out, f->uptime_ms / 1000);
	(void)buf_puts(out, "\"");
	put_time(out, "last_heartbeat",
	    f->heartbeat_ms < 0 ? 0 : f->wall_s - f->heartbeat_ms / 1000);
	put_time(out, "token_expiry", f->token_expiry_s);
	(void)buf_printf(out, ",\"version\":\"%s\",\"reasons\":[", version);
	for (i = 0; i < READY_CHECKS; i++) {
		why = ready_why(f, (enum ready_check)i);
		if (why == NULL)
			continue;
		(void)buf_printf(out, "%s\"%s\"", comma, why);
		comma = ",";
	}
	(void)buf_puts(out, "]}\n");
}
