/* SPDX-License-Identifier: MIT */
/* The policy of retry.h. */
#include <string.h>

#include "retry.h"
#include "util.h"

#define DELAY_MS 100
#define DELAY_SHIFT_MAX 6

bool
retry_has(const struct retry *r, const char *method)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT"};
	size_t i;

	for (i = 0; i < UTIL_COUNT(methods); i++)
		if (strcmp(method, methods[i]) == 0)
			return r->max > 0;
	return false;
}

bool
retry_after_failure(const struct retry *r, const char *method, unsigned made,
    enum retry_cause cause)
{
	const bool on[] = {
	    [RETRY_CONNECT] = r->on.connect,
	    [RETRY_CUT] = r->on.cut,
	    [RETRY_STALE] = r->on.cut,
	    [RETRY_TIMEOUT] = r->on.timeout,
	};

	return made <= r->max && on[cause] && retry_has(r, method);
}

bool
retry_after_status(
    const struct retry *r, const char *method, unsigned made, int status)
{
	return made <= r->max && retry_on_status(&r->on, status) &&
	    retry_has(r, method);
}

int64_t
retry_delay_ms(unsigned made)
{
	unsigned shift = made - 1;

	return DELAY_MS << (shift < DELAY_SHIFT_MAX ? shift : DELAY_SHIFT_MAX);
}

int64_t
retry_delay_stale_ms(unsigned made)
{
	return made == 1 ? 0 : retry_delay_ms(made - 1);
}
