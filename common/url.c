/* SPDX-License-Identifier: MIT */
/* The parser of url.h. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "url.h"
#include "util.h"

static bool
is_name(const char *s)
{
	size_t i, label = 0;

	for (i = 0; s[i] != '\0'; i++) {
		char c = s[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_') ||
		    ++label > 63)
			return false;
	}
	return i > 0 && i <= 253 && s[0] != '-';
}

/* Digits and dots only is meant as an address, and must then be one. */
static bool
looks_numeric(const char *s)
{
	return s[strspn(s, "0123456789.")] == '\0';
}

bool
url_is_host(const char *s)
{
	uint8_t space[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, s, space) == 1 ||
	    inet_pton(AF_INET6, s, space) == 1)
		return true;
	return is_name(s) && !looks_numeric(s);
}

bool
url_is_local(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The scheme; returns what is behind it, or NULL. */
static const char *
take_scheme(struct url *u, const char *s)
{
	if (strncasecmp(s, "ws://", 5) == 0) {
		u->tls = false;
		u->port = 80;
		return s + 5;
	}
	if (strncasecmp(s, "wss://", 6) == 0) {
		u->tls = true;
		u->port = 443;
		return s + 6;
	}
	return NULL;
}

static const char *
take_port(struct url *u, const char *s, size_t len)
{
	uint32_t port = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 5)
			return "its port is not a number from 1 to 65535";
		port = port * 10 + (uint32_t)(s[i] - '0');
	}
	if (len == 0 || port == 0 || port > 65535)
		return "its port is not a number from 1 to 65535";
	u->port = (uint16_t)port;
	return NULL;
}

/* host, host:port or [v6]:port, len bytes. */
static const char *
take_authority(struct url *u, const char *s, size_t len)
{
	const char *host = s, *end = s + len, *colon;
	size_t host_len;

	if (memchr(s, '@', len) != NULL)
		return "it must not hold a user or a password";
	if (len > 0 && s[0] == '[') {
		const char *close = memchr(s, ']', len);

		if (close == NULL)
			return "its bracket is not closed";
		host = s + 1;
		host_len = (size_t)(close - host);
		colon = close + 1 < end ? close + 1 : NULL;
		if (colon != NULL && *colon != ':')
			return "there is something behind its bracket";
	} else {
		colon = memchr(s, ':', len);
		host_len = colon == NULL ? len : (size_t)(colon - s);
	}
	if (host_len == 0 || host_len >= sizeof(u->host))
		return "it has no host, or one that is too long";
	memcpy(u->host, host, host_len);
	u->host[host_len] = '\0';
	if (!url_is_host(u->host) ||
	    (strchr(u->host, ':') != NULL) != (s[0] == '['))
		return "its host is neither a name nor an address";
	return colon == NULL
	    ? NULL
	    : take_port(u, colon + 1, (size_t)(end - colon - 1));
}

/* RFC 3986 §3.3 and §3.4: what may stand there, roughly; never a space or a
 * control. */
static bool
is_target(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= 0x20 || *s >= 0x7f || *s == '"' || *s == '<' ||
		    *s == '>' || *s == '\\')
			return false;
	return true;
}

static const char *
take_target(struct url *u, const char *s)
{
	size_t len = strcspn(s, "?");

	if (strchr(s, '#') != NULL)
		return "it must not hold a fragment (#)";
	if (!is_target(s))
		return "its path holds a character that must be encoded";
	if (len >= sizeof(u->path) ||
	    (s[len] == '?' &&
		util_strlcpy(u->query, s + len + 1, sizeof(u->query)) >=
		    sizeof(u->query)))
		return "it is too long";
	memcpy(u->path, s, len);
	u->path[len] = '\0';
	if (len == 0)
		(void)util_strlcpy(u->path, "/", sizeof(u->path));
	return NULL;
}

const char *
url_parse(struct url *u, const char *text)
{
	const char *rest, *error;
	size_t len;

	memset(u, 0, sizeof(*u));
	rest = take_scheme(u, text);
	if (rest == NULL)
		return "it does not begin with ws:// or wss://";
	len = strcspn(rest, "/?#");
	error = take_authority(u, rest, len);
	return error != NULL ? error : take_target(u, rest + len);
}

bool
url_host_header(const struct url *u, char *dst, size_t size)
{
	bool v6 = strchr(u->host, ':') != NULL;
	char port[8] = "";

	if (u->port != (u->tls ? 443 : 80))
		(void)util_fmt(port, sizeof(port), ":%u", u->port);
	return util_fmt(
	    dst, size, "%s%s%s%s", v6 ? "[" : "", u->host, v6 ? "]" : "", port);
}
