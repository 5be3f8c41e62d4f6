/* SPDX-License-Identifier: MIT */
/* The datagrams of notify.h. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "util.h"

void
notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@') /* an abstract name begins with a NUL */
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		(struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
	    -1)
		log_warn("systemd cannot be told %s", state);
	(void)close(fd);
}

void
notify_reloading(void)
{
	char text[64];

	(void)util_fmt(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRId64, util_mono_us());
	notify_send(text);
}

void
notify_stopping(int64_t ms)
{
	char text[64];

	(void)util_fmt(text, sizeof(text),
	    "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
	notify_send(text);
}

/* A number of the environment; -1: not set, or none. */
static int64_t
env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long n;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 ? n : -1;
}

int64_t
notify_watchdog_ms(void)
{
	int64_t usec = env_number("WATCHDOG_USEC");

	if (usec <= 0 ||
	    (getenv("WATCHDOG_PID") != NULL &&
		env_number("WATCHDOG_PID") != getpid()))
		return 0;
	return usec < 2000 ? 1 : usec / 2000;
}

/* --- one line on how it stands -------------------------------------------- */

void
notify_init(struct notify *n)
{
	memset(n, 0, sizeof(*n));
}

static void
say(struct notify *n)
{
	char text[sizeof(n->last)];

	if (!n->worker_known || !n->token_known)
		return;
	if (n->draining)
		(void)util_strlcpy(
		    text, "STATUS=answering what is in flight", sizeof(text));
	else if (n->joined > 0)
		(void)util_fmt(text, sizeof(text),
		    "STATUS=joined, %u of %u tunnels", n->joined, n->tunnels);
	else if (n->token == PROTO_TOKEN_NONE)
		(void)util_strlcpy(text,
		    "STATUS=waiting for a token: telephonectl token set",
		    sizeof(text));
	else
		(void)util_fmt(text, sizeof(text),
		    "STATUS=not joined: %s, token %s",
		    proto_tunnel_name(n->tunnel),
		    proto_token_state_name(n->token));
	if (strcmp(text, n->last) == 0)
		return;
	(void)util_strlcpy(n->last, text, sizeof(n->last));
	notify_send(text);
}

void
notify_worker(struct notify *n, const struct proto_worker_status *w)
{
	n->worker_known = true;
	n->tunnels = w->tunnels;
	n->joined = w->tunnels_joined;
	n->tunnel = w->tunnel;
	n->draining = w->draining;
	say(n);
}

void
notify_token(struct notify *n, const struct proto_tokend_status *t)
{
	n->token_known = true;
	n->token = t->state;
	say(n);
}
