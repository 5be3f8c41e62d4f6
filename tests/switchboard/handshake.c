/* SPDX-License-Identifier: MIT */
/*
 * handshake: the rules of /telephone/websocket.  The request is recorded with
 * its token replaced by the jti; nothing here prints a token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "board.h"
#include "handshake.h"
#include "record.h"
#include "tokens.h"
#include "text.h"
#include "ws.h"

/* The request head with the value of each token= in its first line replaced. */
static void
record_request(uint64_t socket, const struct request *r, const char *jti)
{
	struct buf clean = BUF_INIT;
	struct record_bytes rec = {socket, "in", "handshake", NULL, 0, 0};
	const char *p = (const char *)r->raw.data;
	const char *end = p + r->raw.len;
	bool in_line = true;

	while (p < end) {
		if (*p == '\r')
			in_line = false;
		buf_addc(&clean, *p++);
		if (!in_line || end - p < 6 || (p[-1] != '?' && p[-1] != '&') ||
		    memcmp(p, "token=", 6) != 0)
			continue;
		buf_addf(&clean, "token=%s", jti != NULL ? jti : "(bad)");
		while (p < end && *p != '&' && *p != ' ' && *p != '\r')
			p++;
	}
	rec.data = clean.data;
	rec.len = clean.len;
	record_bytes(&rec);
	buf_clear(&clean);
}

/* An Origin whose host is not the Host header's is foreign. */
static bool
is_foreign(const struct request *r)
{
	const char *origin = request_header(r, "origin");
	const char *host = request_header(r, "host");
	const char *name;
	size_t len;

	if (origin == NULL)
		return false;
	name = strstr(origin, "://");
	if (name == NULL || host == NULL)
		return true;
	name += 3;
	len = strcspn(name, ":/");
	return len != strcspn(host, ":") || strncasecmp(name, host, len) != 0;
}

/* NULL when the request is good, or why it gets 403; fills the claims. */
static const char *
judge_rules(const struct request *r, struct jwt *claims)
{
	char *token = text_query_get(r->query, "token");
	char *vsn = text_query_get(r->query, "vsn");
	const char *why = "no token";
	int good = -1;

	memset(claims, 0, sizeof(*claims));
	if (token != NULL)
		good = tokens_judge(token, claims, &why);
	if (good == 0)
		why = vsn == NULL || strcmp(vsn, "2.0.0") != 0 ? "vsn"
		    : is_foreign(r) ? "foreign origin"
				    : NULL;
	free(token);
	free(vsn);
	return why;
}

static void
refuse(struct http *h, uint64_t socket, int status, const char *why)
{
	struct buf empty = BUF_INIT;
	char extra[64] = "";

	if (board.settings.retry_after > 0 && status != 403)
		snprintf(extra, sizeof(extra), "retry-after: %lld\r\n",
		    (long long)board.settings.retry_after);
	if (status == 403)
		board.count[COUNT_REJECTED_403]++;
	board_log("handshake refused with %d: %s", status, why);
	record_event(socket, "refused", "%d %s", status, why);
	http_reply(h, status, extra, &empty);
}

int
handshake_judge(struct http *h, uint64_t socket, struct jwt *claims)
{
	const struct request *r = http_request(h);
	int status = settings_handshake_status(&board.settings);
	const char *why = judge_rules(r, claims);

	record_request(socket, r, claims->jti);
	if (board.settings.handshake == HANDSHAKE_SILENT) {
		record_event(socket, "silent", "handshake left unanswered");
		http_hold(h);
	} else if (status != 0) {
		refuse(h, socket, status, "as set");
	} else if (!ws_is_upgrade(r)) {
		refuse(h, socket, 400, "no upgrade");
	} else if ((status = ws_judge_upgrade(r)) != 0) {
		refuse(h, socket, status, "bad upgrade");
	} else if (why != NULL) {
		refuse(h, socket, 403, why);
	} else {
		return 0;
	}
	jwt_clear(claims);
	return -1;
}
