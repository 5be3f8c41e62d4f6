/* SPDX-License-Identifier: MIT */
/* getopt_long(3) on the options of telephone(8). */
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

enum {
	OPT_ENV = 256,
	OPT_LEVEL,
	OPT_FORMAT
};

static const struct option longs[] = {
    {"configtest", no_argument, NULL, 'n'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"file", required_argument, NULL, 'f'},
    {"verbose", no_argument, NULL, 'v'},
    {"env", required_argument, NULL, OPT_ENV},
    {"log-level", required_argument, NULL, OPT_LEVEL},
    {"log-format", required_argument, NULL, OPT_FORMAT},
    {NULL, 0, NULL, 0},
};

const char options_help[] =
    "usage: telephone [-nVhv] [-f file] [--log-level level] "
    "[--log-format format]\n"
    "\n"
    "  -f, --file FILE        configuration file (KEY=value lines)\n"
    "      --env FILE         the same, as older versions spell it\n"
    "  -n, --configtest       check the configuration and leave\n"
    "  -v, --verbose          the same as --log-level debug\n"
    "      --log-level LEVEL  debug, info, warn or error\n"
    "      --log-format FMT   text or json\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "Without -f: ./.env when not started by root, else\n"
    "/etc/telephone/telephone.conf; the environment overrides the file.\n"
    "See telephone(8) and telephone.conf(5).\n";

static enum options_action
usage(const char *argv0)
{
	(void)fprintf(stderr, "%s: see `%s --help`\n", argv0, argv0);
	return OPTIONS_USAGE;
}

/* An unset variable in a script, and not the wish for no file at all. */
static bool
is_empty(const char *file)
{
	return file != NULL && file[0] == '\0';
}

enum options_action
options_parse(struct options *o, int argc, char **argv)
{
	enum options_action action = OPTIONS_RUN;
	const char *env = NULL;
	int c;

	memset(o, 0, sizeof(*o));
	optind = 0; /* from the start, also when called again */
	while ((c = getopt_long(argc, argv, "nVhvf:", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			action = OPTIONS_CHECK;
			break;
		case 'V':
			return OPTIONS_VERSION;
		case 'h':
			return OPTIONS_HELP;
		case 'v':
			o->log_level = "debug";
			break;
		case 'f':
			o->file = optarg;
			break;
		case OPT_ENV:
			env = optarg;
			break;
		case OPT_LEVEL:
			o->log_level = optarg;
			break;
		case OPT_FORMAT:
			o->log_format = optarg;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "%s: unexpected argument: %s\n", argv[0],
		    argv[optind]);
		return usage(argv[0]);
	}
	if (is_empty(o->file) || is_empty(env)) {
		(void)fprintf(stderr, "%s: an empty file name\n", argv[0]);
		return usage(argv[0]);
	}
	if (o->file == NULL)
		o->file = env;
	return action;
}
