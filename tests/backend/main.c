/* SPDX-License-Identifier: MIT */
/*
 * demo-backend: the application behind the proxy, for `make demo` and for
 * integration tests.  An HTTP/1.1 server that normalises nothing, answers
 * with contents a test can compute, and misbehaves on request.
 *
 * Its life: arguments, one listener, the line "demo-backend http=PORT" on
 * stdout, the loop, and on SIGTERM or SIGINT everything is freed and it
 * exits 0.  Wrong usage is 64, no such address 69.
 *
 *	main        this file
 *	conn        a connection: requests in, order, keep-alive, the end
 *	head body   the strict parsers of requests
 *	reply       answers: whole, streamed, timed
 *	route       the table of endpoints, which are in content, mirror,
 *	            fields, timed, fault, tally and ws
 *	pattern     what /bytes, /utf8 and /binary send
 *
 * It is no public server: no time limits, no TLS, no access control.
 */
#include <event2/event.h>
#include <event2/listener.h>
#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "conn.h"
#include "query.h"

#define RETRY_MS 100 /* after accept failed */

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *retry, *sigterm, *sigint;
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: demo-backend [--listen ADDRESS:PORT] "
	    "[--quiet]\n");
	exit(EX_USAGE);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *from, int len, void *arg)
{
	(void)listener;
	(void)from;
	(void)len;
	(void)arg;
	conn_accept(fd);
}

/* Out of descriptors, most likely: rest, or the loop spins. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct server *server = arg;
	struct timeval tv = {.tv_usec = RETRY_MS * 1000};

	warn("accept");
	evconnlistener_disable(listener);
	event_add(server->retry, &tv);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(server->base);
}

/* As many connections as the hard limit has. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Reads "a.b.c.d:port" or "[v6]:port".  Port 0 is any, which is why
 * evutil_parse_sockaddr_port will not do.
 */
static int
parse_address(const char *text, struct sockaddr_storage *ss, int *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	size_t n;

	memset(ss, 0, sizeof(*ss));
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
	    query_digits(colon + 1, strlen(colon + 1), 65535, &port) == -1)
		return -1;
	n = (size_t)(colon - text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? 0
									   : -1;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	*len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

/* Binds and says where; exits when it cannot. */
static void
server_listen(struct server *server, const char *address)
{
	struct sockaddr_storage ss;
	socklen_t bound = sizeof(ss);
	in_port_t port;
	int len;

	if (parse_address(address, &ss, &len) == -1) {
		warnx("not an address and port: %s", address);
		usage();
	}
	server->listener = evconnlistener_new_bind(server->base, on_accept,
	    server,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    SOMAXCONN, (struct sockaddr *)&ss, len);
	if (server->listener == NULL)
		err(EX_UNAVAILABLE, "cannot listen on %s", address);
	evconnlistener_set_error_cb(server->listener, on_accept_error);

	if (getsockname(evconnlistener_get_fd(server->listener),
		(struct sockaddr *)&ss, &bound) == -1)
		err(EX_UNAVAILABLE, "getsockname");
	port = ss.ss_family == AF_INET6
	    ? ((struct sockaddr_in6 *)&ss)->sin6_port
	    : ((struct sockaddr_in *)&ss)->sin_port;
	printf("demo-backend http=%u\n", (unsigned int)ntohs(port));
	fflush(stdout);
}

/* Signals first, so that one right behind the line on stdout is seen. */
static void
server_init(struct server *server)
{
	memset(server, 0, sizeof(*server));
	server->base = event_base_new();
	if (server->base == NULL)
		errx(EX_OSERR, "no event loop");
	server->retry = evtimer_new(server->base, on_retry, server);
	server->sigterm =
	    evsignal_new(server->base, SIGTERM, on_signal, server);
	server->sigint = evsignal_new(server->base, SIGINT, on_signal, server);
	if (server->retry == NULL || server->sigterm == NULL ||
	    server->sigint == NULL)
		errx(EX_OSERR, "out of memory");
	event_add(server->sigterm, NULL);
	event_add(server->sigint, NULL);
}

static void
server_clear(struct server *server)
{
	evconnlistener_free(server->listener);
	event_free(server->retry);
	event_free(server->sigterm);
	event_free(server->sigint);
	event_base_free(server->base);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"quiet", no_argument, NULL, 'q'}, {NULL, 0, NULL, 0}};
	const char *address = "127.0.0.1:0";
	struct server server;
	bool quiet = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			address = optarg;
		else if (c == 'q')
			quiet = true;
		else
			usage();
	}
	if (optind != argc)
		usage();

	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	server_init(&server);
	conn_init(server.base, quiet);
	server_listen(&server, address);
	event_base_dispatch(server.base);

	conn_clear();
	server_clear(&server);
	libevent_global_shutdown();
	return 0;
}
