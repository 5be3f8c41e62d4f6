/* SPDX-License-Identifier: MIT */
/*
 * One line of speech per event, to standard error. Six verbs, as in OpenBGPD.
 * Every process calls log_init() first; the supervisor hands descriptor 2 on.
 * Control characters in a message are escaped (\xNN), so that nobody outside
 * can forge a line. Never pass a token, a secret, a cookie or a query string.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
};

enum log_format {
	LOG_FORMAT_TEXT, /* 2026-01-02T03:04:05.678Z info worker: message */
	LOG_FORMAT_JSON, /* {"ts":…,"level":…,"proc":…,"msg":…} */
};

/* Names this process in each line; `proc` must outlive all logging. */
void log_init(const char *proc, enum log_level, enum log_format);
void log_set_level(enum log_level);
void log_set_format(enum log_format);
enum log_level log_get_level(void);

#define LOG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/*
 * The w forms append ": strerror(errno)", the x forms do not.
 * fatal and fatalx log at level error and leave with EX_OSERR (71) or
 * EX_SOFTWARE (70); log_exit leaves with the sysexits code given. errno is
 * preserved by all that return.
 */
void log_debug(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_info(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_warn(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_warnx(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_errorx(const char *fmt, ...) LOG_PRINTF(1, 2);
void fatal(const char *fmt, ...) LOG_PRINTF(1, 2) __attribute__((noreturn));
void fatalx(const char *fmt, ...) LOG_PRINTF(1, 2) __attribute__((noreturn));
void log_exit(int code, const char *fmt, ...) LOG_PRINTF(2, 3)
    __attribute__((noreturn));

/*
 * A record: an event with a stable name and fields of stable keys, for
 * programs, beside the message for people. In text "… message; key=value …"
 * (logfmt: values with spaces, quotes, = or a backslash stand in quotes, with
 * JSON's escapes), in JSON the members "event", "msg" and one for each field.
 */
enum log_field_type {
	LOG_FIELD_TEXT, /* NULL: not set, the field is left out */
	LOG_FIELD_INT,	/* < 0: not set */
	LOG_FIELD_MS,	/* microseconds, written as ms with a fraction */
};
struct log_field {
	const char *key;
	enum log_field_type type;
	const char *text;
	int64_t num;
};
struct log_record {
	enum log_level level;
	const char *event;
	const struct log_field *fields;
	size_t field_count;
};
void
log_record(const struct log_record *, const char *fmt, ...) LOG_PRINTF(2, 3);

/* Standard error is the journal: each line begins with its priority
 * (sd-daemon(3)). */
void log_set_journal(bool);

/*
 * Once, by the supervisor before its children are born: a terminal or a pipe at
 * standard error is opened anew and without blocking, for it and for them; the
 * parent's own description stays as it was. A terminal that poll(2) calls
 * writable may have room for a part of a line only, and the rest would wait for
 * whoever reads it. Where it cannot be opened (another user's) all stays as it
 * is. Never a file: a second description has an offset of its own.
 */
void log_own_stream(void);

/* Lines of this process that were dropped because nobody read them in time. */
uint64_t log_dropped(void);

/*
 * The text as a line of the log would have it, for a terminal: what is a
 * control character, or no UTF-8, stands there as \xNN. Cut at size; dst.
 */
const char *log_plain(char *dst, size_t size, const char *text);
/* Of an identifier or a short text, whole. */
#define LOG_PLAIN_MAX 2048

/* A time by the wall clock in RFC 3339, as it stands in each line: UTC, with
 * milliseconds. */
#define LOG_STAMP_MAX 32
const char *log_stamp(char space[LOG_STAMP_MAX], int64_t wall_ms);

/*
 * A line from a signal handler: "proc: what name (number)". Neither allocates
 * nor formats by stdio.
 */
void log_async(enum log_level, const char *proc, const char *what,
    const char *name, int number);

/*
 * The audit log: what happens to credentials, one line an event, whatever
 * LOG_LEVEL is. In text "… info tokend: audit: EVENT: …", in JSON with the
 * members "category":"audit" and "event":EVENT.
 */
void log_audit(enum log_level, const char *event, const char *fmt, ...)
    LOG_PRINTF(3, 4);

#endif
