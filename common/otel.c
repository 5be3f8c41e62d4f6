/* SPDX-License-Identifier: MIT */
/* The readings of otel.h. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "otel.h"
#include "utf8.h"
#include "util.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"
#define SIGNAL_PATH "/v1/traces"

/* --- endpoints ------------------------------------------------------------ */

/* As url.h reads ws:// and wss://, whose grammar is the same. */
static const char *
parse_url(struct url *u, const char *text)
{
	char as_ws[URL_TARGET_MAX];
	const char *rest, *fault;

	if (strncasecmp(text, "http://", 7) == 0)
		rest = text + 7;
	else if (strncasecmp(text, "https://", 8) == 0)
		rest = text + 8;
	else
		return "it begins with neither http:// nor https://";
	if (!util_fmt(as_ws, sizeof(as_ws), "%s://%s",
		rest == text + 7 ? "ws" : "wss", rest))
		return "it is too long";
	fault = url_parse(u, as_ws);
	if (fault == NULL && u->query[0] != '\0')
		return "it must not hold a query: what the collector wants to "
		       "know goes into OTEL_EXPORTER_OTLP_HEADERS";
	return fault;
}

const char *
otel_endpoint_fault(const char *text)
{
	struct url u;

	return parse_url(&u, text);
}

bool
otel_endpoint(const struct conf *c, struct url *u)
{
	const char *all = conf_text(c, CONF_OTEL_EXPORTER_OTLP_ENDPOINT);
	size_t len;

	if (conf_is_set(c, CONF_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT))
		return parse_url(u,
			   conf_text(
			       c, CONF_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)) ==
		    NULL;
	if (parse_url(u, all[0] != '\0' ? all : DEFAULT_ENDPOINT) != NULL)
		return false;
	for (len = strlen(u->path); len > 0 && u->path[len - 1] == '/';)
		u->path[--len] = '\0';
	return util_fmt(
	    u->path + len, sizeof(u->path) - len, "%s", SIGNAL_PATH);
}

/* --- pairs ---------------------------------------------------------------- */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
decode(char *dst, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int c = (unsigned char)s[i];

		if (c == '%') {
			int high = len - i < 3 ? -1 : hex(s[i + 1]);
			int low = high < 0 ? -1 : hex(s[i + 2]);

			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c == '\0')
			return false;
		*dst++ = (char)c;
	}
	*dst = '\0';
	return true;
}

static size_t
trimmed(const char **s, size_t len)
{
	while (len > 0 && (**s == ' ' || **s == '\t')) {
		(*s)++;
		len--;
	}
	while (len > 0 && ((*s)[len - 1] == ' ' || (*s)[len - 1] == '\t'))
		len--;
	return len;
}

int
otel_next_pair(const char **text, struct otel_pair *pair)
{
	const char *s, *equals, *value;
	size_t len, key_len, value_len;

	do { /* empty ones are passed over */
		s = *text;
		if (*s == '\0')
			return 0;
		len = strcspn(s, ",");
		*text = s + len + (s[len] == ',');
		len = trimmed(&s, len);
	} while (len == 0);
	equals = memchr(s, '=', len);
	if (equals == NULL || len > OTEL_TEXT_MAX)
		return -1;
	value = equals + 1;
	value_len = trimmed(&value, len - (size_t)(value - s));
	key_len = trimmed(&s, (size_t)(equals - s));
	return key_len > 0 && decode(pair->key, s, key_len) &&
		decode(pair->value, value, value_len)
	    ? 1
	    : -1;
}

static const char malformed[] =
    "it is no list of key=value with commas between them; percent-encode "
    "commas, and what is not ASCII";

/* What this request says for itself. */
static bool
is_ours(const char *name)
{
	static const char *const names[] = {"connection", "content-encoding",
	    "content-length", "content-type", "expect", "host",
	    "transfer-encoding", "user-agent"};
	size_t i;

	for (i = 0; i < UTIL_COUNT(names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool
is_value(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			return false;
	return true;
}

const char *
otel_headers_fault(const char *text)
{
	struct otel_pair p;
	unsigned count = 0;
	int more;

	while ((more = otel_next_pair(&text, &p)) == 1) {
		if (!util_is_token(p.key, strlen(p.key)))
			return "one of its names is no name of a header field";
		if (is_ours(p.key))
			return "one of its fields is telephone's own to set";
		if (!is_value(p.value))
			return "one of its values holds what no header field "
			       "may";
		if (++count > OTEL_PAIRS_MAX)
			return "it holds more than 64 fields";
	}
	return more == 0 ? NULL : malformed;
}

/* Whether one of the first `count` pairs has this key. */
static bool
has_key(const char *text, unsigned count, const char *key)
{
	struct otel_pair p;

	for (; count > 0 && otel_next_pair(&text, &p) == 1; count--)
		if (strcmp(p.key, key) == 0)
			return true;
	return false;
}

const char *
otel_attributes_fault(const char *text)
{
	const char *all = text;
	struct otel_pair p;
	unsigned count = 0;
	int more;

	while ((more = otel_next_pair(&text, &p)) == 1) {
		if (!utf8_is_valid((uint8_t *)p.value, strlen(p.value)) ||
		    !utf8_is_valid((uint8_t *)p.key, strlen(p.key)))
			return "it is not UTF-8 once it is percent-decoded";
		if (has_key(all, count, p.key))
			return "one of its keys stands in it twice";
		if (++count > OTEL_PAIRS_MAX)
			return "it holds more than 64 attributes";
	}
	return more == 0 ? NULL : malformed;
}

const char *
otel_name_fault(const char *text)
{
	return utf8_is_valid((const uint8_t *)text, strlen(text))
	    ? NULL
	    : "it is not UTF-8";
}

/* --- the rest ------------------------------------------------------------- */

double
otel_ratio(const char *text)
{
	char *end;
	double ratio;

	if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
		return -1; /* strtod(3) reads more than numbers */
	ratio = strtod(text, &end);
	return *end == '\0' && ratio >= 0 && ratio <= 1 ? ratio : -1;
}

const char *
otel_ratio_fault(const char *text)
{
	return otel_ratio(text) >= 0 ? NULL
				     : "it is no number from 0 to 1, such as "
				       "0.05";
}

enum conf_id
otel_pick(const struct conf *c, enum conf_id traces, enum conf_id all)
{
	return conf_is_set(c, traces) ? traces : all;
}

bool
otel_is_on(const struct conf *c)
{
	/* By the specification only "true" is true. */
	if (strcasecmp(conf_text(c, CONF_OTEL_SDK_DISABLED), "true") == 0)
		return false;
	if (conf_is_set(c, CONF_OTEL_TRACES_EXPORTER))
		return strcasecmp(conf_text(c, CONF_OTEL_TRACES_EXPORTER),
			   "otlp") == 0;
	return conf_is_set(c, CONF_OTEL_EXPORTER_OTLP_ENDPOINT) ||
	    conf_is_set(c, CONF_OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
}

static void
check_protocol(struct conf *c)
{
	enum conf_id id = otel_pick(c, CONF_OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
	    CONF_OTEL_EXPORTER_OTLP_PROTOCOL);

	if (!conf_is_set(c, id) || strcmp(conf_text(c, id), "http/json") == 0)
		return;
	(void)buf_printf(&c->faults,
	    "%s: telephone speaks http/json only, not %s: set "
	    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json, and an endpoint "
	    "where the collector listens for HTTP (its port is 4318 as a "
	    "rule)\n",
	    conf_keys[id].name, conf_text(c, id));
}

static void
check_tls(struct conf *c, const struct url *u)
{
	enum conf_id ca =
	    otel_pick(c, CONF_OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE,
		CONF_OTEL_EXPORTER_OTLP_CERTIFICATE);
	enum conf_id cert =
	    otel_pick(c, CONF_OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE,
		CONF_OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE);
	enum conf_id key =
	    otel_pick(c, CONF_OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY,
		CONF_OTEL_EXPORTER_OTLP_CLIENT_KEY);
	enum conf_id headers =
	    otel_pick(c, CONF_OTEL_EXPORTER_OTLP_TRACES_HEADERS,
		CONF_OTEL_EXPORTER_OTLP_HEADERS);

	if (conf_is_set(c, key) && !conf_is_set(c, cert))
		(void)buf_printf(&c->faults,
		    "%s: it is of no use without a certificate; name the one "
		    "of this key in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE\n",
		    conf_keys[key].name);
	if (u->tls)
		return;
	if (conf_is_set(c, ca) || conf_is_set(c, cert))
		(void)buf_printf(&c->warnings,
		    "%s: it is not used: the endpoint is http://, which is not "
		    "verified\n",
		    conf_keys[conf_is_set(c, ca) ? ca : cert].name);
	if (conf_is_set(c, headers) && !url_is_local(u->host))
		(void)buf_printf(&c->warnings,
		    "%s: http:// to %s carries them in clear; use https://\n",
		    conf_keys[headers].name, u->host);
}

void
otel_check(struct conf *c)
{
	const char *disabled = conf_text(c, CONF_OTEL_SDK_DISABLED);
	struct url u;

	if (disabled[0] != '\0' && strcasecmp(disabled, "true") != 0 &&
	    strcasecmp(disabled, "false") != 0)
		(void)buf_printf(&c->warnings,
		    "OTEL_SDK_DISABLED: \"%s\" is read as false: only true "
		    "turns tracing off\n",
		    disabled);
	if (!otel_is_on(c))
		return;
	check_protocol(c);
	if (otel_endpoint(c, &u)) /* else that has been said */
		check_tls(c, &u);
	if (conf_num(c, CONF_OTEL_BSP_MAX_EXPORT_BATCH_SIZE) >
	    conf_num(c, CONF_OTEL_BSP_MAX_QUEUE_SIZE))
		(void)buf_printf(&c->faults,
		    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: %s is more than "
		    "OTEL_BSP_MAX_QUEUE_SIZE (%s)\n",
		    conf_text(c, CONF_OTEL_BSP_MAX_EXPORT_BATCH_SIZE),
		    conf_text(c, CONF_OTEL_BSP_MAX_QUEUE_SIZE));
}
