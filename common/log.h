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
