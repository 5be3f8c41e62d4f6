/* SPDX-License-Identifier: MIT */
/* settings: the table of what can be set, with bounds and defaults. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "json.h"
#include "settings.h"
#include "text.h"

#define HOUR_MS 3600000

static const char *const switch_words[] = {"off", "on", NULL};
static const char *const refresh_words[] = {
    "reply", "push", "silent", "error", "lost", NULL};
static const char *const join_words[] = {
    "ok", "mismatch", "unmatched", "silent", NULL};
static const char *const handshake_words[] = {
    "ok", "403", "404", "429", "500", "503", "silent", NULL};

struct setting {
	const char *name;
	size_t offset;
	int64_t min, max, def;
	const char *const *words; /* value is an index, or NULL */
};

#define NUMBER(n, min, max, def)                                      \
	{                                                             \
#n, offsetof(struct settings, n), min, max, def, NULL \
	}
#define WORDS(n, words, def)                                       \
	{                                                          \
#n, offsetof(struct settings, n), 0, 0, def, words \
	}

static const struct setting table[] = {
    WORDS(refresh_style, refresh_words, REFRESH_REPLY),
    WORDS(join, join_words, JOIN_OK),
    WORDS(handshake, handshake_words, HANDSHAKE_OK),
    WORDS(ack, switch_words, 1),
    WORDS(swallow, switch_words, 0),
    WORDS(record, switch_words, 1),
    WORDS(fragment_ping, switch_words, 0),
    NUMBER(fragment, 0, 1 << 30, 0),
    NUMBER(retry_after, 0, 86400, 0),
    NUMBER(token_ttl, 1, 1 << 30, 3600),
    NUMBER(request_timeout_ms, 1, HOUR_MS, 60000),
    NUMBER(heartbeat_timeout_ms, 2, HOUR_MS, 60000),
    NUMBER(idle_timeout_ms, 1, HOUR_MS, 60000),
    NUMBER(ws_timeout_ms, 1, HOUR_MS, 5000),
    NUMBER(ws_idle_ms, 1, HOUR_MS, 300000),
    NUMBER(delay_ms, 0, HOUR_MS, 0),
    NUMBER(max_message, 0, 1 << 30, 0),
    NUMBER(read_rate, 0, 1 << 30, 0),
    NUMBER(max_body, 0, 256 << 20, 8 << 20),
    NUMBER(ws_max_frame, 1, 256 << 20, 1 << 20),
};
#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

static int64_t *
field(struct settings *s, const struct setting *t)
{
	return (int64_t *)(void *)((char *)s + t->offset);
}

void
settings_init(struct settings *s)
{
	for (size_t i = 0; i < TABLE_LEN; i++)
		*field(s, &table[i]) = table[i].def;
}

static int
parse(const struct setting *t, const char *value, int64_t *out)
{
	if (t->words == NULL)
		return text_int(value, out) == 0 && *out >= t->min &&
			*out <= t->max
		    ? 0
		    : -1;
	for (int64_t i = 0; t->words[i] != NULL; i++)
		if (strcmp(t->words[i], value) == 0) {
			*out = i;
			return 0;
		}
	return -1;
}

int
settings_set(struct settings *s, const char *name, const char *value)
{
	int64_t v;

	for (size_t i = 0; i < TABLE_LEN; i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		if (parse(&table[i], value, &v) == -1)
			return -1;
		*field(s, &table[i]) = v;
		return 0;
	}
	return -1;
}

void
settings_put(const struct settings *s, struct buf *out)
{
	struct settings copy = *s;

	for (size_t i = 0; i < TABLE_LEN; i++) {
		const struct setting *t = &table[i];
		int64_t v = *field(&copy, t);

		buf_addf(out, "%s\"%s\":", i == 0 ? "{" : ",", t->name);
		if (t->words != NULL)
			json_puts(out, t->words[v]);
		else
			buf_addf(out, "%lld", (long long)v);
	}
	buf_addc(out, '}');
}

int
settings_handshake_status(const struct settings *s)
{
	int64_t status;

	if (text_int(handshake_words[s->handshake], &status) == -1)
		return 0;
	return (int)status;
}
