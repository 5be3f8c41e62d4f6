/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "rate_value.h"
#include "util.h"

const char *
rate_value_parse(struct rate_value *r, const char *text)
{
	static const struct {
		const char *suffix;
		int64_t ms;
	} units[] = {{"", 1000}, {"/s", 1000}, {"/m", 60000}, {"/h", 3600000}};
	const char *at = text;
	size_t i;

	r->count = 0;
	for (; *at >= '0' && *at <= '9' && r->count <= RATE_VALUE_MAX; at++)
		r->count = r->count * 10 + (*at - '0');
	for (i = 0; i < UTIL_COUNT(units); i++)
		if (strcmp(at, units[i].suffix) == 0)
			break;
	if (at == text || i == UTIL_COUNT(units))
		return "not a rate such as 100, 100/s, 60/m or 1000/h";
	if (r->count > RATE_VALUE_MAX)
		return "more than 1000000";
	r->per_ms = units[i].ms;
	return NULL;
}
