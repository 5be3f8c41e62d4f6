/* SPDX-License-Identifier: MIT */
/* The conditions of telephonectl_filter.h. */
#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

#include "conf.h"
#include "telephonectl_filter.h"

/* A WebSocket may last for weeks. */
#define SLOW_MAX_MS (INT64_C(366) * 86400 * 1000)

/* --- reading -------------------------------------------------------------- */

/* A class ("5xx") or a code ("404"; of a WebSocket: "1006"). */
static bool
add_status(struct filter *f, const char *word, size_t len)
{
	uint32_t v = 0;
	size_t i;

	if (f->status_count == FILTER_STATUS_MAX || len < 3 || len > 4 ||
	    word[0] < '1' || word[0] > '9')
		return false;
	if (len == 3 && tolower((unsigned char)word[1]) == 'x' &&
	    tolower((unsigned char)word[2]) == 'x') {
		v = (uint32_t)(word[0] - '0') * 100;
		f->status[f->status_count].from = v;
		f->status[f->status_count++].to = v + 99;
		return true;
	}
	for (i = 0; i < len; i++) {
		if (!isdigit((unsigned char)word[i]))
			return false;
		v = v * 10 + (uint32_t)(word[i] - '0');
	}
	f->status[f->status_count].from = f->status[f->status_count].to = v;
	f->status_count++;
	return true;
}

const char *
filter_status(struct filter *f, const char *list)
{
	size_t len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (!add_status(f, list, len))
			return "--status takes a list such as 5xx,404,2xx";
		if (list[len] == '\0')
			return NULL;
	}
}

const char *
filter_slow(struct filter *f, const char *duration)
{
	int64_t ms;

	if (!conf_parse_duration(duration, &ms) || ms <= 0 || ms > SLOW_MAX_MS)
		return "--slow takes a duration such as 250ms or 2s";
	f->slow_us = ms * 1000;
	return NULL;
}

/* --- choosing ------------------------------------------------------------- */

static bool
has_status(const struct filter *f, uint32_t status)
{
	size_t i;

	for (i = 0; i < f->status_count; i++)
		if (status >= f->status[i].from && status <= f->status[i].to)
			return true;
	return f->status_count == 0;
}

/* A pattern is one that has such a character; else it is a prefix. */
static bool
has_path(const struct filter *f, const char *path)
{
	if (f->path == NULL)
		return true;
	if (strpbrk(f->path, "*?[") != NULL)
		return fnmatch(f->path, path, 0) == 0;
	return strncmp(path, f->path, strlen(f->path)) == 0;
}

bool
filter_takes(const struct filter *f, const struct exchange *e)
{
	return has_status(f, e->status) && e->took_us >= f->slow_us &&
	    has_path(f, e->path) && (!f->failed || e->failed);
}
