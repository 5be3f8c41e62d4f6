/* SPDX-License-Identifier: MIT */
/* Entries with ";" between them, words with white space between them. */
#include <stdbool.h>
#include <string.h>

#include "conf.h"
#include "conf_value.h"
#include "path_limits.h"
#include "util.h"

#define WORD_MAX 64
#define BLANKS " \t"
#define HOUR_MS (3600 * 1000LL)
#define GIB (1024 * 1024 * 1024LL)

/* The bounds are those of REQUEST_TIMEOUT and MAX_RESPONSE_SIZE. */
static const struct {
	const char *name;
	size_t at; /* in struct path_limit */
	struct conf_key key;
	const char *fault;
} options[] = {
    {"timeout=", offsetof(struct path_limit, timeout_ms),
	{.type = CONF_TYPE_DURATION, .min = 100, .max = HOUR_MS},
	"timeout= wants a duration from 100ms to 1h such as 5s or 2m"},
    {"response=", offsetof(struct path_limit, response_max),
	{.type = CONF_TYPE_SIZE, .min = 1024, .max = GIB},
	"response= wants a size from 1KiB to 1GiB such as 500MiB"},
};

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *p;

	p = c == '\0' ? NULL : strchr(digits, c | 0x20);
	return p == NULL ? -1 : (int)(p - digits);
}

static const char *
take_prefix(struct path_limit *l, const char *s, size_t len)
{
	size_t i;
	int high, low;

	if (len == 0 || s[0] != '/')
		return "each entry begins with a prefix such as /export";
	for (i = 0; i < len; i++) {
		if (l->len == PATH_LIMITS_PREFIX_MAX)
			return "a prefix is longer than 200 bytes";
		l->prefix[l->len] = s[i];
		if (s[i] == '%') {
			high = i + 2 < len ? hex(s[i + 1]) : -1;
			low = high == -1 ? -1 : hex(s[i + 2]);
			if (low == -1)
				return "% in a prefix is written as %25";
			l->prefix[l->len] = (char)(high << 4 | low);
			i += 2;
		}
		l->len++;
	}
	return NULL;
}

static const char *
take_option(struct path_limit *l, const char *s, size_t len)
{
	char word[WORD_MAX], space[CONF_FAULT_MAX];
	size_t i, n;
	int64_t *value;

	for (i = 0; i < UTIL_COUNT(options); i++) {
		n = strlen(options[i].name);
		if (len < n || strncmp(s, options[i].name, n) != 0)
			continue;
		value = (int64_t *)(void *)((char *)l + options[i].at);
		if (*value != 0)
			return "an option stands twice behind one prefix";
		if (len - n >= sizeof(word))
			return options[i].fault;
		memcpy(word, s + n, len - n);
		word[len - n] = '\0';
		if (conf_judge(&options[i].key, word, value, space) != NULL)
			return options[i].fault;
		return NULL;
	}
	return "behind a prefix stands timeout= or response=";
}

static const char *
take_entry(struct path_limit *l, const char *s, size_t len)
{
	size_t n = 0, i = strspn(s, BLANKS);
	const char *fault;
	unsigned words;

	memset(l, 0, sizeof(*l));
	for (words = 0; i < len; words++, i += strspn(s + i, BLANKS)) {
		n = strcspn(s + i, BLANKS ";");
		fault = words == 0 ? take_prefix(l, s + i, n)
				   : take_option(l, s + i, n);
		if (fault != NULL)
			return fault;
		i += n;
	}
	if (words < 2)
		return "each entry is a prefix and timeout= or response=, such "
		       "as /export timeout=2m";
	return NULL;
}

static bool
is_known(const struct path_limits *p, const struct path_limit *l)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->limit[i].len == l->len &&
		    memcmp(p->limit[i].prefix, l->prefix, l->len) == 0)
			return true;
	return false;
}

const char *
path_limits_parse(struct path_limits *p, const char *text)
{
	const char *fault;
	size_t len;

	p->count = 0;
	for (;;) {
		len = strcspn(text, ";");
		if (p->count == PATH_LIMITS_MAX)
			return "there are more than 32 prefixes";
		fault = take_entry(&p->limit[p->count], text, len);
		if (fault != NULL)
			return fault;
		if (is_known(p, &p->limit[p->count]))
			return "a prefix stands there twice";
		p->count++;
		text += len;
		text += *text == ';';
		if (text[strspn(text, BLANKS)] == '\0') /* a last ";" is fine */
			return NULL;
	}
}

static bool
covers(const struct path_limit *l, const uint8_t *path, size_t len)
{
	if (len < l->len || memcmp(path, l->prefix, l->len) != 0)
		return false;
	return len == l->len || l->prefix[l->len - 1] == '/' ||
	    path[l->len] == '/';
}

const struct path_limit *
path_limits_find(const struct path_limits *p, const uint8_t *path, size_t len)
{
	const struct path_limit *best = NULL;
	size_t i;

	for (i = 0; i < p->count; i++)
		if (covers(&p->limit[i], path, len) &&
		    (best == NULL || p->limit[i].len > best->len))
			best = &p->limit[i];
	return best;
}

int64_t
path_limits_timeout_max(const struct path_limits *p)
{
	int64_t most = 0;
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->limit[i].timeout_ms > most)
			most = p->limit[i].timeout_ms;
	return most;
}
