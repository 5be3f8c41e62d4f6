/* SPDX-License-Identifier: MIT */
/* Bounds that say something only together. */
#include <inttypes.h>

#include "conf.h"
#include "conf_check.h"
#include "path_limits.h"
#include "url.h"

#define MIB INT64_C(1048576)
/* A worker that does nothing takes a third of it; the rest is for libraries:
 * connections kept open, buffers of TLS, what the allocator keeps. */
#define MEMORY_WORKER (32 * MIB)
/* Less than this for requests and answers is not worth a start. */
#define MEMORY_LEAST (16 * MIB)
#define MEMORY_DEFAULT (320 * MIB)

/* TRUST_FORWARDED=off and relay believe nobody. */
static bool
believes_nobody(const struct conf *c)
{
	return conf_num(c, CONF_TRUST_FORWARDED) < 2;
}

/* Without an address to believe in, a list would refuse all, and a limit for
 * each would be one for all: neither is what was meant. */
static void
check_clients(struct conf *c)
{
	if (!believes_nobody(c))
		return;
	if (conf_is_set(c, CONF_ALLOW_CLIENTS))
		(void)buf_printf(&c->faults,
		    "ALLOW_CLIENTS: who a client is cannot be told with "
		    "TRUST_FORWARDED=%s; say how many proxies in front of "
		    "plugboard append to X-Forwarded-For (on, 2 … 8)\n",
		    conf_text(c, CONF_TRUST_FORWARDED));
	if (conf_num(c, CONF_RATE_LIMIT_BY) == 1)
		(void)buf_printf(&c->faults,
		    "RATE_LIMIT_BY: clients cannot be told apart with "
		    "TRUST_FORWARDED=%s; say how many proxies in front of "
		    "plugboard append to X-Forwarded-For (on, 2 … 8)\n",
		    conf_text(c, CONF_TRUST_FORWARDED));
}

/* Has all of its places from the start. */
static int64_t
table_of_clients(const struct conf *c)
{
	return conf_num(c, CONF_RATE_LIMIT_BY) == 0
	    ? 0
	    : conf_num(c, CONF_RATE_CLIENTS_MAX) * CONF_CLIENT_BYTES;
}

int64_t
conf_memory_max(const struct conf *c)
{
	int64_t max = conf_num(c, CONF_MEMORY_MAX);

	return max != 0 ? max
			: MEMORY_DEFAULT + table_of_clients(c) +
		(conf_num(c, CONF_TUNNELS) + 1) *
		    conf_num(c, CONF_MAX_REQUEST_SIZE);
}

int64_t
conf_memory_reserved(const struct conf *c)
{
	return MEMORY_WORKER + table_of_clients(c) +
	    conf_num(c, CONF_TUNNELS) * conf_num(c, CONF_MAX_REQUEST_SIZE);
}

/* The longest message has to fit, once in each tunnel and once more as the
 * request that it is. */
static void
check_memory(struct conf *c)
{
	int64_t least = conf_memory_reserved(c) +
	    conf_num(c, CONF_MAX_REQUEST_SIZE) + MEMORY_LEAST;

	if (conf_memory_max(c) < least)
		(void)buf_printf(&c->faults,
		    "MEMORY_MAX: with TUNNELS=%s, MAX_REQUEST_SIZE=%s, "
		    "RATE_LIMIT_BY=%s and RATE_CLIENTS_MAX=%s it cannot be "
		    "less than %" PRId64 "MiB\n",
		    conf_text(c, CONF_TUNNELS),
		    conf_text(c, CONF_MAX_REQUEST_SIZE),
		    conf_text(c, CONF_RATE_LIMIT_BY),
		    conf_text(c, CONF_RATE_CLIENTS_MAX),
		    (least + MIB - 1) / MIB);
}

const char *
conf_inspect_fault(const struct conf *c, bool local)
{
	if (conf_num(c, CONF_INSPECT) != CONF_INSPECT_ON || local)
		return NULL;
	return "INSPECT: the health listener is open to the network, and the "
	       "page would be, too; set HEALTH_LISTEN=127.0.0.1, or "
	       "INSPECT=any if everybody who reaches it may see the page";
}

static void
check_inspect(struct conf *c)
{
	bool local = conf_num(c, CONF_HEALTH_CHECK_PORT) == 0 ||
	    url_is_local(conf_text(c, CONF_HEALTH_LISTEN));
	const char *fault = conf_inspect_fault(c, local);

	if (fault != NULL)
		(void)buf_printf(&c->faults, "%s\n", fault);
}

/* A request that is told to take longer than it lives. */
static void
check_lives(struct conf *c)
{
	int64_t ttl_ms = conf_num(c, CONF_REQUEST_TTL);
	struct path_limits p = {.count = 0};

	if (ttl_ms < conf_num(c, CONF_REQUEST_TIMEOUT))
		(void)buf_printf(&c->warnings,
		    "REQUEST_TTL: it is shorter than REQUEST_TIMEOUT (%s), and "
		    "so bounds each request\n",
		    conf_text(c, CONF_REQUEST_TIMEOUT));
	if (conf_is_set(c, CONF_PATH_LIMITS) &&
	    path_limits_parse(&p, conf_text(c, CONF_PATH_LIMITS)) == NULL &&
	    path_limits_timeout_max(&p) > ttl_ms)
		(void)buf_printf(&c->warnings,
		    "REQUEST_TTL: %s is shorter than a timeout= of "
		    "PATH_LIMITS, and so bounds those requests\n",
		    conf_text(c, CONF_REQUEST_TTL));
}

void
conf_check_limits(struct conf *c)
{
	check_inspect(c);
	check_clients(c);
	check_memory(c);
	check_lives(c);
}
