/* SPDX-License-Identifier: MIT */
/* What the parts of telephonectl share: one question and its answers. */
#ifndef SUPERVISOR_TELEPHONECTL_H
#define SUPERVISOR_TELEPHONECTL_H

#include <stdint.h>

#include "telephonectl_status.h"

struct answers {
	struct status status;
	struct proto_report report;
	bool has_report;
};

/* Asks the telephone at this socket; fd goes along (-1: none) and stays the
 * caller's. The exit code; what went wrong was said. */
int
telephonectl_ask(const char *path, uint16_t question, int fd, struct answers *);

/* "telephonectl: what: more" to standard error; returns code. */
int telephonectl_fail(int code, const char *what, const char *more);

/* `telephonectl token …`: argv[0] is the word behind "token". The exit
 * code. */
int telephonectl_token(const char *path, int argc, char **argv);

#endif
