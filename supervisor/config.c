/* SPDX-License-Identifier: MIT */
/* The sources of config.h. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "priv.h"
#include "secret.h"
#include "util.h"

#define DEFAULT_FILE "/etc/telephone/telephone.conf"
#define FILE_MAX (256 * 1024)

extern char **environ;

void
config_init(struct config *c, const struct options *options)
{
	size_t i;

	memset(c, 0, sizeof(*c));
	c->options = *options;
	for (i = 0; i < CONF_KEYS; i++)
		c->env_fd[i] = -1;
	if (options->file != NULL)
		(void)util_strlcpy(c->file, options->file, sizeof(c->file));
	else if (!priv_is_root() && access(".env", F_OK) == 0)
		(void)util_strlcpy(c->file, ".env", sizeof(c->file));
	else if (access(DEFAULT_FILE, F_OK) == 0)
		(void)util_strlcpy(c->file, DEFAULT_FILE, sizeof(c->file));
}

void
config_clear(struct config *c)
{
	size_t i;

	for (i = 0; i < CONF_KEYS; i++)
		util_close(&c->env_fd[i]);
}

/* --- the file ------------------------------------------------------------- */

static void
check_mode(struct conf *conf, int fd, const char *file)
{
	struct stat sb;

	if ((conf->value[CONF_SECRET_KEY_BASE].fd != -1 ||
		conf->value[CONF_SECRET_KEY_BASE_PREVIOUS].fd != -1 ||
		conf->value[CONF_TELEPHONE_TOKEN].fd != -1) &&
	    fstat(fd, &sb) == 0 && (sb.st_mode & 077) != 0)
		(void)buf_printf(&conf->warnings,
		    "%s: holds a secret and is open to others (mode %04o); "
		    "run: chmod 600 %s\n",
		    file, sb.st_mode & 07777, file);
}

static void
fault(struct conf *conf, const char *file, const char *what)
{
	(void)buf_printf(&conf->faults, "%s: %s\n", file, what);
}

static void
unreadable(struct config *c, struct conf *conf, int error)
{
	(void)buf_printf(&conf->faults, "%s: cannot be read: %s; %s\n", c->file,
	    strerror(error),
	    error == EACCES ? "the user who starts telephone must be able to"
			    : "-f names another file");
	c->unread = true;
}

static void
load_file(struct config *c, struct conf *conf)
{
	char *text;
	int fd;
	ssize_t n;
	size_t len = 0;

	fd = open(c->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		unreadable(c, conf, errno);
		return;
	}
	text = secret_alloc(FILE_MAX);
	while ((n = read(fd, text + len, FILE_MAX - 1 - len)) > 0)
		len += (size_t)n;
	/* The parser cuts the text into pieces, with a NUL behind each. */
	c->unread = len == FILE_MAX - 1 || memchr(text, '\0', len) != NULL;
	if (n == -1)
		unreadable(c, conf, errno);
	else if (len == FILE_MAX - 1)
		fault(conf, c->file, "longer than 256 KiB");
	else
		(void)conf_parse(conf, text, len, c->file);
	check_mode(conf, fd, c->file);
	secret_free(text, FILE_MAX);
	util_close(&fd);
}

/* --- the environment ------------------------------------------------------ */

/* conf_env wipes a secret where it stands, so that it can be had only once:
 * what it became is kept for the reloads. */
static void
keep_env(struct config *c, const struct conf *conf)
{
	size_t i;

	for (i = 0; i < CONF_KEYS; i++)
		if (conf->value[i].fd != -1 &&
		    conf->value[i].source == CONF_ENV)
			c->env_fd[i] =
			    fcntl(conf->value[i].fd, F_DUPFD_CLOEXEC, 0);
	c->env_taken = true;
}

static void
recall_env(const struct config *c, struct conf *conf)
{
	size_t i;

	for (i = 0; i < CONF_KEYS; i++) {
		if (c->env_fd[i] == -1)
			continue;
		util_close(&conf->value[i].fd);
		conf->value[i].fd = fcntl(c->env_fd[i], F_DUPFD_CLOEXEC, 0);
		conf->value[i].source = CONF_ENV;
	}
}

static void
set_flag(
    struct conf *conf, enum conf_id id, const char *text, const char *where)
{
	char copy[64];

	if (text == NULL)
		return;
	(void)util_strlcpy(copy, text, sizeof(copy));
	(void)conf_set(conf, id, copy, CONF_FLAG, where);
}

/* What can be said before a worker reads them. It does so as root, where
 * telephone was started by root. */
static void
check_files(struct conf *conf)
{
	size_t i;

	for (i = 0; i < CONF_KEYS; i++) {
		const char *path = conf_text(conf, (enum conf_id)i);
		struct stat sb;
		int fd;

		if (conf_keys[i].type != CONF_TYPE_FILE || path[0] == '\0')
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd == -1 || fstat(fd, &sb) == -1)
			(void)buf_printf(&conf->faults,
			    "%s: %s cannot be read: %s; name a PEM file that "
			    "the user who starts telephone may read\n",
			    conf_keys[i].name, path, strerror(errno));
		else if (!S_ISREG(sb.st_mode))
			(void)buf_printf(&conf->faults,
			    "%s: %s is not a regular file; name a PEM file\n",
			    conf_keys[i].name, path);
		util_close(&fd);
	}
}

static bool
is_directory(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The worker has an empty environment: its default comes from ours. */
static void
default_spool(struct conf *conf)
{
	const char *dir = getenv("TMPDIR");
	char copy[1025];

	if (conf_is_set(conf, CONF_SPOOL_DIR)) {
		if (!is_directory(conf_text(conf, CONF_SPOOL_DIR)))
			fault(conf, conf_text(conf, CONF_SPOOL_DIR),
			    "SPOOL_DIR is not a directory: make it, for "
			    "WORKER_USER to write to");
		return;
	}
	if (dir == NULL || dir[0] != '/' || !is_directory(dir) ||
	    !util_fmt(copy, sizeof(copy), "%s", dir))
		(void)util_fmt(copy, sizeof(copy), "/tmp");
	(void)conf_set(conf, CONF_SPOOL_DIR, copy, CONF_DEFAULT, "TMPDIR");
}

int
config_load(struct config *c, struct conf *conf)
{
	c->unread = false;
	if (c->file[0] != '\0')
		load_file(c, conf);
	(void)conf_env(conf, environ);
	if (c->env_taken)
		recall_env(c, conf);
	else
		keep_env(c, conf);
	set_flag(conf, CONF_LOG_LEVEL, c->options.log_level, "--log-level");
	set_flag(conf, CONF_LOG_FORMAT, c->options.log_format, "--log-format");
	check_files(conf);
	default_spool(conf);
	return conf_finish(conf);
}

static void
report(const struct buf *lines, void (*say)(const char *, ...))
{
	const char *p = (const char *)lines->data;
	const char *end = p == NULL ? NULL : p + lines->len, *nl;

	for (; p != end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			break;
		say("%.*s", (int)(nl - p), p);
	}
}

void
config_report(const struct conf *conf)
{
	report(&conf->warnings, log_warnx);
	report(&conf->faults, log_errorx);
}

/* --- secrets -------------------------------------------------------------- */

static int
open_secret(const char *path, const char *key, bool check)
{
	struct stat sb;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1 || fstat(fd, &sb) == -1) {
		log_errorx("%s: %s cannot be read: %s; name a file that the "
			   "user who starts telephone may read",
		    key, path, strerror(errno));
		util_close(&fd);
		return -1;
	}
	if (!S_ISREG(sb.st_mode)) {
		log_errorx("%s: %s is not a regular file; name the file itself",
		    key, path);
		util_close(&fd);
		return -1;
	}
	if (check && (sb.st_mode & 077) != 0)
		log_warnx("%s: %s is open to others (mode %04o); run: chmod "
			  "600 %s",
		    key, path, sb.st_mode & 07777, path);
	return fd;
}

/* systemd's way (LoadCredential): a directory only we can read. */
static int
open_credential(const char *name, const char *key, bool *found)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[1024];

	*found = dir != NULL &&
	    util_fmt(path, sizeof(path), "%s/%s", dir, name) &&
	    access(path, F_OK) == 0;
	return *found ? open_secret(path, key, false) : -1;
}

/* Where each is looked for, in this order: a credential, a file, a value. */
static const struct {
	size_t offset; /* in struct config_secrets */
	const char *key, *credential;
	enum conf_id file;
	int value; /* enum conf_id, -1: it may not be given as a value */
} secrets[] = {
    {offsetof(struct config_secrets, secret), "SECRET_KEY_BASE",
	"secret_key_base", CONF_SECRET_KEY_BASE_FILE, CONF_SECRET_KEY_BASE},
    {offsetof(struct config_secrets, previous), "SECRET_KEY_BASE_PREVIOUS",
	"secret_key_base_previous", CONF_SECRET_KEY_BASE_PREVIOUS_FILE,
	CONF_SECRET_KEY_BASE_PREVIOUS},
    {offsetof(struct config_secrets, jwt_key), "PLUGBOARD_JWT_SECRET_FILE",
	"plugboard_jwt_secret", CONF_PLUGBOARD_JWT_SECRET_FILE, -1},
    {offsetof(struct config_secrets, token), "TELEPHONE_TOKEN",
	"telephone_token", CONF_TELEPHONE_TOKEN_FILE, CONF_TELEPHONE_TOKEN},
};

static int *
slot(struct config_secrets *s, size_t i)
{
	return (int *)(void *)((char *)s + secrets[i].offset);
}

/* 0 with -1 in *fd: there is none. */
static int
find_secret(const struct conf *conf, size_t i, int *fd)
{
	enum conf_id file = secrets[i].file;
	int value = secrets[i].value;
	bool found;

	*fd = open_credential(secrets[i].credential, secrets[i].key, &found);
	if (found)
		return *fd == -1 ? -1 : 0;
	if (conf_is_set(conf, file)) {
		*fd = open_secret(
		    conf_text(conf, file), conf_keys[file].name, true);
		return *fd == -1 ? -1 : 0;
	}
	if (value == -1 || conf->value[value].fd == -1)
		return 0;
	*fd = fcntl(conf->value[value].fd, F_DUPFD_CLOEXEC, 0);
	return *fd == -1 ? -1 : 0;
}

void
config_close_secrets(struct config_secrets *s)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(secrets); i++)
		util_close(slot(s, i));
}

int
config_secrets(const struct conf *conf, struct config_secrets *s)
{
	int result = 0;
	size_t i;

	for (i = 0; i < UTIL_COUNT(secrets); i++)
		if (find_secret(conf, i, slot(s, i)) == -1)
			result = -1;
	if (result == -1)
		config_close_secrets(s);
	return result;
}

/* --- the control socket --------------------------------------------------- */

/* A directory of our own in /tmp: made by us, or exactly as we would. */
static bool
private_directory(const char *path)
{
	struct stat sb;

	if (mkdir(path, 0700) == -1 && errno != EEXIST) {
		log_errorx("%s cannot be made: %s; set CONTROL_SOCKET", path,
		    strerror(errno));
		return false;
	}
	if (lstat(path, &sb) == -1 || !S_ISDIR(sb.st_mode) ||
	    sb.st_uid != geteuid() || (sb.st_mode & 077) != 0) {
		log_errorx("%s is not a directory of this user's alone; set "
			   "CONTROL_SOCKET",
		    path);
		return false;
	}
	return true;
}

/* For root and group telephone; one that is there is somebody's choice. */
static void
shared_directory(const char *path)
{
	mode_t mask = umask(022);

	(void)mkdir(path, 0755);
	(void)umask(mask);
}

bool
config_control_path(
    const struct conf *conf, bool root, char *space, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char dir[64];

	if (conf_is_set(conf, CONF_CONTROL_SOCKET))
		return util_fmt(
		    space, size, "%s", conf_text(conf, CONF_CONTROL_SOCKET));
	if (root) {
		shared_directory("/run/telephone");
		return util_fmt(space, size, "/run/telephone/telephone.sock");
	}
	if (runtime != NULL && runtime[0] == '/')
		return util_fmt(space, size, "%s/telephone.sock", runtime);
	(void)util_fmt(dir, sizeof(dir), "/tmp/telephone-%u", geteuid());
	return private_directory(dir) &&
	    util_fmt(space, size, "%s/telephone.sock", dir);
}
