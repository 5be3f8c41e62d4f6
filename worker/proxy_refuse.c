/* SPDX-License-Identifier: MIT */
/*
 * Errors of our own: a short JSON document with a stable code and the
 * request_id, without an address, a path or a library's words. Encoded at
 * once, and small: there may be thousands of them at a time.
 */
#include <inttypes.h>
#include <string.h>

#include "channel.h"
#include "json.h"
#include "log.h"
#include "metrics.h"
#include "phx.h"
#include "plugboard.h"
#include "proxy_parts.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#define MESSAGE_MAX 4096
/* Of one that waits in the tunnel's queue: its entry there, its timer. */
#define OVERHEAD 256

static void
put_string(struct buf *b, const char *s)
{
	(void)json_put_str(b, s, strlen(s));
}

/* {"error":"code","reason":"…","request_id":"…"} */
static void
put_document(struct buf *b, const struct proxied *p, const char *code,
    const char *reason)
{
	(void)buf_puts(b, "{\"error\":");
	put_string(b, code);
	(void)buf_puts(b, ",\"reason\":");
	put_string(b, reason);
	(void)buf_puts(b, ",\"request_id\":");
	put_string(b, p->id);
	(void)buf_puts(b, "}\n");
}

/* "name: value", as a member of the headers. */
static void
put_field(struct buf *b, const char *field)
{
	const char *colon = strchr(field, ':');

	if (colon == NULL)
		return;
	(void)buf_puts(b, ",");
	(void)json_put_str(b, field, (size_t)(colon - field));
	(void)buf_puts(b, ":");
	put_string(b, colon + 1 + strspn(colon + 1, " "));
}

static void
put_fields(struct buf *b, const struct proxied *p, int64_t wait_ms)
{
	(void)buf_puts(b,
	    "\"headers\":{\"content-type\":\"application/json\","
	    "\"cache-control\":\"no-store\"");
	if (wait_ms > 0) /* RFC 9110 §10.2.3: whole seconds */
		(void)buf_printf(b, ",\"retry-after\":\"%" PRId64 "\"",
		    (wait_ms + 999) / 1000);
	if (p->refusal_field != NULL)
		put_field(b, p->refusal_field);
	(void)buf_puts(b, "},");
}

size_t
proxied_read_error(void *arg, uint8_t *out, size_t cap, bool *done)
{
	struct proxied *p = arg;
	size_t n = p->small.len - p->small_sent;

	if (n > cap)
		n = cap;
	memcpy(out, p->small.data + p->small_sent, n);
	p->small_sent += n;
	*done = p->small_sent == p->small.len;
	return n;
}

static void
on_small_end(void *arg, bool sent)
{
	proxied_end(arg, sent);
}

static void
send_small(struct proxied *p)
{
	struct outbox_message message = {
	    .read = proxied_read_error,
	    .end = on_small_end,
	    .arg = p,
	    .len = p->small.len,
	    .held = sizeof(*p) + p->small.cap + OVERHEAD,
	};

	p->stage = PROXIED_ANSWERING;
	timer_stop(p->timer);
	if (p->small.failed)
		proxied_end(p, false);
	else
		plugboard_send(tunnel_plugboard(p->tunnel), &message, false);
}

void
proxied_put_error(
    struct proxied *p, const struct proxied_refusal *r, int64_t wait_ms)
{
	struct channel *channel = tunnel_channel(p->tunnel);
	struct buf document, *b = &p->small;
	char ref[CHANNEL_REF_MAX];
	struct phx_names names = {
	    .join_ref = channel_join_ref(channel),
	    .ref = channel_next_ref(channel, ref),
	    .topic = channel_topic(channel),
	    .event = "proxy_res",
	};

	buf_init(&document, MESSAGE_MAX);
	put_document(&document, p, r->code, r->reason);
	p->entry.bytes_out = (int64_t)document.len;
	buf_init(b, MESSAGE_MAX);
	(void)phx_put_head(b, &names);
	(void)buf_puts(b, "{\"request_id\":");
	put_string(b, p->id);
	(void)buf_printf(b, ",\"status\":%d,", r->status);
	put_fields(b, p, wait_ms);
	(void)buf_puts(b, "\"chunked\":false,\"body\":");
	(void)json_put_str(b, document.data, document.len);
	(void)buf_puts(b, "}]");
	b->failed = b->failed || document.failed;
	buf_clear(&document);
}

static void
refuse(struct proxied *p, const struct proxied_refusal *r, int64_t wait_ms)
{
	struct ledger_entry *e = &p->entry;

	p->owner->failures++;
	proxied_release(p);
	e->status = r->status;
	e->cause = r->code;
	(void)util_strlcpy(e->reason, r->reason, sizeof(e->reason));
	if (p->detail[0] != '\0') /* libcurl's words are for us alone */
		(void)util_fmt(e->reason, sizeof(e->reason), "%s (%s)",
		    r->reason, p->detail);
	e->got_us = util_mono_us();
	if (p->tunnel == NULL) {
		proxied_end(p, false);
		return;
	}
	proxied_put_error(p, r, wait_ms);
	send_small(p);
}

void
proxied_refuse(
    struct proxied *p, int status, const char *code, const char *reason)
{
	const struct proxied_refusal r = {status, code, reason};

	refuse(p, &r, 0);
}

void
proxied_refuse_limit(
    struct proxied *p, const struct proxied_refusal *r, int64_t wait_ms)
{
	struct proxy *proxy = p->owner;
	uint64_t kept;

	p->entry.outcome = METRICS_REFUSED;
	p->entry.quiet = true;
	if (quiet_allows(&proxy->quiet, util_mono_ms(), &kept))
		log_warnx("request %s: refused with %d: %s: %s; %" PRIu64
			  " more before it",
		    p->id, r->status, r->code, r->reason, kept);
	refuse(p, r, wait_ms);
}
