/* SPDX-License-Identifier: MIT */
/*
 * switchboard: a stand-in for Plugboard, for demos and tests.  It serves the
 * Phoenix socket of telephones, an HTTP front that asks them, and an admin
 * interface that looks in and makes things go wrong.  PROTOCOL is its law.
 * It shares no code with telephone itself.
 *
 * main reads the arguments, opens the listeners and runs the loop.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "board.h"
#include "call.h"
#include "dispatch.h"
#include "jwt.h"
#include "linger.h"
#include "listen.h"
#include "phx.h"
#include "record.h"
#include "tokens.h"
#include "wscall.h"

#define USAGE 64

struct arguments {
	const char *listen, *tls, *cert, *key, *secret;
};

static int
usage(void)
{
	fputs("usage: switchboard [--listen HOST:PORT] [--tls HOST:PORT "
	      "--cert FILE --key FILE] [--secret STRING] [--quiet]\n",
	    stderr);
	return USAGE;
}

static int
parse_arguments(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"tls", required_argument, NULL, 't'},
	    {"cert", required_argument, NULL, 'c'},
	    {"key", required_argument, NULL, 'k'},
	    {"secret", required_argument, NULL, 's'},
	    {"quiet", no_argument, NULL, 'q'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			a->listen = optarg;
			break;
		case 't':
			a->tls = optarg;
			break;
		case 'c':
			a->cert = optarg;
			break;
		case 'k':
			a->key = optarg;
			break;
		case 's':
			a->secret = optarg;
			break;
		case 'q':
			board.quiet = true;
			break;
		default:
			return -1;
		}
	}
	if (optind != argc ||
	    (a->tls != NULL && (a->cert == NULL || a->key == NULL)))
		return -1;
	return 0;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	event_base_loopbreak(board.base);
}

static int
open_listeners(const struct arguments *a)
{
	int http, tls;

	if ((http = listen_plain(a->listen)) == -1)
		return -1;
	if (a->tls == NULL) {
		printf("switchboard http=%d\n", http);
	} else {
		if ((tls = listen_tls(a->tls, a->cert, a->key)) == -1)
			return -1;
		printf("switchboard http=%d tls=%d\n", http, tls);
	}
	return fflush(stdout) == 0 ? 0 : -1;
}

/* As many descriptors as allowed: a bench brings many clients. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int
serve(const struct arguments *a)
{
	struct event *term, *intr;
	int r;

	term = evsignal_new(board.base, SIGTERM, on_signal, NULL);
	intr = evsignal_new(board.base, SIGINT, on_signal, NULL);
	if (term == NULL || intr == NULL)
		abort();
	evsignal_add(term, NULL);
	evsignal_add(intr, NULL);
	if ((r = open_listeners(a)) == 0)
		event_base_dispatch(board.base);
	event_free(term);
	event_free(intr);
	return r == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct arguments a = {
	    "127.0.0.1:0", NULL, NULL, NULL, "switchboard-development-secret"};
	int status;

	if (parse_arguments(&a, argc, argv) == -1)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	if ((board.base = event_base_new()) == NULL)
		return 1;
	settings_init(&board.settings);
	jwt_set_secret(a.secret);
	channel_set_hooks(&dispatch_hooks);
	listen_set_service(&dispatch_service);
	status = serve(&a);
	listen_free_all();
	call_free_all();
	wscall_free_all();
	phx_free_all();
	http_free_all();
	linger_free_all();
	tokens_free();
	record_free();
	event_base_free(board.base);
	return status;
}
