/* SPDX-License-Identifier: MIT */
/* Who uses such a text parses it with the same function. */
#include "backend_url.h"
#include "cidr.h"
#include "conf_check.h"
#include "path_limits.h"
#include "rate_value.h"
#include "retry_on.h"

const char *
conf_check_backend_url(const char *text)
{
	struct backend_url u;

	return backend_url_parse(&u, text);
}

/* Origin-form (RFC 9112 §3.2.1), as it goes into the request line. */
const char *
conf_check_health_path(const char *text)
{
	if (text[0] != '/')
		return "it does not begin with /";
	for (; *text != '\0'; text++)
		if (*text <= 0x20 || *text >= 0x7f || *text == '#')
			return "it holds a character that a target may not";
	return NULL;
}

const char *
conf_check_clients(const char *text)
{
	struct cidr_list l;

	return cidr_list_parse(&l, text);
}

const char *
conf_check_path_limits(const char *text)
{
	struct path_limits p;

	return path_limits_parse(&p, text);
}

const char *
conf_check_rate(const char *text)
{
	struct rate_value r;

	return rate_value_parse(&r, text);
}

const char *
conf_check_retry_on(const char *text)
{
	struct retry_on r;

	return retry_on_parse(&r, text);
}
