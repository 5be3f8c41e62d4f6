/* SPDX-License-Identifier: MIT */
/* The sockets of listen.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"
#include "url.h"
#include "util.h"

#define BACKLOG 64

/* --- health --------------------------------------------------------------- */

/* Numeric only: the supervisor asks nobody for names. */
static struct addrinfo *
health_address(const char *host, const char *port)
{
	struct addrinfo hints, *ai = NULL;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
	if (strcasecmp(host, "localhost") == 0)
		host = "127.0.0.1";
	return getaddrinfo(host, port, &hints, &ai) == 0 ? ai : NULL;
}

static int
bind_health(const struct addrinfo *ai)
{
	int one = 1;
	int fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 ||
	    listen(fd, BACKLOG) == -1)
		util_close(&fd);
	return fd;
}

/* sd_listen_fds(3): how many descriptors from LISTEN_FD on are ours. */
#define LISTEN_FD 3

/* Among several, the one that is named "health" (FileDescriptorName=); the
 * only one may have any name. -1: none, or more than one. */
static int
find_named(int count, const char *names)
{
	static const char name[] = "health";
	int i, found = -1;
	size_t len;

	if (count == 1)
		return LISTEN_FD;
	for (i = 0; names != NULL && i < count; i++) {
		len = strcspn(names, ":");
		if (len == sizeof(name) - 1 && memcmp(names, name, len) == 0) {
			if (found != -1)
				return -1;
			found = LISTEN_FD + i;
		}
		names = names[len] == ':' ? names + len + 1 : NULL;
	}
	return found;
}

/* *fd is the one for health, or -1. */
static int
inherited_count(int *fd)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long n = 0;

	if (pid != NULL && fds != NULL && strtol(pid, NULL, 10) == getpid())
		n = strtol(fds, NULL, 10);
	n = n > 0 && n < 1024 ? n : 0;
	*fd = find_named((int)n, getenv("LISTEN_FDNAMES"));
	/* Neither a child nor a second call may take them for its own. */
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return (int)n;
}

static bool
is_listener(int fd)
{
	struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(int);
	int type = 0, listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1)
		return false;
	len = sizeof(ss);
	return type == SOCK_STREAM && listens != 0 &&
	    getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    (ss.ss_family == AF_INET || ss.ss_family == AF_INET6);
}

static int
inherited_health(int count, int fd, int *code)
{
	int other;

	if (fd == -1 || !is_listener(fd) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
		log_errorx("LISTEN_FDS: one stream socket that listens on an "
			   "IP address is expected, for health checks; of "
			   "several, one with FileDescriptorName=health");
		*code = EX_CONFIG;
		return -1;
	}
	for (other = LISTEN_FD; other < LISTEN_FD + count; other++)
		if (other != fd)
			(void)close(other);
	log_info("health listener: the socket that systemd passed");
	return fd;
}

static const char *
bind_cure(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "`ss -ltnp` shows who does";
	case EACCES:
		return "take a port above 1023";
	case EADDRNOTAVAIL:
		return "HEALTH_LISTEN must be an address of this host "
		       "(`ip address` lists them)";
	default:
		return "take another HEALTH_LISTEN or HEALTH_CHECK_PORT";
	}
}

int
listen_health(const struct conf *conf, int *code)
{
	const char *host = conf_text(conf, CONF_HEALTH_LISTEN);
	const char *port = conf_text(conf, CONF_HEALTH_CHECK_PORT);
	struct addrinfo *ai;
	int fd, count = inherited_count(&fd);

	*code = EX_OK;
	if (count > 0)
		return inherited_health(count, fd, code);
	if (conf_num(conf, CONF_HEALTH_CHECK_PORT) == 0)
		return -1;
	ai = health_address(host, port);
	if (ai == NULL) {
		log_errorx("HEALTH_LISTEN: %s is not an IP address; write one "
			   "of this host's, 127.0.0.1 or ::",
		    host);
		*code = EX_CONFIG;
		return -1;
	}
	fd = bind_health(ai);
	freeaddrinfo(ai);
	if (fd == -1) {
		log_errorx("HEALTH_CHECK_PORT: cannot listen on %s port %s: "
			   "%s; %s",
		    host, port, strerror(errno), bind_cure(errno));
		*code = EX_UNAVAILABLE;
		return -1;
	}
	if (!url_is_local(host))
		log_warnx(
		    "the health listener on %s is open to the network", host);
	log_info("health listener on %s port %s", host, port);
	return fd;
}

void
listen_renew(int fd)
{
	socklen_t len = sizeof(int);
	int listens = 1;

	if (fd == -1)
		return;
	if (util_nonblock(fd) == -1)
		log_warn("health listener: it cannot be made non-blocking");
	(void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	if (listens)
		return;
	log_warnx("health listener: a worker has shut it down");
	if (listen(fd, BACKLOG) == -1)
		log_warn("health listener: it does not listen again");
}

/* --- control -------------------------------------------------------------- */

static int
refuse_second(const char *path)
{
	log_errorx("another telephone answers on %s; set CONTROL_SOCKET (and "
		   "TOKEN_DB_PATH) to run a second one",
	    path);
	return EX_CANTCREAT;
}

/* Says why no file can be made there. */
static int
refuse_place(const char *path)
{
	int code = errno == EACCES ? EX_NOPERM : EX_CANTCREAT;

	if (errno == EADDRINUSE) {
		log_errorx("CONTROL_SOCKET: %s is there already and is no "
			   "socket; take it away, or name another path",
		    path);
		return code;
	}
	log_errorx("CONTROL_SOCKET: %s cannot be made: %s; name a path in a "
		   "directory that exists and is this user's to write",
	    path, strerror(errno));
	return code;
}

/* The lock outlives no process. */
static int
take_lock(struct listen_control *c)
{
	char path[sizeof(c->path) + 8];

	(void)util_fmt(path, sizeof(path), "%s.lock", c->path);
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lock == -1) {
		return refuse_place(path);
	}
	if (flock(c->lock, LOCK_EX | LOCK_NB) == 0)
		return EX_OK;
	return refuse_second(c->path);
}

static int
control_socket(void)
{
	return socket(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A lock file may have been cleaned away (/tmp, by age) under one who lives:
 * nobody answers only when the kernel says so. */
static bool
answers(const struct sockaddr_un *sun)
{
	int fd = control_socket();
	bool refused = fd != -1 &&
	    connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == -1 &&
	    errno != EAGAIN && errno != EPROTOTYPE;

	util_close(&fd);
	return !refused;
}

/* Only a socket is ever removed, and only one that nobody answers on. */
static int
remove_stale(const struct sockaddr_un *sun)
{
	struct stat sb;

	if (lstat(sun->sun_path, &sb) == -1 || !S_ISSOCK(sb.st_mode))
		return EX_OK;
	if (answers(sun))
		return refuse_second(sun->sun_path);
	(void)unlink(sun->sun_path);
	return EX_OK;
}

/* What is made from now on belongs to this group. CAP_CHOWN is not needed so,
 * which the service does not have. */
static void
become_group(gid_t gid)
{
	if (gid != (gid_t)-1 && setegid(gid) == -1)
		log_warn("the control socket cannot be given to group %u", gid);
}

static int
bind_control(struct listen_control *c, const struct sockaddr_un *sun, gid_t gid)
{
	gid_t own = gid == (gid_t)-1 ? gid : getegid();
	mode_t mask;
	int result;

	c->fd = control_socket();
	if (c->fd == -1)
		return -1;
	mask = umask(0117); /* 0660, from the first moment */
	become_group(gid);
	result = bind(c->fd, (const struct sockaddr *)sun, sizeof(*sun));
	become_group(own);
	(void)umask(mask);
	return result == -1 ? -1 : listen(c->fd, BACKLOG);
}

int
listen_control_open(struct listen_control *c, const char *path, bool root)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct group *gr = root ? getgrnam("telephone") : NULL;
	int code;

	c->fd = c->lock = -1;
	(void)util_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	if (util_strlcpy(c->path, path, sizeof(c->path)) >= sizeof(c->path)) {
		log_errorx("CONTROL_SOCKET: %s is longer than 107 bytes, as "
			   "unix sockets have it; name a shorter path",
		    path);
		return EX_CONFIG;
	}
	code = take_lock(c);
	if (code == EX_OK)
		code = remove_stale(&sun);
	if (code != EX_OK) {
		util_close(&c->lock);
		return code;
	}
	if (bind_control(c, &sun, gr != NULL ? gr->gr_gid : (gid_t)-1) == -1) {
		code = refuse_place(c->path);
		util_close(&c->fd);
		listen_control_close(c);
		return code;
	}
	return EX_OK;
}

void
listen_control_close(struct listen_control *c)
{
	if (c->lock == -1)
		return;
	if (c->fd != -1)
		(void)unlink(c->path);
	/* The lock file stays: removed, it could be locked twice, by one who
	 * had opened it before and by one who made it anew. */
	util_close(&c->fd);
	util_close(&c->lock);
}
