/* SPDX-License-Identifier: MIT */
/* What the parts of telephonectl share: one question and its answers. */
#ifndef SUPERVISOR_TELEPHONECTL_H
#define SUPERVISOR_TELEPHONECTL_H

#include <stddef.h>
#include <stdint.h>

#include "telephonectl_status.h"

struct answers {
	struct status status;
	struct proto_report report;
	bool has_report;
};

/* The socket that is meant when none is named; the supervisor's default. */
void telephonectl_socket(char *path, size_t size);

/* The descriptor, or -1 with *code set and the reason said. */
int telephonectl_connect(const char *path, int *code);

/* The same without waiting, O_NONBLOCK: says nothing, and writes why. */
int telephonectl_dial(const char *path, int *code, char *why, size_t size);

/* Asks the telephone at this socket; the question's descriptor goes along
 * (-1: none) and stays the caller's. The exit code; what went wrong was
 * said. */
int telephonectl_ask(
    const char *path, const struct ipc_frame *question, struct answers *);

/* ipc_recv(), which goes on where the kernel tells first that what was asked
 * was not read: why may stand behind that. */
int telephonectl_recv(int fd, uint8_t *space, struct ipc_frame *);

/* Takes one answer, but no TEXT. 0, or -1 when it cannot be read. */
int telephonectl_take(struct answers *, const struct ipc_frame *);

/* "telephonectl: what: more" to standard error; returns code. */
int telephonectl_fail(int code, const char *what, const char *more);

/* `telephonectl requests`: argv[0] is that word. The exit code. */
int telephonectl_requests(const char *path, int argc, char **argv);

/* `telephonectl top`. */
int telephonectl_top(const char *path, int argc, char **argv);

/* `telephonectl token …`: argv[0] is the word behind "token". The exit
 * code. */
int telephonectl_token(const char *path, int argc, char **argv);

#endif
