/* SPDX-License-Identifier: MIT */
/* The list itself and what both directions share. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "head.h"
#include "head_rules.h"
#include "util.h"

void
head_init(struct head *h, size_t count_max, size_t bytes_max)
{
	memset(h, 0, sizeof(*h));
	h->count_max = count_max;
	h->bytes_max = bytes_max;
	h->length = -1;
}

static void
field_clear(struct head *h, struct head_field *f)
{
	h->bytes -= strlen(f->name) + f->len;
	free(f->name);
	free(f->value);
}

void
head_clear(struct head *h)
{
	while (h->count > 0)
		field_clear(h, &h->field[--h->count]);
	free(h->field);
	h->field = NULL;
	h->room = 0;
}

size_t
head_count(const struct head *h)
{
	return h->count;
}

const struct head_field *
head_field(const struct head *h, size_t i)
{
	return &h->field[i];
}

const struct head_field *
head_find(const struct head *h, const char *name)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (strcasecmp(h->field[i].name, name) == 0)
			return &h->field[i];
	return NULL;
}

static int
make_room(struct head *h)
{
	size_t room = h->room == 0 ? 16 : h->room * 2;
	struct head_field *grown;

	if (h->count < h->room)
		return 0;
	grown = reallocarray(h->field, room, sizeof(*grown));
	if (grown == NULL)
		return -1;
	h->field = grown;
	h->room = room;
	return 0;
}

const char *
head_append(
    struct head *h, const struct json_str *name, const char *value, size_t len)
{
	struct head_field *f;

	if (h->count == h->count_max)
		return "too many header fields";
	if (name->len + len > h->bytes_max - h->bytes)
		return "the header fields are too long";
	if (make_room(h) == -1)
		return "out of memory";
	f = &h->field[h->count];
	f->name = strndup((const char *)name->data, name->len);
	f->value = malloc(len + 1);
	if (f->name == NULL || f->value == NULL) {
		free(f->name);
		free(f->value);
		return "out of memory";
	}
	if (len > 0)
		memcpy(f->value, value, len);
	f->value[len] = '\0';
	f->len = len;
	h->count++;
	h->bytes += name->len + len;
	return NULL;
}

const char *
head_extend(struct head *h, struct head_field *f, const char *value, size_t len)
{
	char *grown;

	if (len + 2 > h->bytes_max - h->bytes)
		return "the header fields are too long";
	grown = realloc(f->value, f->len + len + 3);
	if (grown == NULL)
		return "out of memory";
	memcpy(grown + f->len, ", ", 2);
	memcpy(grown + f->len + 2, value, len);
	f->value = grown;
	f->len += len + 2;
	f->value[f->len] = '\0';
	h->bytes += len + 2;
	return NULL;
}

/* --- rules ---------------------------------------------------------------- */

/* RFC 9110 §7.6.1 and its history: fields for one connection only, and those
 * that frame a message, which each hop does for itself. */
static const char *const hop_by_hop[] = {
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
};

static bool
is_hop_by_hop(const char *name)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(hop_by_hop); i++)
		if (strcasecmp(name, hop_by_hop[i]) == 0)
			return true;
	return false;
}

bool
head_list_has(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	while (*list != '\0') {
		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == len && strncasecmp(list, name, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* True when a Connection field of this head names it; but what every hop
 * needs cannot be taken away so. */
static bool
is_named(const struct head *h, size_t first, const char *name)
{
	size_t i;

	if (strcasecmp(name, "host") == 0 ||
	    strcasecmp(name, "content-type") == 0)
		return false;
	for (i = first; i < h->count; i++)
		if (strcasecmp(h->field[i].name, "connection") == 0 &&
		    head_list_has(h->field[i].value, name))
			return true;
	return false;
}

/* Where the first Connection field stands; count when there is none. */
static size_t
first_connection(const struct head *h)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (strcasecmp(h->field[i].name, "connection") == 0)
			break;
	return i;
}

void
head_note_length(struct head *h, const char *value)
{
	int64_t n = 0;
	const char *p;

	for (p = value; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *p - '0', &n))
			break;
	if (p == value || *p != '\0' || (h->length >= 0 && h->length != n))
		h->length_bad = true;
	else
		h->length = n;
}

/* An empty name marks what goes. */
static void
condemn(struct head *h, struct head_field *f)
{
	h->bytes -= strlen(f->name);
	f->name[0] = '\0';
}

static void
bury(struct head *h)
{
	size_t i, kept = 0;

	for (i = 0; i < h->count; i++)
		if (h->field[i].name[0] == '\0')
			field_clear(h, &h->field[i]);
		else
			h->field[kept++] = h->field[i];
	h->count = kept;
}

void
head_strip(struct head *h)
{
	size_t i, first = first_connection(h);

	for (i = 0; i < h->count; i++) {
		struct head_field *f = &h->field[i];

		/* Connection itself goes last: the others ask it. */
		if (strcasecmp(f->name, "connection") != 0 &&
		    (is_hop_by_hop(f->name) || is_named(h, first, f->name)))
			condemn(h, f);
	}
	for (i = first; i < h->count; i++)
		if (strcasecmp(h->field[i].name, "connection") == 0)
			condemn(h, &h->field[i]);
	bury(h);
}

void
head_filter(struct head *h, bool (*goes)(const char *name, const void *arg),
    const void *arg)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (goes(h->field[i].name, arg))
			condemn(h, &h->field[i]);
	bury(h);
}

const char *
head_join(struct head *h, const char *name, const char *value)
{
	size_t i;

	for (i = h->count; i > 0; i--)
		if (strcasecmp(h->field[i - 1].name, name) == 0)
			return head_extend(
			    h, &h->field[i - 1], value, strlen(value));
	return head_put(h, name, value);
}

const char *
head_put(struct head *h, const char *name, const char *value)
{
	struct json_str n = {(uint8_t *)(uintptr_t)name, strlen(name)};

	return head_append(h, &n, value, strlen(value));
}

/* --- status --------------------------------------------------------------- */

bool
head_status_known(int status)
{
	static const struct {
		int from, to;
	} known[] = {
	    {200, 208},
	    {226, 226},
	    {300, 308},
	    {400, 418},
	    {421, 426},
	    {428, 429},
	    {431, 431},
	    {451, 451},
	    {500, 508},
	    {510, 511},
	};
	size_t i;

	for (i = 0; i < UTIL_COUNT(known); i++)
		if (status >= known[i].from && status <= known[i].to)
			return true;
	return false;
}

bool
head_status_is_bodiless(int status)
{
	return status == 204 || status == 304;
}
