/* SPDX-License-Identifier: MIT */
/*
 * Files and the environment. A line is KEY=value; "export " before it, white
 * space around both, quotes around the value, and a comment behind it are
 * understood, as older .env files have them. Nothing is expanded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "backend_url.h"
#include "conf.h"
#include "conf_check.h"
#include "otel.h"
#include "url.h"
#include "util.h"

#define NAME_MAX_LEN 64
#define WHERE_MAX 1100

struct line {
	struct conf *conf;
	const char *file;
	unsigned number;
	bool seen[CONF_KEYS];
};

static void
note(struct line *l, struct buf *to, const char *what, const char *name)
{
	(void)buf_printf(to, "%s:%u: %s%s%s\n", l->file, l->number, what,
	    name[0] ? " " : "", name);
}

/* --- names ---------------------------------------------------------------- */

/* Of ASCII, in any locale. */
static char
upper(char c)
{
	if (c < 'a' || c > 'z')
		return c;
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[c - 'a'];
}

/* Edit distance (Levenshtein) of a, in upper case, to b, or more than max as
 * soon as that is clear. */
static unsigned
distance(const char *a, const char *b, unsigned max)
{
	unsigned row[NAME_MAX_LEN + 1], i, j, diagonal, above;
	unsigned n = (unsigned)strlen(b), least;

	if (strlen(a) > NAME_MAX_LEN || n > NAME_MAX_LEN)
		return max + 1;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; a[i - 1] != '\0'; i++) {
		diagonal = row[0];
		least = row[0] = i;
		for (j = 1; j <= n; j++) {
			above = row[j];
			row[j] = diagonal + (upper(a[i - 1]) != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
			if (row[j] < least)
				least = row[j];
		}
		if (least > max)
			return max + 1;
	}
	return row[n];
}

const char *
conf_nearest(const char *name)
{
	unsigned best = (unsigned)strlen(name) / 4 + 1, d;
	const char *found = NULL;
	size_t i;

	if (best > 4)
		best = 4;
	for (i = 0; i < CONF_KEYS; i++) {
		d = distance(name, conf_keys[i].name, best);
		if (d <= best) {
			best = d == 0 ? 0 : d - 1;
			found = conf_keys[i].name;
		}
	}
	return found;
}

static bool
is_ours(const char *name)
{
	static const char *const prefixes[] = {
	    "PLUGBOARD_", "TELEPHONE_", "BACKEND_", "TOKEN_"};
	size_t i;

	for (i = 0; i < UTIL_COUNT(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* The application's own settings of OpenTelemetry, which look like ours. */
static bool
is_other_signal(const char *name)
{
	return strncmp(name, "OTEL_", 5) == 0 &&
	    (strstr(name, "METRIC") != NULL || strstr(name, "LOG") != NULL);
}

/* A .env is often shared with the application: only what looks like a slip
 * is worth a line. */
static void
note_unknown(struct line *l, const char *name)
{
	const char *near = conf_nearest(name);
	char what[160];

	if (is_other_signal(name))
		return;
	if (near != NULL)
		(void)util_fmt(what, sizeof(what),
		    "%s is not a key of telephone; did you mean %s?", name,
		    near);
	else if (is_ours(name))
		(void)util_fmt(what, sizeof(what),
		    "%s is not a key of telephone and is ignored", name);
	else
		return;
	note(l, &l->conf->warnings, what, "");
}

static bool
is_name(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if (!((s[i] >= 'A' && s[i] <= 'Z') ||
			(s[i] >= 'a' && s[i] <= 'z') || s[i] == '_' ||
			s[i] == '.' || s[i] == '-' ||
			(i > 0 && s[i] >= '0' && s[i] <= '9')))
			return false;
	return i > 0 && i < NAME_MAX_LEN;
}

/* --- values --------------------------------------------------------------- */

static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	for (len = strlen(s); len > 0 && strchr(" \t\r", s[len - 1]) != NULL;)
		s[--len] = '\0';
	return s;
}

/* \n, \", \\ and the like, in place, up to the closing quote; returns what is
 * behind it, or NULL. */
static char *
unquote_double(char *s)
{
	char *out = s;

	for (; *s != '"'; s++) {
		if (*s == '\0')
			return NULL;
		if (*s == '\\' && s[1] != '\0') {
			s++;
			*out++ = (char)(*s == 'n' ? '\n'
				: *s == 't'	  ? '\t'
						  : *s);
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	return s + 1;
}

static char *
unquote_single(char *s)
{
	char *end = strchr(s, '\'');

	if (end == NULL)
		return NULL;
	*end = '\0';
	return end + 1;
}

/* The value of a line, or NULL: its quotes are wrong. */
static char *
take_value(char *s)
{
	char *rest, *hash;

	s = trim(s);
	if (*s == '"' || *s == '\'') {
		rest =
		    *s == '"' ? unquote_double(s + 1) : unquote_single(s + 1);
		if (rest == NULL)
			return NULL;
		rest = trim(rest);
		return *rest == '\0' || *rest == '#' ? s + 1 : NULL;
	}
	if (*s == '#') {
		*s = '\0';
		return s;
	}
	for (hash = strchr(s, '#'); hash != NULL; hash = strchr(hash + 1, '#'))
		if (hash[-1] == ' ' || hash[-1] == '\t') {
			*hash = '\0';
			break;
		}
	return trim(s);
}

/* --- lines ---------------------------------------------------------------- */

static void
set_line(struct line *l, char *name, char *value)
{
	char where[WHERE_MAX];
	int id = conf_find(name);

	if (id == -1) {
		note_unknown(l, name);
		return;
	}
	/* Two spellings of one key: the newer one wins, wherever it stands. */
	if (l->seen[id] && strcmp(name, conf_keys[id].name) != 0)
		return;
	if (l->seen[id])
		note(l, &l->conf->warnings,
		    "an earlier line is overridden:", name);
	l->seen[id] = true;
	(void)util_fmt(where, sizeof(where), "%s:%u", l->file, l->number);
	(void)conf_set(l->conf, (enum conf_id)id, value, CONF_FILE, where);
}

static void
parse_line(struct line *l, char *s)
{
	char *name, *equals, *value;

	s = trim(s);
	if (*s == '\0' || *s == '#')
		return;
	if (strncmp(s, "export ", 7) == 0)
		s = trim(s + 7);
	equals = strchr(s, '=');
	if (equals == NULL) {
		note(l, &l->conf->faults, "not KEY=value", "");
		return;
	}
	*equals = '\0';
	name = trim(s);
	if (!is_name(name)) {
		note(
		    l, &l->conf->faults, "what stands before = is no name", "");
		return;
	}
	value = take_value(equals + 1);
	if (value == NULL) {
		note(l, &l->conf->faults,
		    "a quote is not closed, or something follows it:", name);
		return;
	}
	set_line(l, name, value);
}

int
conf_parse(struct conf *c, char *text, size_t len, const char *file)
{
	struct line l = {.conf = c, .file = file};
	char *end;
	size_t before = c->faults.len;

	if (strlen(text) != len) {
		(void)buf_printf(
		    &c->faults, "%s: holds a NUL: it is no text file\n", file);
		return -1;
	}
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (*text != '\0') {
		end = strchr(text, '\n');
		if (end != NULL)
			*end = '\0';
		l.number++;
		parse_line(&l, text);
		if (end == NULL)
			break;
		text = end + 1;
	}
	return c->faults.len == before ? 0 : -1;
}

/* --- environment ---------------------------------------------------------- */

static void
set_env(struct conf *c, char *entry, bool alias)
{
	char name[NAME_MAX_LEN], value[16400];
	char *equals = strchr(entry, '=');
	size_t len = equals == NULL ? 0 : (size_t)(equals - entry);
	int id;

	if (len == 0 || len >= sizeof(name))
		return;
	memcpy(name, entry, len);
	name[len] = '\0';
	id = conf_find(name);
	if (id == -1 || (strcmp(name, conf_keys[id].name) != 0) != alias)
		return;
	if (util_strlcpy(value, equals + 1, sizeof(value)) >= sizeof(value))
		(void)buf_printf(
		    &c->faults, "environment: %s: too long\n", name);
	else
		(void)conf_set(
		    c, (enum conf_id)id, value, CONF_ENV, "environment");
	if (conf_keys[id].type == CONF_TYPE_SECRET) {
		explicit_bzero(value, sizeof(value));
		explicit_bzero(equals + 1, strlen(equals + 1));
	}
}

int
conf_env(struct conf *c, char **environment)
{
	size_t i, before = c->faults.len;

	/* Older spellings first, so that the newer ones win. */
	for (i = 0; environment[i] != NULL; i++)
		set_env(c, environment[i], true);
	for (i = 0; environment[i] != NULL; i++)
		set_env(c, environment[i], false);
	return c->faults.len == before ? 0 : -1;
}

/* --- relations ------------------------------------------------------------ */

static void
check_url(struct conf *c)
{
	struct url u;

	if (url_parse(&u, conf_text(c, CONF_PLUGBOARD_URL)) == NULL && !u.tls &&
	    !url_is_local(u.host))
		(void)buf_printf(&c->warnings,
		    "PLUGBOARD_URL: ws:// to %s carries the token in clear; "
		    "use wss://\n",
		    u.host);
}

static void
check_pair(struct conf *c, enum conf_id value, enum conf_id file)
{
	if (conf_is_set(c, value) && conf_is_set(c, file))
		(void)buf_printf(&c->warnings,
		    "%s: both it and %s are set; the file is used\n",
		    conf_keys[value].name, conf_keys[file].name);
}

/* What belongs to TLS, where there is none; and a key without its owner. */
static void
check_tls(struct conf *c)
{
	static const struct {
		enum conf_id ca, cert, key;
	} sets[] = {
	    {CONF_PLUGBOARD_CA_FILE, CONF_PLUGBOARD_CLIENT_CERT,
		CONF_PLUGBOARD_CLIENT_KEY},
	    {CONF_BACKEND_CA_FILE, CONF_BACKEND_CLIENT_CERT,
		CONF_BACKEND_CLIENT_KEY},
	};
	bool clear =
	    strncasecmp(conf_text(c, CONF_PLUGBOARD_URL), "ws:", 3) == 0;
	size_t i;

	for (i = 0; i < UTIL_COUNT(sets); i++)
		if (conf_is_set(c, sets[i].key) &&
		    !conf_is_set(c, sets[i].cert))
			(void)buf_printf(&c->faults,
			    "%s: it is of no use without %s; name the "
			    "certificate of this key\n",
			    conf_keys[sets[i].key].name,
			    conf_keys[sets[i].cert].name);
	if (clear &&
	    (conf_is_set(c, CONF_PLUGBOARD_CA_FILE) ||
		conf_is_set(c, CONF_PLUGBOARD_CLIENT_CERT) ||
		conf_is_set(c, CONF_PLUGBOARD_PIN)))
		(void)buf_printf(&c->warnings,
		    "PLUGBOARD_URL: ws:// is not verified: what "
		    "PLUGBOARD_CA_FILE, PLUGBOARD_CLIENT_CERT and "
		    "PLUGBOARD_PIN say is not used\n");
}

/* The words that BACKEND_URL is made of, for those that need only one. */
static void
set_backend(struct conf *c, enum conf_id id, const char *text)
{
	char copy[BACKEND_URL_HOST_MAX];

	if (c->value[id].source != CONF_DEFAULT &&
	    strcasecmp(conf_text(c, id), text) != 0)
		(void)buf_printf(&c->warnings,
		    "%s: both it and BACKEND_URL are set; BACKEND_URL is "
		    "used\n",
		    conf_keys[id].name);
	(void)util_strlcpy(copy, text, sizeof(copy));
	(void)conf_set(c, id, copy, CONF_DEFAULT, "BACKEND_URL");
}

static void
apply_backend_url(struct conf *c)
{
	struct backend_url u;
	char port[8];

	if (!conf_is_set(c, CONF_BACKEND_URL) ||
	    backend_url_parse(&u, conf_text(c, CONF_BACKEND_URL)) != NULL)
		return;
	(void)util_fmt(port, sizeof(port), "%u", u.port);
	set_backend(c, CONF_BACKEND_SCHEME, u.scheme);
	set_backend(c, CONF_BACKEND_HOST, u.host);
	set_backend(c, CONF_BACKEND_PORT, port);
}

int
conf_finish(struct conf *c)
{
	if (conf_num(c, CONF_INITIAL_BACKOFF) > conf_num(c, CONF_MAX_BACKOFF))
		(void)buf_printf(&c->faults,
		    "INITIAL_BACKOFF: %s is longer than MAX_BACKOFF (%s)\n",
		    conf_text(c, CONF_INITIAL_BACKOFF),
		    conf_text(c, CONF_MAX_BACKOFF));
	if (conf_num(c, CONF_HEARTBEAT_INTERVAL) > 55000)
		(void)buf_printf(&c->warnings,
		    "HEARTBEAT_INTERVAL: plugboard drops a telephone that is "
		    "silent for 60s; %s leaves no room\n",
		    conf_text(c, CONF_HEARTBEAT_INTERVAL));
	check_pair(c, CONF_SECRET_KEY_BASE, CONF_SECRET_KEY_BASE_FILE);
	check_pair(c, CONF_SECRET_KEY_BASE_PREVIOUS,
	    CONF_SECRET_KEY_BASE_PREVIOUS_FILE);
	check_pair(c, CONF_TELEPHONE_TOKEN, CONF_TELEPHONE_TOKEN_FILE);
	check_url(c);
	check_tls(c);
	apply_backend_url(c);
	otel_check(c);
	conf_check_limits(c);
	return c->faults.len == 0 && !c->faults.failed ? 0 : -1;
}
