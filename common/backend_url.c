/* SPDX-License-Identifier: MIT */
/* An http URL has the authority of a ws one (RFC 3986 §3.2): url.c takes it
 * apart. */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "backend_url.h"
#include "url.h"
#include "util.h"

static const char *
take_socket(struct backend_url *u, const char *path)
{
	if (strncmp(path, "//", 2) == 0) /* as some write it: unix:///run/… */
		path += 2;
	if (path[0] != '/' || path[1] == '\0')
		return "the path of a socket is absolute: unix:/run/app.sock";
	if (util_strlcpy(u->path, path, sizeof(u->path)) >= sizeof(u->path))
		return "the path of a socket is longer than 107 bytes";
	u->scheme = "http";
	u->port = 80;
	(void)util_strlcpy(u->host, "localhost", sizeof(u->host));
	return NULL;
}

static const char *
take_http(struct backend_url *u, const char *rest, bool tls)
{
	char text[BACKEND_URL_HOST_MAX + 32];
	const char *error;
	struct url ws;

	if (!util_fmt(text, sizeof(text), "%s%s", tls ? "wss" : "ws", rest))
		return "it is too long";
	error = url_parse(&ws, text);
	if (error != NULL)
		return error;
	if (strcmp(ws.path, "/") != 0 || strchr(rest, '?') != NULL)
		return "nothing may stand behind its host and port: each "
		       "request brings its own path";
	u->scheme = tls ? "https" : "http";
	u->port = ws.port;
	(void)util_strlcpy(u->host, ws.host, sizeof(u->host));
	return NULL;
}

const char *
backend_url_parse(struct backend_url *u, const char *text)
{
	memset(u, 0, sizeof(*u));
	if (strncasecmp(text, "unix:", 5) == 0)
		return take_socket(u, text + 5);
	if (strncasecmp(text, "http://", 7) == 0)
		return take_http(u, text + 4, false);
	if (strncasecmp(text, "https://", 8) == 0)
		return take_http(u, text + 5, true);
	return "it does not begin with http://, https:// or unix:";
}
