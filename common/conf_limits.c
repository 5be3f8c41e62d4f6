/* SPDX-License-Identifier: MIT */
/* Bounds that say something only together. */
#include "conf.h"
#include "conf_check.h"

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

void
conf_check_limits(struct conf *c)
{
	check_clients(c);
}
