/* SPDX-License-Identifier: MIT */
/* Who may see the page, and what its script asks for. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect.h"
#include "jsonout.h"
#include "ledger_json.h"
#include "util.h"

#define PREFIX "/inspect/"
/* The longest of an entry: three texts of which each byte is escaped. */
#define ENTRY_MAX ((size_t)4096)

/* Besides what http.c says of all answers. Nothing that this page shows is to
 * be had by another, nor does anything lead out of it. */
#define FIELDS                                          \
	"Referrer-Policy: no-referrer\r\n"              \
	"Cross-Origin-Resource-Policy: same-origin\r\n" \
	"Cross-Origin-Opener-Policy: same-origin\r\n"   \
	"X-Frame-Options: DENY\r\n"
static const char data_fields[] = "Content-Security-Policy: default-src "
				  "'none'; frame-ancestors 'none'\r\n" FIELDS;

/* The script and the style sheet that were built in, and no other; it speaks
 * to where it came from, and makes no HTML of a text. */
static const char policy[] =
    "Content-Security-Policy: default-src 'none'; script-src '%s'; "
    "style-src '%s'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'\r\n" FIELDS;

/* --- what is asked -------------------------------------------------------- */

static void
on_page(const struct inspect *in, const struct http_head *head,
    struct http_answer *a)
{
	(void)head;
	a->status = 200;
	a->type = "text/html; charset=utf-8";
	a->extra = in->page_fields;
	a->fixed = inspect_page;
	a->fixed_len = inspect_page_len;
}

static void
on_state(const struct inspect *in, const struct http_head *head,
    struct http_answer *a)
{
	struct inspect_facts facts;

	(void)head;
	memset(&facts, 0, sizeof(facts));
	in->params.facts(&facts, in->params.arg);
	facts.worker = in->worker;
	a->status = 200;
	a->type = "application/json";
	a->extra = data_fields;
	inspect_state(&facts, &a->body);
}

/* "after=SEQ" and nothing else; no query: from the first that is known. */
static int
take_after(const char *query, uint64_t *after)
{
	static const char name[] = "after=";
	char *end;

	*after = 0;
	if (query[0] == '\0')
		return 0;
	if (strncmp(query, name, sizeof(name) - 1) != 0)
		return -1;
	query += sizeof(name) - 1;
	if (query[0] < '0' || query[0] > '9')
		return -1;
	errno = 0;
	*after = strtoull(query, &end, 10);
	return errno == 0 && *end == '\0' ? 0 : -1;
}

static void
put_recent(const struct ledger *l, uint64_t after, struct buf *b)
{
	const struct ledger_entry *e;
	const char *comma = "";
	uint64_t seq, missed = 0;

	if (after > l->ended)
		after = l->ended; /* the numbers of another worker */
	if (l->ended - after > LEDGER_RECENT_MAX)
		missed = l->ended - after - LEDGER_RECENT_MAX;
	(void)buf_printf(b, ",\"missed\":%" PRIu64 ",\"recent\":[", missed);
	for (seq = after + missed + 1;
	     seq <= l->ended && b->len < INSPECT_ANSWER_MAX - ENTRY_MAX;
	     seq++) {
		e = ledger_recent(l, seq);
		if (e == NULL)
			continue;
		(void)buf_puts(b, comma);
		(void)ledger_json(b, e, 0);
		comma = ",";
	}
	(void)buf_puts(b, "]");
	jsonout_put_bool(b, "more", seq <= l->ended);
}

static void
put_running(const struct ledger *l, struct buf *b)
{
	const struct ledger_entry *e;
	unsigned count[2] = {0, 0}; /* requests, WebSockets */
	int64_t now_us = util_mono_us();
	const char *comma = "";

	(void)buf_puts(b, ",\"running\":[");
	for (e = TAILQ_FIRST(&l->running); e != NULL; e = TAILQ_NEXT(e, link)) {
		if (count[e->ws]++ >= INSPECT_RUNNING_MAX)
			continue;
		(void)buf_puts(b, comma);
		(void)ledger_json(b, e, now_us);
		comma = ",";
	}
	(void)buf_puts(b, "]");
	jsonout_put_int(b, "running_requests", count[false]);
	jsonout_put_int(b, "running_websockets", count[true]);
}

static void
on_requests(const struct inspect *in, const struct http_head *head,
    struct http_answer *a)
{
	const struct ledger *l = in->params.ledger;
	uint64_t after;

	a->extra = data_fields;
	if (take_after(head->query, &after) == -1) {
		a->status = 400;
		return;
	}
	a->status = 200;
	a->type = "application/json";
	(void)buf_printf(&a->body,
	    "{\"worker\":\"%s\",\"now_ms\":%" PRId64 ",\"ended\":%" PRIu64
	    ",\"after\":%" PRIu64,
	    in->worker, util_wall_ms(), l->ended, after);
	put_recent(l, after, &a->body);
	put_running(l, &a->body);
	(void)buf_puts(&a->body, "}\n");
}

/* --- who asks ------------------------------------------------------------- */

static const struct {
	const char *path; /* behind the token */
	void (*handle)(const struct inspect *, const struct http_head *,
	    struct http_answer *);
} routes[] = {
    {"", on_page},
    {"/", on_page},
    {"/state", on_state},
    {"/requests", on_requests},
};

/* What stands behind the token, or NULL: it is not ours. */
static const char *
below_token(const struct inspect *in, const char *path)
{
	size_t prefix = sizeof(PREFIX) - 1;

	if (in->token[0] == '\0' || strncmp(path, PREFIX, prefix) != 0 ||
	    strlen(path) < prefix + PROTO_INSPECT_LEN ||
	    !util_equal_ct(path + prefix, in->token, PROTO_INSPECT_LEN))
		return NULL;
	return path + prefix + PROTO_INSPECT_LEN;
}

static void
refuse_host(struct http_answer *a)
{
	a->status = 403;
	a->extra = data_fields;
	(void)buf_puts(&a->body,
	    "This page answers to localhost, 127.0.0.1 and [::1] alone. "
	    "INSPECT=any lets it answer to other names, too.\n");
}

void
inspect_answer(const struct inspect *in, const struct http_head *head,
    struct http_answer *a)
{
	const char *path = below_token(in, head->path);
	size_t i;

	if (path == NULL)
		return;
	if (!in->params.any_host && !http_head_is_local(head)) {
		refuse_host(a);
		return;
	}
	for (i = 0; i < UTIL_COUNT(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			routes[i].handle(in, head, a);
}

void
inspect_init(struct inspect *in, const struct inspect_params *params)
{
	memset(in, 0, sizeof(*in));
	in->params = *params;
	(void)util_strlcpy(in->token, params->token, sizeof(in->token));
	(void)util_fmt(in->worker, sizeof(in->worker), "%ld-%" PRId64,
	    (long)getpid(), util_wall_ms() / 1000);
	(void)util_fmt(in->page_fields, sizeof(in->page_fields), policy,
	    inspect_page_script, inspect_page_style);
}
