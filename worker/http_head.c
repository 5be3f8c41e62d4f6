/* SPDX-License-Identifier: MIT */
/* The parser of http_head.h. */
#include <string.h>
#include <strings.h>

#include "http_head.h"
#include "url.h"
#include "util.h"

/* The next line without its CRLF, which it must have; NULL: none. */
static const char *
next_line(const char **at, const char *end, size_t *len)
{
	const char *line = *at;
	const char *nl = memchr(line, '\n', (size_t)(end - line));

	if (nl == NULL || nl == line || nl[-1] != '\r')
		return NULL;
	*len = (size_t)(nl - 1 - line);
	*at = nl + 1;
	return line;
}

/* Behind the end of the head, or NULL: it is not complete. */
static const char *
find_end(const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	return end == NULL ? NULL : end + 2;
}

static bool
is_printable(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return false;
	return len > 0;
}

static int
take_target(const char *target, size_t len, struct http_head *out)
{
	const char *mark = memchr(target, '?', len);
	size_t path_len = mark == NULL ? len : (size_t)(mark - target);
	size_t query_len = mark == NULL ? 0 : len - path_len - 1;

	if (!is_printable(target, len) || target[0] != '/')
		return 400;
	if (path_len >= sizeof(out->path) || query_len >= sizeof(out->query))
		return 414;
	memcpy(out->path, target, path_len);
	out->path[path_len] = '\0';
	if (query_len > 0)
		memcpy(out->query, mark + 1, query_len);
	out->query[query_len] = '\0';
	return 200;
}

/* GET SP target SP HTTP/1.x (RFC 9112 §3). */
static int
take_request_line(const char *line, size_t len, struct http_head *out)
{
	const char *sp = memchr(line, ' ', len), *version;
	size_t method_len = sp == NULL ? 0 : (size_t)(sp - line);

	version = memrchr(line, ' ', len);
	if (sp == NULL || version == sp || !util_is_token(line, method_len) ||
	    (size_t)(line + len - version) != strlen(" HTTP/1.1") ||
	    memcmp(version, " HTTP/", 6) != 0)
		return 400;
	if (memcmp(version, " HTTP/1.", 8) != 0)
		return 505;
	out->is_head = method_len == 4 && memcmp(line, "HEAD", 4) == 0;
	if (!out->is_head && (method_len != 3 || memcmp(line, "GET", 3) != 0))
		return 405;
	return take_target(sp + 1, (size_t)(version - sp - 1), out);
}

static bool
is_named(const char *line, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp(line, name, len) == 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static int
take_host(const char *value, const char *end, struct http_head *out)
{
	size_t len;

	if (out->has_host)
		return 400;
	while (value < end && is_space(*value))
		value++;
	while (value < end && is_space(end[-1]))
		end--;
	len = (size_t)(end - value);
	if (len >= sizeof(out->host) || (len > 0 && !is_printable(value, len)))
		return 400;
	memcpy(out->host, value, len);
	out->host[len] = '\0';
	out->has_host = true;
	return 200;
}

/* A field is looked at for two things: whether there would be a body, and who
 * is meant. */
static int
take_field(const char *line, size_t len, struct http_head *out)
{
	const char *colon = memchr(line, ':', len);
	size_t n = colon == NULL ? 0 : (size_t)(colon - line);

	if (colon == NULL || !util_is_token(line, n))
		return 400;
	if (is_named(line, n, "transfer-encoding"))
		return 413;
	if (is_named(line, n, "host"))
		return take_host(colon + 1, line + len, out);
	if (!is_named(line, n, "content-length"))
		return 200;
	for (colon++; colon < line + len; colon++)
		if (!is_space(*colon) && *colon != '0')
			return 413;
	return 200;
}

int
http_head_parse(const uint8_t *data, size_t len, struct http_head *out)
{
	const char *at = (const char *)data, *line;
	const char *end = find_end(at, len);
	int status;
	size_t n;

	if (end == NULL)
		return len < HTTP_HEAD_MAX ? 0 : 431;
	line = next_line(&at, end, &n);
	if (line == NULL)
		return 400;
	out->has_host = false;
	out->host[0] = '\0';
	status = take_request_line(line, n, out);
	while (status == 200 && at < end) {
		line = next_line(&at, end, &n);
		status = line == NULL ? 400 : take_field(line, n, out);
	}
	return status;
}

bool
http_head_is_local(const struct http_head *head)
{
	char host[HTTP_HOST_MAX], *end, *port;

	(void)util_strlcpy(host, head->host, sizeof(host));
	if (host[0] == '[') { /* RFC 3986 §3.2.2 */
		end = strchr(host, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] == ':' ? end + 2 : end + 1;
		*end = '\0';
		return port[strspn(port, "0123456789")] == '\0' &&
		    strchr(host, ':') != NULL && url_is_local(host + 1);
	}
	end = strchr(host, ':');
	port = end == NULL ? host + strlen(host) : end + 1;
	if (end != NULL)
		*end = '\0';
	return port[strspn(port, "0123456789")] == '\0' && url_is_local(host);
}
