/* SPDX-License-Identifier: MIT */
/*
 * telephonectl(8): asks a running telephone over its control socket. Its
 * commands are one table, from which `help` and the completions of shells are
 * printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ipc.h"
#include "proto.h"
#include "telephonectl.h"
#include "util.h"
#include "version.h"

/* Answered, but not ready: what `status` and `healthcheck` say to a script. */
#define EXIT_NOT_READY 1

static struct answers answers;

static int
ask(const char *path, uint16_t question)
{
	const struct ipc_frame frame = {.type = question, .fd = -1};

	return telephonectl_ask(path, &frame, &answers);
}

static int
ask_plain(const char *path, int argc, char **argv, uint16_t question)
{
	if (argc > 1)
		return telephonectl_fail(
		    EX_USAGE, "unexpected argument", argv[1]);
	return ask(path, question);
}

/* --- the commands --------------------------------------------------------- */

static int
run_status(const char *path, int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	const struct status *s = &answers.status;
	int code;

	if (argc > 1 && !json)
		return telephonectl_fail(
		    EX_USAGE, "unexpected argument", argv[1]);
	code = ask(path, PROTO_STATUS);
	if (code != EX_OK)
		return code;
	if (json)
		status_print_json(s);
	else
		status_print(s);
	return s->has_worker && s->worker.ready ? EX_OK : EXIT_NOT_READY;
}

/* For a container's HEALTHCHECK, which knows 0 and 1. */
static int
run_healthcheck(const char *path, int argc, char **argv)
{
	const struct status *s = &answers.status;
	char text[STATUS_READY_MAX];

	if (argc > 1)
		return telephonectl_fail(
		    EX_USAGE, "unexpected argument", argv[1]);
	if (ask(path, PROTO_STATUS) != EX_OK)
		return EXIT_NOT_READY;
	(void)puts(status_ready(s, text));
	return s->has_worker && s->worker.ready ? EX_OK : EXIT_NOT_READY;
}

static int
run_reload(const char *path, int argc, char **argv)
{
	return ask_plain(path, argc, argv, PROTO_RELOAD);
}

static int
run_drain(const char *path, int argc, char **argv)
{
	return ask_plain(path, argc, argv, PROTO_DRAIN);
}

static int
run_reconnect(const char *path, int argc, char **argv)
{
	return ask_plain(path, argc, argv, PROTO_RECONNECT);
}

static int
run_version(const char *path, int argc, char **argv)
{
	return ask_plain(path, argc, argv, PROTO_VERSION);
}

/* The index of a word, or -1. */
static int
find_word(const char *const *words, size_t count, const char *word)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}

static int
run_log(const char *path, int argc, char **argv)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	static const char *const processes[] = {
	    "all", "supervisor", "worker", "tokend"};
	uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame frame = {
	    .type = PROTO_LOG_LEVEL, .fd = -1, .payload = space};
	int level = argc < 2 ? -1 : find_word(levels, 4, argv[1]);
	int who = argc < 3 ? 0 : find_word(processes, 4, argv[2]);
	struct proto_log log;

	if (level == -1 || who == -1 || argc > 3)
		return telephonectl_fail(EX_USAGE,
		    "log takes a level (debug, info, warn, error) and perhaps "
		    "a process (supervisor, worker, tokend)",
		    "");
	log = (struct proto_log){
	    (enum proto_log_who)who, (enum log_level)level, false};
	frame.len = (uint32_t)proto_put_log(space, &log);
	return telephonectl_ask(path, &frame, &answers);
}

static int
run_token(const char *path, int argc, char **argv)
{
	return telephonectl_token(path, argc - 1, argv + 1);
}

static int run_help(const char *path, int argc, char **argv);

static const struct command {
	const char *name;
	const char *usage; /* what follows the name */
	const char *help;  /* lines of the second column */
	int (*run)(const char *path, int argc, char **argv);
} commands[] = {
    {"status", "[--json]", "what the running telephone does", run_status},
    {"healthcheck", "", "exit 0 when ready, else 1: for containers",
	run_healthcheck},
    {"reload", "", "read the configuration again", run_reload},
    {"requests",
	"[--follow] [--in-flight] [--status LIST] [--slow TIME]"
	" [--path PATH] [--failed] [-n N] [--json]",
	"what has ended of late, and what is in flight", telephonectl_requests},
    {"top", "[-d SECONDS] [-n FRAMES]",
	"rates, latencies, tunnels, what is slow and what failed, live",
	telephonectl_top},
    {"drain", "", "answer what is in flight, leave, and end", run_drain},
    {"reconnect", "", "the network has changed: try again at once",
	run_reconnect},
    {"log", "LEVEL [PROCESS]",
	"debug, info, warn or error, until the next reload", run_log},
    {"token", "show [--json]",
	"the token in use: where from, whose, until when", run_token},
    {"token", "check [--env FILE] [--db FILE] [--json] [--move-aside]",
	"diagnose token, secret and store, without a telephone", run_token},
    {"token", "set [--json]", "give a token, on standard input", run_token},
    {"token", "rotate [--json]",
	"change SECRET_KEY_BASE: what is done, what is next", run_token},
    {"version", "", "the version that is running", run_version},
    {"help", "", "print this", run_help},
};

/* --- the command line ----------------------------------------------------- */

#define COLUMN 18

static void
print_command(FILE *f, const struct command *c)
{
	int n = fprintf(
	    f, "  %s%s%s", c->name, c->usage[0] != '\0' ? " " : "", c->usage);

	if (n > COLUMN)
		(void)fprintf(f, "\n%*s", COLUMN + 1, "");
	else
		(void)fprintf(f, "%*s", COLUMN + 1 - n, "");
	(void)fprintf(f, "%s\n", c->help);
}

/* Of one command, or with NULL of all. */
static void
print_help(FILE *f, const char *name)
{
	const struct command *c;

	(void)fputs("usage: telephonectl [-s socket] command\n\n", f);
	for (c = commands; c < commands + UTIL_COUNT(commands); c++)
		if (name == NULL || strcmp(name, c->name) == 0)
			print_command(f, c);
	(void)fputs(
	    "\nThe socket: -s, else $CONTROL_SOCKET, else the default of\n"
	    "telephone.conf(5).\n",
	    f);
}

static int
run_help(const char *path, int argc, char **argv)
{
	(void)path;
	(void)argc;
	(void)argv;
	print_help(stdout, NULL);
	return EX_OK;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* What could not be written was not said. A probe's answer is its exit code,
 * whatever became of the word beside it. */
static int
finish(const struct command *c, int code)
{
	if (c->run == run_healthcheck)
		return code;
	if (fflush(stdout) == EOF)
		return telephonectl_fail(
		    EX_IOERR, "standard output", strerror(errno));
	if (ferror(stdout))
		return telephonectl_fail(
		    EX_IOERR, "standard output", "it cannot be written");
	return code;
}

static int
run(const char *path, int argc, char **argv)
{
	const struct command *c;

	for (c = commands; c < commands + UTIL_COUNT(commands); c++) {
		if (strcmp(argv[0], c->name) != 0)
			continue;
		if (!is_help(argv[argc - 1]))
			return finish(c, c->run(path, argc, argv));
		print_help(stdout, c->name);
		return finish(c, EX_OK);
	}
	return telephonectl_fail(
	    EX_USAGE, "no such command (see telephonectl help)", argv[0]);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	static char word[] = "help", *help[] = {word, NULL};
	char path[1024];
	int c;

	/* Not to be written to: what was to go there is a fault, not lost. */
	if (util_fill_stdio(O_RDONLY) == -1)
		return EX_OSERR;
	telephonectl_socket(path, sizeof(path));
	/* "+": the command's own options are the command's. */
	while ((c = getopt_long(argc, argv, "+s:hV", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			(void)util_strlcpy(path, optarg, sizeof(path));
			break;
		case 'h':
			return run(path, 1, help);
		case 'V':
			(void)printf("telephonectl %s\n", version);
			return finish(commands, EX_OK);
		default:
			return telephonectl_fail(
			    EX_USAGE, "see telephonectl help", "");
		}
	}
	if (optind == argc) {
		print_help(stderr, NULL);
		return EX_USAGE;
	}
	return run(path, argc - optind, argv + optind);
}
