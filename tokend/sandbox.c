/* SPDX-License-Identifier: MIT */
/*
 * tokend's rights, from before it reads a secret, a token or the store: the
 * loop, its packets, SQLite in the store's directory, and nothing that reaches
 * anybody. It can make no socket, so it speaks to those alone whose descriptors
 * it was given.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "conf.h"
#include "log.h"
#include "sandbox.h"
#include "util.h"

static const struct sandbox_call calls[] = {
    SANDBOX_KEEP_LOG(shutdown),
    SANDBOX_KEEP_LOG(setsockopt),
    SANDBOX_KEEP_LOG(fcntl),
    SANDBOX_KEEP_LOG(lseek),
    SANDBOX_KEEP_LOG(pwrite64),
    SANDBOX_KEEP_LOG(ftruncate),
    SANDBOX_KEEP_LOG(fallocate),
    SANDBOX_KEEP_LOG(fchmod),
    SANDBOX_KEEP_LOG(flock),
    /* the loop and its packets */
    SANDBOX_OK(epoll_pwait),
#ifdef SYS_epoll_wait
    SANDBOX_OK(epoll_wait),
#endif
    SANDBOX_OK(epoll_ctl),
    SANDBOX_OK(ppoll), /* before a line of the log */
#ifdef SYS_poll
    SANDBOX_OK(poll),
#endif
    SANDBOX_OK(recvmsg),
    SANDBOX_OK(sendmsg),
    SANDBOX_OK(shutdown),
    /* of a descriptor that came by a frame, before it is closed */
    SANDBOX_OK_IF(
	setsockopt, SANDBOX_ARG(1, SOL_SOCKET), SANDBOX_ARG(2, SO_LINGER)),
    SANDBOX_OK(clock_gettime),
    SANDBOX_OK(read),
    SANDBOX_OK(write),
    SANDBOX_OK(close),
    SANDBOX_FCNTL,
    SANDBOX_IF(fcntl, 1, F_GETLK), /* of the store */
    SANDBOX_IF(fcntl, 1, F_SETLK),
    SANDBOX_IF(fcntl, 1, F_SETLKW),
    SANDBOX_IF(fcntl, 1, F_OFD_GETLK),
    SANDBOX_IF(fcntl, 1, F_OFD_SETLK),
    SANDBOX_IF(fcntl, 1, F_OFD_SETLKW),
    SANDBOX_IF(fcntl, 1, F_GET_SEALS),
    SANDBOX_WHO_AM_I,
    SANDBOX_OK(getrandom),
    SANDBOX_OK(gettimeofday),
    SANDBOX_OK(clock_nanosleep), /* a store that is locked */
    SANDBOX_OK(nanosleep),
    SANDBOX_OK(restart_syscall),
    SANDBOX_OK(futex),
    SANDBOX_OK(sched_yield),
    /* the store: Landlock says which files */
    SANDBOX_OK(openat),
    SANDBOX_OK(newfstatat),
    SANDBOX_OK(statx),
#ifdef SYS_open
    SANDBOX_OK(open),
    SANDBOX_OK(stat),
    SANDBOX_OK(lstat),
    SANDBOX_OK(access),
    SANDBOX_OK(unlink),
    SANDBOX_OK(readlink),
#endif
    SANDBOX_OK(fstat),
    SANDBOX_OK(faccessat),
#ifdef SYS_faccessat2
    SANDBOX_OK(faccessat2),
#endif
    SANDBOX_OK(unlinkat),
    SANDBOX_OK(readlinkat),
    SANDBOX_OK(getcwd),
    SANDBOX_OK(lseek),
    SANDBOX_OK(pread64),
    SANDBOX_OK(pwrite64),
    SANDBOX_OK(preadv),
    SANDBOX_OK(fsync),
    SANDBOX_OK(fdatasync),
    SANDBOX_OK(ftruncate),
    SANDBOX_OK(fallocate),
    SANDBOX_OK(fchmod),
    SANDBOX_OK(flock),
    SANDBOX_OK(umask),
    SANDBOX_OK(fstatfs),
    SANDBOX_OK(statfs),
    SANDBOX_MEMORY,
    SANDBOX_OK(mlock),
    SANDBOX_OK(mlock2),
    SANDBOX_OK(munlock),
#ifdef SYS_memfd_secret
    SANDBOX_OK(memfd_secret),
#else
    {.nr = 447, .action = SANDBOX_ALLOW}, /* memfd_secret */
#endif
    SANDBOX_ENDING,
};

/* Another telephone's, or what was moved aside. */
static bool
is_of_a_store(const char *name, const char *store)
{
	return name[0] == '.' || strstr(name, ".db") != NULL ||
	    strncmp(name, store, strlen(store)) == 0;
}

/* All of the store's directory is open to tokend: SQLite makes files in it. */
static void
warn_of_others(const char *directory, const char *store)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (is_of_a_store(entry->d_name, store))
			continue;
		log_warnx("the directory of TOKEN_DB_PATH (%s) holds other "
			  "things (%s), which tokend may change as well: give "
			  "the store a directory of its own",
		    directory, entry->d_name);
		break;
	}
	if (d != NULL)
		(void)closedir(d);
}

#define FILES_MAX 64
#define STORE_MAX (256ULL << 20)
#define MEMORY_MAX (256ULL << 20)

void
sandbox_enter(const struct conf *conf)
{
	static const struct sandbox_limits limits = {
	    .files = FILES_MAX,
	    .processes_plus_one = 1,
	    .file_bytes = STORE_MAX,
	    .memory_bytes = MEMORY_MAX,
	};
	struct sandbox_policy policy = {
	    .process = SANDBOX_TOKEND,
	    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),
	    .otherwise = SANDBOX_VIOLATION,
	    .calls = calls,
	    .call_count = UTIL_COUNT(calls),
	    .landlock = true,
	    .path_count = 2,
	};
	/* Who holds the store, when another one does, is read there. */
	struct sandbox_path paths[2] = {
	    {.path = "/proc/locks", .rights = SANDBOX_READ}};
	struct sandbox_path *store = &paths[1];
	char path[PATH_MAX], name[PATH_MAX];

	(void)util_strlcpy(
	    path, conf_text(conf, CONF_TOKEN_DB_PATH), sizeof(path));
	(void)util_strlcpy(name, path, sizeof(name));
	store->path = dirname(path);
	warn_of_others(store->path, basename(name));
	store->rights = SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE;
	policy.paths = paths;
	if (policy.mode != SANDBOX_OFF)
		sandbox_limit(&limits);
	sandbox_apply(&policy, false);
}
