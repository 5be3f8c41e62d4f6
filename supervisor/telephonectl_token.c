/* SPDX-License-Identifier: MIT */
/*
 * telephonectl token show, check, set, rotate. A token passes through here
 * once, from standard input into a sealed memfd, and is never printed. check
 * needs no running telephone: it becomes `tokend --check`.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "jsonout.h"
#include "log.h"
#include "secret.h"
#include "telephonectl.h"
#include "telephonectl_prompt.h"
#include "util.h"

/* There is a token, but not one to count on. */
#define EXIT_NOT_USABLE 1
/* The first descriptor that tokend --check reads. */
#define CHECK_FD 3

struct arguments {
	bool json, move_aside;
	const char *env, *db;
};

static int
ask(const char *path, uint16_t type, int fd, struct answers *answers)
{
	const struct ipc_frame question = {.type = type, .fd = fd};

	return telephonectl_ask(path, &question, answers);
}

/* --- show ----------------------------------------------------------------- */

static void
print_time(const char *name, int64_t s)
{
	time_t t = (time_t)s;
	char text[32];
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	(void)printf("%-13s%s UTC\n", name, text);
}

/* What others wrote, be they our own processes, is not for a terminal as it
 * is. */
static void
print_text(const char *name, const char *text)
{
	char plain[LOG_PLAIN_MAX];

	(void)printf("%-13s%s\n", name, log_plain(plain, sizeof(plain), text));
}

static void
print_token(const struct proto_tokend_status *t)
{
	char plain[LOG_PLAIN_MAX];

	(void)printf("%-13s%s\n", "state", proto_token_state_name(t->state));
	if (t->state != PROTO_TOKEN_NONE) {
		(void)printf("%-13s%s%s\n", "source",
		    proto_source_name(t->source),
		    t->unsaved ? ", not in the store yet" : "");
		print_text("path_id", t->path_id);
		print_text("subject", t->sub);
		print_text("jti", t->jti);
		print_time("issued", t->iat_s);
		print_time("expires", t->exp_s);
		(void)printf("%-13s%s\n", "signature",
		    t->verified ? "verified" : "not verified");
	}
	if (t->refresh_in_ms >= 0)
		print_time(
		    "next refresh", (util_wall_ms() + t->refresh_in_ms) / 1000);
	else
		(void)printf("%-13s%s\n", "next refresh", "none");
	(void)printf("%-13s%" PRIu64 ", of them unreadable %" PRIu64 "\n",
	    "stored", t->rows, t->unreadable);
	if (t->refusal[0] != '\0')
		(void)printf("%-13s%u; last: %s\n", "set aside", t->set_aside,
		    log_plain(plain, sizeof(plain), t->refusal));
}

static void
print_token_json(const struct proto_tokend_status *t)
{
	(void)printf("{\"state\":");
	jsonout_string(proto_token_state_name(t->state));
	jsonout_text("source", proto_source_name(t->source));
	jsonout_text("path_id", t->path_id);
	jsonout_text("subject", t->sub);
	jsonout_text("jti", t->jti);
	jsonout_int("iat", t->iat_s);
	jsonout_int("exp", t->exp_s);
	jsonout_int("refresh_in_ms", t->refresh_in_ms);
	jsonout_bool("verified", t->verified);
	jsonout_bool("unsaved", t->unsaved);
	jsonout_int("stored", (int64_t)t->rows);
	jsonout_int("unreadable", (int64_t)t->unreadable);
	jsonout_int("set_aside", t->set_aside);
	jsonout_text("last_refusal", t->refusal);
	(void)printf("}\n");
}

static int
show(const char *path, const struct arguments *a)
{
	static struct answers answers;
	const struct proto_tokend_status *t = &answers.status.tokend;
	int code = ask(path, PROTO_STATUS, -1, &answers);

	if (code != EX_OK)
		return code;
	if (!answers.status.has_tokend)
		return telephonectl_fail(
		    EX_UNAVAILABLE, "tokend does not answer", "");
	if (a->json)
		print_token_json(t);
	else
		print_token(t);
	return t->state == PROTO_TOKEN_VALID ? EX_OK : EXIT_NOT_USABLE;
}

/* --- set ------------------------------------------------------------------ */

/* Reads until the end; from a terminal one line, without echo. */
static size_t
read_input(char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	if (isatty(STDIN_FILENO) == 1)
		len = prompt_read("token: ", text, size);
	else
		while (len < size - 1 &&
		    (n = read(STDIN_FILENO, text + len, size - 1 - len)) > 0)
			len += (size_t)n;
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	return len;
}

static int
print_report(int code, const struct answers *answers, bool json, bool set)
{
	const struct proto_report *r = &answers->report;
	char p[LOG_PLAIN_MAX], j[LOG_PLAIN_MAX];

	if (!answers->has_report)
		return code;
	if (!json) {
		if (set && r->jti[0] != '\0')
			(void)printf("jti %s, path_id %s: ",
			    log_plain(j, sizeof(j), r->jti),
			    log_plain(p, sizeof(p), r->path_id));
		else if (!set)
			(void)printf("%" PRIu64 " rows, %" PRIu64
				     " sealed anew, %" PRIu64 " unreadable: ",
			    r->rows, r->resealed, r->unreadable);
		(void)printf("%s\n", log_plain(p, sizeof(p), r->text));
		return code;
	}
	(void)printf("{\"ok\":%s", code == EX_OK ? "true" : "false");
	if (set) {
		jsonout_bool("current", r->current);
		jsonout_bool("stored", r->stored);
		jsonout_text("path_id", r->path_id);
		jsonout_text("jti", r->jti);
		jsonout_int("exp", r->exp_s);
	} else {
		jsonout_int("rows", (int64_t)r->rows);
		jsonout_int("resealed", (int64_t)r->resealed);
		jsonout_int("unreadable", (int64_t)r->unreadable);
		jsonout_bool("previous_given", r->previous);
	}
	jsonout_text("text", r->text);
	(void)printf("}\n");
	return code;
}

static int
set(const char *path, const struct arguments *a)
{
	static struct answers answers;
	char *text = secret_alloc(PROTO_TOKEN_MAX + 1);
	size_t len = read_input(text, PROTO_TOKEN_MAX + 1);
	int fd = -1, code;

	if (len > 0 && len < PROTO_TOKEN_MAX)
		fd = secret_memfd("token", text, len);
	secret_free(text, PROTO_TOKEN_MAX + 1);
	if (len == 0)
		return telephonectl_fail(
		    EX_DATAERR, "no token on standard input", "");
	if (len >= PROTO_TOKEN_MAX)
		return telephonectl_fail(
		    EX_DATAERR, "the token is longer than 16383 bytes", "");
	if (fd == -1)
		return telephonectl_fail(
		    EX_OSERR, "no memory for the token", strerror(errno));
	code = ask(path, PROTO_TOKEN_SET, fd, &answers);
	util_close(&fd);
	return print_report(code, &answers, a->json, true);
}

/* --- rotate --------------------------------------------------------------- */

static int
rotate(const char *path, const struct arguments *a)
{
	static struct answers answers;
	int code = ask(path, PROTO_TOKEN_ROTATE, -1, &answers);

	return print_report(code, &answers, a->json, false);
}

/* --- check ---------------------------------------------------------------- */

#define WORDS_MAX 12

struct program {
	char *argv[WORDS_MAX + 1];
	int argc;
	int fds[4], fd_count;
};

static void
add_word(struct program *p, const char *word)
{
	p->argv[p->argc] = strdup(word);
	if (p->argv[p->argc++] == NULL)
		fatalx("out of memory");
}

static void
add_fd(struct program *p, const char *word, int fd)
{
	if (fd == -1)
		return;
	add_word(p, word);
	p->fds[p->fd_count++] = fd;
}

/* Does not return but with an exit code: becomes tokend. */
static int
become(struct program *p)
{
	static char *const environment[] = {NULL};
	char path[PATH_MAX];
	int high[4], i;

	for (i = 0; i < p->fd_count; i++) /* above all targets first */
		high[i] = fcntl(p->fds[i], F_DUPFD, CHECK_FD + p->fd_count);
	for (i = 0; i < p->fd_count; i++)
		if (high[i] == -1 || dup2(high[i], CHECK_FD + i) == -1)
			return telephonectl_fail(
			    EX_OSERR, "no descriptors", strerror(errno));
	(void)util_close_from(CHECK_FD + p->fd_count);
	if (util_sibling(path, sizeof(path), "tokend") == 0)
		(void)execve(path, p->argv, environment);
	return telephonectl_fail(
	    EX_UNAVAILABLE, "tokend cannot be executed", strerror(errno));
}

/* Half a configuration has another store, and lacks a key that there is:
 * nothing must be concluded from that, nor done. */
static int
load(struct config *config, struct conf *conf, struct config_secrets *secrets)
{
	bool faults = config_load(config, conf) == -1;

	config_report(conf);
	if (faults)
		return telephonectl_fail(EX_CONFIG,
		    "nothing was looked at: correct the configuration first",
		    "");
	return config_secrets(conf, secrets) == -1 ? EX_CONFIG : EX_OK;
}

/* Comes back only when it has failed. */
static int
diagnose(const struct arguments *a, const struct conf *conf,
    const struct config_secrets *secrets)
{
	struct program p = {.argc = 0};
	char db[PATH_MAX + 4];

	add_word(&p, "tokend");
	add_word(&p, "--check");
	add_word(&p, a->json ? "json" : "report");
	if (a->move_aside)
		add_word(&p, "move-aside");
	(void)util_fmt(db, sizeof(db), "db=%s",
	    a->db != NULL ? a->db : conf_text(conf, CONF_TOKEN_DB_PATH));
	add_word(&p, db);
	add_fd(&p, "secret", secrets->secret);
	add_fd(&p, "previous", secrets->previous);
	add_fd(&p, "jwt_key", secrets->jwt_key);
	add_fd(&p, "token", secrets->token);
	return become(&p);
}

static int
check(const char *path, const struct arguments *a)
{
	struct options options = {.file = a->env};
	struct config_secrets secrets = CONFIG_NO_SECRETS;
	struct config config;
	struct conf conf;
	int code;

	(void)path;
	log_init("telephonectl", LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	config_init(&config, &options);
	conf_init(&conf);
	code = load(&config, &conf, &secrets);
	if (code == EX_OK)
		code = diagnose(a, &conf, &secrets);
	conf_clear(&conf);
	config_clear(&config);
	return code;
}

/* --- the command line ----------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(const char *, const struct arguments *);
} commands[] = {
    {"show", show},
    {"check", check},
    {"set", set},
    {"rotate", rotate},
};

static bool
is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* False, said: an argument that does not belong there. */
static bool
parse(struct arguments *a, bool is_check, int argc, char **argv)
{
	int i;

	memset(a, 0, sizeof(*a));
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			a->json = true;
		else if (is_check && strcmp(argv[i], "--move-aside") == 0)
			a->move_aside = true;
		else if (is_check && strcmp(argv[i], "--env") == 0 &&
		    i + 1 < argc)
			a->env = argv[++i];
		else if (is_check && strcmp(argv[i], "--db") == 0 &&
		    i + 1 < argc)
			a->db = argv[++i];
		else
			break;
	}
	if (i == argc)
		return true;
	(void)telephonectl_fail(EX_USAGE,
	    is_check && is_one_of(argv[i], "--env", "--db")
		? "a file is missing behind"
		: "unexpected argument",
	    argv[i]);
	return false;
}

int
telephonectl_token(const char *path, int argc, char **argv)
{
	struct arguments a;
	size_t i;

	for (i = 0; argc > 0 && i < UTIL_COUNT(commands); i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return parse(&a, commands[i].run == check, argc, argv)
			    ? commands[i].run(path, &a)
			    : EX_USAGE;
	return telephonectl_fail(EX_USAGE,
	    "token: show, check, set or rotate (see telephonectl help)",
	    argc > 0 ? argv[0] : "");
}
