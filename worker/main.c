/* SPDX-License-Identifier: MIT */
/*
 * The worker's life: born by the supervisor with an empty environment and its
 * channel on descriptor 3; hardened; a loop; HELLO. All else is told by
 * messages (dispatch.c). It serves Plugboard until it is told to stop, or
 * until the supervisor is gone.
 */
#include <malloc.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "backend.h"
#include "dispatch.h"
#include "log.h"
#include "loop.h"
#include "plugboard.h"
#include "priv.h"
#include "tls.h"

#define CHANNEL_FD 3

/* What is freed goes back to the kernel: left to itself, glibc's malloc(3)
 * learns to keep blocks as large as those it has seen. MEMORY_MAX counts on it.
 * musl's gives back what it can, and has nothing to be told. */
#define KEEP_MAX (128 * 1024)

static void
give_back(void)
{
#ifdef M_MMAP_THRESHOLD
	(void)mallopt(M_MMAP_THRESHOLD, KEEP_MAX);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * KEEP_MAX);
	(void)mallopt(M_ARENA_MAX, 1);
#endif
}

int
main(int argc, char **argv)
{
	struct dispatch_params params = {.fd = CHANNEL_FD};
	struct dispatch *d;
	int code;

	(void)argc;
	log_init("worker", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	priv_harden();
	give_back();
	tzset(); /* reads a file, which a sandbox would not allow later */
	if (tls_prepare() == -1)
		fatalx("OpenSSL was used too early");
	if (backend_global_init() == -1)
		fatalx("libcurl cannot be set up");
	params.argv0 = argv[0];
	params.tls = tls_create();
	if (params.tls == NULL)
		fatalx("OpenSSL cannot be set up");
	params.loop =
	    loop_create(plugboard_protocols(), tls_ctx(params.tls), NULL);
	if (params.loop == NULL)
		log_exit(EX_UNAVAILABLE,
		    "libwebsockets cannot be set up: is its libuv plugin "
		    "installed (Debian: libwebsockets-evlib-uv)?");
	d = dispatch_create(&params);
	if (loop_run(params.loop) == -1)
		fatalx("the event loop failed");
	code = dispatch_exit_code(d);
	dispatch_free(d);
	loop_free(params.loop);
	tls_free(params.tls);
	backend_global_cleanup();
	return code;
}
