/* SPDX-License-Identifier: MIT */
/*
 * One line of the log under construction, on the stack, and its way out. For
 * log.c alone. What does not fit is left out whole, so that a line of JSON is
 * always an object.
 */
#ifndef COMMON_LOG_LINE_H
#define COMMON_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"

/* Below PIPE_BUF: lines of several processes on one pipe do not mix, and a
 * pipe that poll(2) calls writable takes one whole. */
#define LOG_LINE_MAX 2048

struct log_line {
	char data[LOG_LINE_MAX];
	size_t len;
};

/* All of s, or nothing and false when it does not fit below max. */
bool log_line_put(struct log_line *, const char *s, size_t len, size_t max);
void log_line_puts(struct log_line *, const char *);

/* The same without control characters and what is no UTF-8: \xNN in text, \u
 * in JSON. False when it had to be cut at max. */
bool log_line_escape(
    struct log_line *, enum log_format, const char *text, size_t max);

/* Digits without stdio: also for signal handlers. v is not negative. */
void log_line_int(struct log_line *, int64_t v, int digits);
void log_line_stamp(struct log_line *, int64_t wall_ms);

/* Each field, in the manner of the format; those that are not set and those
 * that do not fit below max are left out. */
void log_line_fields(struct log_line *, enum log_format,
    const struct log_field *, size_t count, size_t max);

/*
 * Writes it to standard error, with the priority in front when that is the
 * journal. A reader that is slow costs lines, never time: what cannot be
 * written now is dropped and counted, and the next line that can be says so.
 */
void log_line_write(const struct log_line *, enum log_level);

/* log.c: the head of a line up to its message, and what ends it. */
void log_head(struct log_line *, enum log_level);
void log_tail(struct log_line *);

#endif
