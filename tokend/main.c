/* SPDX-License-Identifier: MIT */
/*
 * tokend's life: born by the supervisor with an empty environment and its
 * channel on descriptor 3; all else is told by messages (dispatch.c). With
 * --check it judges what was given and the store for others, who never read a
 * secret, and leaves (diagnose.h).
 */
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <event2/event.h>

#include "diagnose.h"
#include "dispatch.h"
#include "log.h"
#include "priv.h"
#include "secret.h"
#include "token.h"

#define CHANNEL_FD 3
/* All candidates, keys old and new, one message in and one out. */
#define SECRETS_MAX (TOKEN_CANDIDATES_MAX + 10)

/* Before the sandbox, which then needs no system call for it. */
static void
reserve_memory(void)
{
	secret_reserve(SECRETS_MAX, sizeof(struct proto_token));
	if (secret_memory() == SECRET_PLAIN)
		log_warnx("keys and tokens cannot be locked into memory "
			  "(RLIMIT_MEMLOCK): they may be swapped out");
}

int
main(int argc, char **argv)
{
	struct event_base *base;
	struct dispatch *d;
	int code;

	log_init("tokend", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	priv_harden();
	/* A store that may not grow is a fault of the store, not the end. */
	(void)signal(SIGXFSZ, SIG_IGN);
	reserve_memory();
	if (argc > 1 && strcmp(argv[1], "--check") == 0)
		return diagnose_main(argv + 2);
	if (argc > 1)
		log_exit(EX_USAGE, "tokend is started by telephone");
	tzset();
	base = event_base_new();
	if (base == NULL)
		fatalx("libevent cannot be set up");
	d = dispatch_create(base, CHANNEL_FD);
	if (event_base_dispatch(base) == -1)
		fatalx("the event loop failed");
	code = dispatch_exit_code(d);
	dispatch_free(d);
	event_base_free(base);
	return code;
}
