/* SPDX-License-Identifier: MIT */
/* Values of each type: parsing, bounds, and what to say when they are wrong. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf_value.h"
#include "log.h"
#include "pin.h"
#include "proxy_url.h"
#include "secret.h"
#include "url.h"
#include "util.h"

/* A value in a message: control characters shown as "?", cut where long. */
#define SHOWN_MAX 80

static const char *
shown(const char *text, char space[SHOWN_MAX])
{
	size_t i;

	(void)util_strlcpy(space, text, SHOWN_MAX);
	for (i = 0; space[i] != '\0'; i++)
		if ((unsigned char)space[i] < 0x20 || space[i] == 0x7f)
			space[i] = '?';
	return space;
}

/* --- durations ------------------------------------------------------------ */

static const struct {
	const char *unit;
	double ms;
} units[] = {
    {"ms", 1},
    {"us", 0.001},
    {"\xc2\xb5s", 0.001},
    {"\xce\xbcs", 0.001},
    {"ns", 0.000001},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
};

/* "1.5" of "1.5h"; false when there is no digit. */
static bool
take_number(const char **p, double *out)
{
	double n = 0, scale = 1;
	bool any = false;

	for (; **p >= '0' && **p <= '9'; (*p)++, any = true)
		n = n * 10 + (**p - '0');
	if (**p == '.')
		for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, any = true) {
			scale /= 10;
			n += scale * (**p - '0');
		}
	*out = n;
	return any;
}

static bool
take_unit(const char **p, double *ms)
{
	size_t i, len;

	for (i = 0; i < UTIL_COUNT(units); i++) {
		len = strlen(units[i].unit);
		if (strncmp(*p, units[i].unit, len) == 0) {
			*p += len;
			*ms = units[i].ms;
			return true;
		}
	}
	return false;
}

bool
conf_parse_duration(const char *text, int64_t *out)
{
	double total = 0, n, ms;
	bool negative = *text == '-';

	if (*text == '-' || *text == '+')
		text++;
	if (strcmp(text, "0") == 0) {
		*out = 0;
		return true;
	}
	if (*text == '\0')
		return false;
	while (*text != '\0') {
		if (!take_number(&text, &n) || !take_unit(&text, &ms))
			return false;
		total += n * ms;
		if (total > 1e15)
			return false;
	}
	*out = (int64_t)(negative ? -total : total + 0.000001);
	return true;
}

static void
put_duration(char *dst, size_t size, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} steps[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i;

	for (i = 0; i < UTIL_COUNT(steps) - 1 && ms % steps[i].ms != 0; i++)
		;
	if (ms == 0)
		i = 2;
	(void)util_fmt(
	    dst, size, "%" PRId64 "%s", ms / steps[i].ms, steps[i].unit);
}

static const char *
judge_duration(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	char min[32], max[32], s[SHOWN_MAX];
	bool bare = text[strspn(text, "0123456789")] == '\0';

	put_duration(min, sizeof(min), k->min);
	put_duration(max, sizeof(max), k->max);
	if (conf_parse_duration(text, num) && *num >= k->min && *num <= k->max)
		return NULL;
	if (bare && strlen(text) < 8)
		(void)util_fmt(space, CONF_FAULT_MAX,
		    "\"%s\" has no unit: write %ss for seconds", text, text);
	else
		(void)util_fmt(space, CONF_FAULT_MAX,
		    "\"%s\" is not a duration from %s to %s such as 30s, "
		    "1m30s or 250ms",
		    shown(text, s), min, max);
	return space;
}

/* --- integers and sizes --------------------------------------------------- */

static bool
parse_int(const char *text, const char **end, int64_t *out)
{
	bool negative = *text == '-';
	int64_t n = 0;
	const char *p = text + negative;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *p - '0', &n))
			return false;
	*end = p;
	*out = negative ? -n : n;
	return true;
}

static const char *
judge_int(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	char s[SHOWN_MAX];
	const char *end;

	if (parse_int(text, &end, num) && *end == '\0' && *num >= k->min &&
	    *num <= k->max)
		return NULL;
	(void)util_fmt(space, CONF_FAULT_MAX,
	    "\"%s\" is not a number from %" PRId64 " to %" PRId64,
	    shown(text, s), k->min, k->max);
	return space;
}

static bool
parse_size(const char *text, int64_t *out)
{
	static const struct {
		const char *unit;
		int64_t bytes;
	} sizes[] = {
	    {"", 1},
	    {"B", 1},
	    {"K", 1 << 10},
	    {"KB", 1 << 10},
	    {"KiB", 1 << 10},
	    {"M", 1 << 20},
	    {"MB", 1 << 20},
	    {"MiB", 1 << 20},
	    {"G", 1 << 30},
	    {"GB", 1 << 30},
	    {"GiB", 1 << 30},
	};
	const char *unit;
	size_t i;

	if (!parse_int(text, &unit, out))
		return false;
	unit += strspn(unit, " ");
	for (i = 0; i < UTIL_COUNT(sizes); i++)
		if (strcasecmp(unit, sizes[i].unit) == 0)
			return !__builtin_mul_overflow(
			    *out, sizes[i].bytes, out);
	return false;
}

static const char *
judge_size(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	char s[SHOWN_MAX];

	if (parse_size(text, num) && *num >= k->min && *num <= k->max)
		return NULL;
	(void)util_fmt(space, CONF_FAULT_MAX,
	    "\"%s\" is not a size from %" PRId64 "KiB to %" PRId64
	    "KiB such as 1048576, 64KiB or 100MiB",
	    shown(text, s), k->min >> 10, k->max >> 10);
	return space;
}

/* --- choices and texts ---------------------------------------------------- */

static const char *
judge_choice(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	const char *p = k->choices;
	char s[SHOWN_MAX];
	size_t len;
	int64_t i;

	for (i = 0; *p != '\0'; i++) {
		len = strcspn(p, "|");
		if (strlen(text) == len && strncasecmp(p, text, len) == 0) {
			*num = i;
			return NULL;
		}
		p += len;
		p += *p == '|';
	}
	(void)util_fmt(space, CONF_FAULT_MAX, "\"%s\" is none of %s",
	    shown(text, s), k->choices);
	return space;
}

static const char *
judge_text(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	const char *p;

	*num = 0;
	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			(void)util_fmt(space, CONF_FAULT_MAX,
			    "it holds a control character");
			return space;
		}
	if (strlen(text) > (size_t)k->max) {
		(void)util_fmt(space, CONF_FAULT_MAX,
		    "it is longer than %" PRId64 " characters", k->max);
		return space;
	}
	return k->check == NULL ? NULL : k->check(text);
}

static const char *
judge_host(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	char s[SHOWN_MAX];

	(void)k;
	*num = 0;
	if (url_is_host(text))
		return NULL;
	(void)util_fmt(space, CONF_FAULT_MAX,
	    "\"%s\" is neither a host name nor an IP address (without "
	    "scheme, port and brackets)",
	    shown(text, s));
	return space;
}

/* Never shown: a URL may hold what its owner would rather keep. */
static const char *
judge_url(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	struct url u;
	const char *error = judge_text(k, text, num, space);

	if (error != NULL)
		return error;
	error = url_parse(&u, text);
	if (error != NULL)
		(void)util_fmt(space, CONF_FAULT_MAX,
		    "%s; write ws://host[:port]/path or wss://…", error);
	return error == NULL ? NULL : space;
}

/* Never shown, either: a user and a password may stand in it. */
static const char *
judge_proxy(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	struct proxy_url p;
	const char *error = judge_text(k, text, num, space);

	if (error != NULL)
		return error;
	error = proxy_url_parse(&p, text);
	explicit_bzero(&p, sizeof(p));
	if (error == NULL)
		return NULL;
	(void)util_fmt(space, CONF_FAULT_MAX,
	    "%s; write http://host:port or http://user:password@host:port",
	    error);
	return space;
}

static const char *
judge_pin(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	uint8_t pins[PIN_MAX][PIN_LEN];
	const char *error = judge_text(k, text, num, space);

	if (error != NULL || pin_parse(pins, text) > 0)
		return error;
	(void)util_fmt(space, CONF_FAULT_MAX,
	    "it is no list of up to %d pins, each the base64 of a SHA-256 (44 "
	    "characters), with commas between them; telephone.conf(5) says "
	    "how one is made",
	    PIN_MAX);
	return space;
}

/* Not shown: the fields of a list may hold secrets. */
static const char *
judge_list(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	const char *error = judge_text(k, text, num, space);

	if (error == NULL && list_judge(k->list, text, space) == -1)
		error = space;
	return error;
}

const char *
conf_judge(const struct conf_key *k, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX])
{
	static const char *(*const judges[])(const struct conf_key *,
	    const char *, int64_t *, char[CONF_FAULT_MAX]) = {
	    [CONF_TYPE_TEXT] = judge_text,
	    [CONF_TYPE_HOST] = judge_host,
	    [CONF_TYPE_URL] = judge_url,
	    [CONF_TYPE_PATH] = judge_text,
	    [CONF_TYPE_FILE] = judge_text,
	    [CONF_TYPE_PROXY] = judge_proxy,
	    [CONF_TYPE_PIN] = judge_pin,
	    [CONF_TYPE_INT] = judge_int,
	    [CONF_TYPE_DURATION] = judge_duration,
	    [CONF_TYPE_SIZE] = judge_size,
	    [CONF_TYPE_CHOICE] = judge_choice,
	    [CONF_TYPE_SECRET] = judge_text,
	    [CONF_TYPE_LIST] = judge_list,
	};

	return judges[k->type](k, text, num, space);
}

/* --- setting -------------------------------------------------------------- */

static int
set_text(struct conf_value *v, const char *text, int64_t num)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return -1;
	free(v->text);
	v->text = copy;
	v->num = num;
	return 0;
}

void
conf_set_default(struct conf *c, enum conf_id id)
{
	const struct conf_key *k = &conf_keys[id];
	char space[CONF_FAULT_MAX];
	int64_t num = 0;

	if (k->def == NULL)
		return;
	if (conf_judge(k, k->def, &num, space) != NULL ||
	    set_text(&c->value[id], k->def, num) == -1)
		fatalx("the default of %s cannot be set", k->name);
	c->value[id].source = CONF_DEFAULT;
}

/* The text goes into a memfd and is wiped where it stood. */
static int
set_secret(struct conf_value *v, const char *name, char *text)
{
	int fd = secret_memfd(name, text, strlen(text));

	explicit_bzero(text, strlen(text));
	if (fd == -1)
		return -1;
	util_close(&v->fd);
	v->fd = fd;
	return 0;
}

/* IPv6 literals are often written as in a URL. */
static void
strip_brackets(char *text)
{
	size_t len = strlen(text);

	if (len < 3 || text[0] != '[' || text[len - 1] != ']')
		return;
	memmove(text, text + 1, len - 2);
	text[len - 2] = '\0';
}

int
conf_set(struct conf *c, enum conf_id id, char *text, enum conf_source source,
    const char *where)
{
	const struct conf_key *k = &conf_keys[id];
	struct conf_value *v = &c->value[id];
	char space[CONF_FAULT_MAX];
	const char *fault;
	int64_t num = 0;
	int result;

	if (text[0] == '\0')
		return 0;
	if (k->type == CONF_TYPE_HOST)
		strip_brackets(text);
	fault = conf_judge(k, text, &num, space);
	if (fault != NULL) {
		(void)buf_printf(
		    &c->faults, "%s: %s: %s\n", where, k->name, fault);
		if (k->type == CONF_TYPE_SECRET)
			explicit_bzero(text, strlen(text));
		return -1;
	}
	result = k->type == CONF_TYPE_SECRET ? set_secret(v, k->name, text)
					     : set_text(v, text, num);
	if (result == -1) {
		(void)buf_printf(
		    &c->faults, "%s: %s: out of memory\n", where, k->name);
		return -1;
	}
	v->source = source;
	return 0;
}
