/* SPDX-License-Identifier: MIT */
/* The parsers of proxy_url.h. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "proxy_url.h"
#include "util.h"

/* --- the URL ----------------------------------------------------------------
 */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes len bytes behind dst's text. False: too long, malformed, or
 * a control character, which would break the field it goes into. */
static bool
append_decoded(char dst[PROXY_URL_USER_MAX], const char *s, size_t len)
{
	size_t i, at = strlen(dst);

	for (i = 0; i < len; i++) {
		int c = (unsigned char)s[i];

		if (c == '%') {
			if (len - i < 3 || hex(s[i + 1]) < 0 ||
			    hex(s[i + 2]) < 0)
				return false;
			c = hex(s[i + 1]) << 4 | hex(s[i + 2]);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || at == PROXY_URL_USER_MAX - 1)
			return false;
		dst[at++] = (char)c;
		dst[at] = '\0';
	}
	return true;
}

/* "user:password" before the @ (RFC 7617 §2: no colon in a user). */
static const char *
take_user(struct proxy_url *p, const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	size_t user_len = colon == NULL ? len : (size_t)(colon - s);
	size_t user_end;

	if (!append_decoded(p->user, s, user_len) ||
	    strchr(p->user, ':') != NULL)
		return "its user is malformed: percent-encode what is not a "
		       "letter or a digit";
	user_end = strlen(p->user);
	if (user_end >= PROXY_URL_USER_MAX - 1)
		return "its user is too long";
	p->user[user_end] = ':';
	p->user[user_end + 1] = '\0';
	if (colon != NULL &&
	    !append_decoded(p->user, colon + 1, len - user_len - 1))
		return "its password is malformed: percent-encode what is not "
		       "a letter or a digit";
	return NULL;
}

/* Host and port are those of any URL. */
static const char *
take_host(struct proxy_url *p, const char *s, size_t len)
{
	char text[URL_HOST_MAX + 32];
	const char *error;
	struct url url;

	if (len >= URL_HOST_MAX + 8)
		return "its host is too long";
	(void)util_fmt(text, sizeof(text), "ws://%.*s", (int)len, s);
	error = url_parse(&url, text);
	if (error != NULL)
		return error;
	p->port = url.port;
	(void)util_strlcpy(p->host, url.host, sizeof(p->host));
	return NULL;
}

const char *
proxy_url_parse(struct proxy_url *p, const char *text)
{
	const char *scheme = strstr(text, "://"), *at = NULL, *error;
	size_t len, i;

	memset(p, 0, sizeof(*p));
	if (scheme != NULL && scheme < text + strcspn(text, "/?#@")) {
		if (strncasecmp(text, "http://", 7) != 0)
			return "only a proxy that speaks HTTP itself is "
			       "supported";
		text += 7;
	}
	len = strcspn(text, "/?#");
	if (text[len] != '\0' && strcmp(text + len, "/") != 0)
		return "it must not hold a path, a query or a fragment";
	for (i = 0; i < len; i++)
		if (text[i] == '@')
			at = text + i;
	if (at != NULL) {
		error = take_user(p, text, (size_t)(at - text));
		if (error != NULL)
			return error;
		len -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	return take_host(p, text, len);
}

/* --- NO_PROXY ---------------------------------------------------------------
 */

struct address {
	int bits; /* 32, 128, or 0: not an address */
	uint8_t bytes[sizeof(struct in6_addr)];
};

static struct address
parse_address(const char *s)
{
	struct address a = {.bits = 0};

	if (inet_pton(AF_INET, s, a.bytes) == 1)
		a.bits = 32;
	else if (inet_pton(AF_INET6, s, a.bytes) == 1)
		a.bits = 128;
	return a;
}

/* The digits behind "/", or -1. */
static int
parse_bits(const char *s)
{
	int n = 0;

	if (*s == '\0' || strlen(s) > 3 || s[strspn(s, "0123456789")] != '\0')
		return -1;
	for (; *s != '\0'; s++)
		n = n * 10 + (*s - '0');
	return n;
}

static bool
is_in_block(const struct address *a, char *block)
{
	char *slash = strchr(block, '/');
	struct address net;
	int bits, whole, rest;

	if (slash != NULL)
		*slash = '\0';
	net = parse_address(block);
	bits = slash == NULL ? net.bits : parse_bits(slash + 1);
	if (net.bits != a->bits || bits < 0 || bits > net.bits)
		return false;
	whole = bits / 8;
	rest = bits % 8;
	if (memcmp(net.bytes, a->bytes, (size_t)whole) != 0)
		return false;
	return rest == 0 ||
	    (net.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

static void
strip_dots(char *s)
{
	size_t len = strlen(s);

	while (len > 0 && s[len - 1] == '.')
		s[--len] = '\0';
}

/* The name itself, or one below it. */
static bool
is_below(const char *host, const char *name)
{
	size_t host_len = strlen(host), len;

	name += *name == '.';
	len = strlen(name);
	if (len == 0 || host_len < len ||
	    strcasecmp(host + host_len - len, name) != 0)
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}

static bool
matches(const char *host, const struct address *a, char *entry)
{
	size_t len = strlen(entry);

	if (entry[0] == '[' && entry[len - 1] == ']') {
		entry[len - 1] = '\0';
		entry++;
	}
	if (a->bits != 0)
		return is_in_block(a, entry);
	strip_dots(entry);
	return is_below(host, entry);
}

bool
proxy_url_is_exempt(const char *no_proxy, const char *host)
{
	static const char between[] = ", \t";
	struct address a = parse_address(host);
	char name[URL_HOST_MAX], entry[URL_HOST_MAX];
	size_t len;

	if (strcmp(no_proxy, "*") == 0)
		return true;
	(void)util_strlcpy(name, host, sizeof(name));
	strip_dots(name);
	for (;; no_proxy += len) {
		no_proxy += strspn(no_proxy, between);
		len = strcspn(no_proxy, between);
		if (len == 0)
			return false;
		if (len >= sizeof(entry))
			continue;
		memcpy(entry, no_proxy, len);
		entry[len] = '\0';
		if (matches(name, &a, entry))
			return true;
	}
}
