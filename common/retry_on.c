/* SPDX-License-Identifier: MIT */
/* The words of retry_on.h. */
#include <string.h>
#include <strings.h>

#include "retry_on.h"

#define STATUS_MIN 500

static bool
is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

static bool
take_status(struct retry_on *r, const char *s, size_t len)
{
	if (len != 3 || s[0] != '5' || s[1] < '0' || s[1] > '9' || s[2] < '0' ||
	    s[2] > '9')
		return false;
	r->status[(s[1] - '0') * 10 + (s[2] - '0')] = true;
	return true;
}

static bool
take(struct retry_on *r, const char *s, size_t len)
{
	if (is_word(s, len, "connect"))
		r->connect = true;
	else if (is_word(s, len, "cut"))
		r->cut = true;
	else if (is_word(s, len, "timeout"))
		r->timeout = true;
	else if (is_word(s, len, "5xx"))
		memset(r->status, true, sizeof(r->status));
	else if (!is_word(s, len, "none"))
		return take_status(r, s, len);
	return true;
}

const char *
retry_on_parse(struct retry_on *r, const char *text)
{
	size_t len;

	memset(r, 0, sizeof(*r));
	for (;;) {
		text += strspn(text, " ");
		len = strcspn(text, ", ");
		if (!take(r, text, len))
			return "write connect, cut, timeout, 5xx or single "
			       "statuses from 500 to 599 with commas between "
			       "them, or none";
		text += len;
		text += strspn(text, " ");
		if (*text == '\0')
			return NULL;
		if (*text != ',')
			return "a comma is missing between two words";
		text++;
	}
}

bool
retry_on_status(const struct retry_on *r, int status)
{
	return status >= STATUS_MIN &&
	    status < STATUS_MIN + RETRY_ON_STATUSES &&
	    r->status[status - STATUS_MIN];
}
