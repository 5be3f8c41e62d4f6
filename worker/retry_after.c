/* SPDX-License-Identifier: MIT */
/* The two forms of retry_after.h. */
#include <string.h>
#include <time.h>

#include "retry_after.h"
#include "util.h"

static int32_t
bounded(int64_t s)
{
	if (s < 0)
		return 0;
	return s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (int32_t)s;
}

static int32_t
parse_seconds(const char *text)
{
	int64_t s = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		s = s > RETRY_AFTER_MAX_S ? s : s * 10 + (*text - '0');
	return *text == '\0' ? bounded(s) : -1;
}

static int32_t
parse_date(const char *text, int64_t now_s)
{
	static const char *const forms[] = {
	    "%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate */
	    "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
	    "%a %b %d %H:%M:%S %Y",	 /* asctime */
	};
	const char *end;
	struct tm tm;
	size_t i;

	for (i = 0; i < UTIL_COUNT(forms); i++) {
		memset(&tm, 0, sizeof(tm));
		end = strptime(text, forms[i], &tm);
		if (end != NULL && *end == '\0')
			return bounded((int64_t)timegm(&tm) - now_s);
	}
	return -1;
}

int32_t
retry_after_parse(const char *text, int64_t now_s)
{
	if (text[0] >= '0' && text[0] <= '9')
		return parse_seconds(text);
	return parse_date(text, now_s);
}
