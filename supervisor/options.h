/* SPDX-License-Identifier: MIT */
/* The command line of telephone(8). */
#ifndef SUPERVISOR_OPTIONS_H
#define SUPERVISOR_OPTIONS_H

#include <stdbool.h>

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,	 /* -n */
	OPTIONS_VERSION, /* -V */
	OPTIONS_HELP,	 /* -h */
	OPTIONS_USAGE,	 /* wrong: said on stderr */
};

struct options {
	const char *file;	/* -f, else --env, else NULL */
	const char *log_level;	/* NULL: not given */
	const char *log_format; /* NULL: not given */
};

/* The pointers stay argv's. */
enum options_action options_parse(struct options *, int argc, char **argv);

/* What -h prints. */
extern const char options_help[];

#endif
