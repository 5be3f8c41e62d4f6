/* SPDX-License-Identifier: MIT */
/* The header fields of a request, as libcurl wants to be told them. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend_parts.h"
#include "util.h"

static int
add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *grown = curl_slist_append(*list, line);

	if (grown == NULL)
		return -1;
	*list = grown;
	return 0;
}

static int
add_field(struct curl_slist **list, const struct backend_field *f)
{
	size_t size = strlen(f->name) + strlen(f->value) + 3;
	char *line = malloc(size);
	int result;

	if (line == NULL)
		return -1;
	/* libcurl takes "name:" for "do not send it" and "name;" for an empty
	 * value. */
	if (f->value[0] == '\0')
		(void)util_fmt(line, size, "%s;", f->name);
	else
		(void)util_fmt(line, size, "%s: %s", f->name, f->value);
	result = add_line(list, line);
	free(line);
	return result;
}

static bool
has_field(const struct backend_request *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->field_count; i++)
		if (strcasecmp(r->fields[i].name, name) == 0)
			return true;
	return false;
}

/* What libcurl would add by itself, and must not. */
static const char *const additions[] = {
    "Accept", "User-Agent", "Content-Type", "Expect", "Accept-Encoding"};

struct curl_slist *
backend_fields(const struct backend_request *r)
{
	struct curl_slist *list = NULL;
	char line[64];
	size_t i;

	for (i = 0; i < r->field_count; i++)
		if (add_field(&list, &r->fields[i]) == -1)
			goto fail;
	for (i = 0; i < UTIL_COUNT(additions); i++) {
		if (has_field(r, additions[i]))
			continue;
		(void)util_fmt(line, sizeof(line), "%s:", additions[i]);
		if (add_line(&list, line) == -1)
			goto fail;
	}
	return list;
fail:
	curl_slist_free_all(list);
	return NULL;
}
