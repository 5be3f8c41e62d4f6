/* SPDX-License-Identifier: MIT */
/* The little cache of names.h. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "names.h"
#include "util.h"

struct names {
	struct resolve *resolve;
	const char *host;
	int64_t timeout_ms;
	names_cb *cb;
	void *arg;
	bool literal;
	struct resolve_query *query;
	int64_t found_ms; /* 0: never */
	char list[NAMES_LIST_MAX];
};

static bool
is_literal(const char *host)
{
	uint8_t space[sizeof(struct in6_addr)];

	return strcasecmp(host, "localhost") == 0 ||
	    inet_pton(AF_INET, host, space) == 1 ||
	    inet_pton(AF_INET6, host, space) == 1;
}

struct names *
names_create(struct resolve *resolve, const char *host, int64_t timeout_ms,
    names_cb *cb, void *arg)
{
	struct names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->resolve = resolve;
	n->host = host;
	n->timeout_ms = timeout_ms;
	n->cb = cb;
	n->arg = arg;
	n->literal = is_literal(host);
	return n;
}

void
names_free(struct names *n)
{
	if (n == NULL)
		return;
	resolve_cancel(n->query);
	free(n);
}

static void
put_list(struct names *n, const struct resolve_result *result)
{
	size_t len = 0;
	unsigned i;

	for (i = 0; i < result->count; i++) {
		bool v6 = strchr(result->addr[i], ':') != NULL;

		(void)util_fmt(n->list + len, sizeof(n->list) - len, "%s%s%s%s",
		    i > 0 ? "," : "", v6 ? "[" : "", result->addr[i],
		    v6 ? "]" : "");
		len = strlen(n->list);
	}
}

static void
on_resolved(const struct resolve_result *result, void *arg)
{
	struct names *n = arg;

	n->query = NULL;
	if (result->error != NULL) {
		n->cb(NULL, result->error, n->arg);
		return;
	}
	put_list(n, result);
	n->found_ms = util_mono_ms();
	n->cb(n->list, NULL, n->arg);
}

const char *
names_get(struct names *n)
{
	if (n->literal)
		return "";
	if (n->found_ms > 0 && util_mono_ms() - n->found_ms < NAMES_LIFE_MS)
		return n->list;
	if (n->query == NULL)
		n->query = resolve_start(
		    n->resolve, n->host, n->timeout_ms, on_resolved, n);
	if (n->query == NULL && n->found_ms > 0)
		return n->list; /* old ones are better than none */
	return NULL;
}

bool
names_is_asking(const struct names *n)
{
	return n->query != NULL;
}
