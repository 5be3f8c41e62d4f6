/* SPDX-License-Identifier: MIT */
/*
 * tokend's life: born by the supervisor with an empty environment and its
 * channel on descriptor 3; all else is told by messages (dispatch.c). With
 * --check it judges secrets on descriptors for the supervisor, which never
 * reads one, and leaves: `tokend --check [secret] [token]`, where the words
 * say which descriptors follow from 3 on.
 */
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <event2/event.h>

#include "dispatch.h"
#include "keeper.h"
#include "log.h"
#include "priv.h"

#define CHANNEL_FD 3

static int
check(char **words)
{
	struct tokens tokens;
	struct seal *seal;
	int fd = CHANNEL_FD, secret = -1, token = -1, code, result;

	for (; *words != NULL; words++) {
		if (strcmp(*words, "secret") == 0)
			secret = fd++;
		else if (strcmp(*words, "token") == 0)
			token = fd++;
		else
			log_exit(EX_USAGE,
			    "usage: tokend --check [secret] "
			    "[token]");
	}
	tokens_init(&tokens);
	result = keeper_read_given(&tokens, token);
	tokens_clear(&tokens);
	seal = keeper_read_secret(secret, &code);
	seal_free(seal);
	return seal == NULL ? code : result;
}

int
main(int argc, char **argv)
{
	struct event_base *base;
	struct dispatch *d;
	int code;

	log_init("tokend", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	priv_harden();
	if (argc > 1 && strcmp(argv[1], "--check") == 0)
		return check(argv + 2);
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
