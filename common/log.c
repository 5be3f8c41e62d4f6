/* SPDX-License-Identifier: MIT */
/*
 * The voice of log.h: builds a line on the stack and hands it to write(2)
 * whole, so that lines of several processes on one descriptor do not mix.
 * Allocates nothing: the last words of a process out of memory come through.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "log_line.h"
#include "util.h"

/* Kept free behind the message for the cut mark, the errno text and the end
 * of the line. */
#define LOG_TAIL 192
#define LOG_CUT "..."
/* Where the message of a record is cut, so that its fields have room. */
#define LOG_RECORD_TEXT_MAX 700

static const char *log_proc = "telephone";
static enum log_level log_level = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

void
log_init(const char *proc, enum log_level level, enum log_format format)
{
	log_proc = proc;
	log_level = level;
	log_format = format;
	tzset(); /* else strftime of others opens files, in the sandbox */
}

void
log_set_level(enum log_level level)
{
	log_level = level;
}

void
log_set_format(enum log_format format)
{
	log_format = format;
}

enum log_level
log_get_level(void)
{
	return log_level;
}

/* The head of a line, up to its message. */
void
log_head(struct log_line *l, enum log_level level)
{
	bool json = log_format == LOG_FORMAT_JSON;

	log_line_puts(l, json ? "{\"ts\":\"" : "");
	log_line_stamp(l, util_wall_ms());
	log_line_puts(l, json ? "\",\"level\":\"" : " ");
	log_line_puts(l, level_names[level]);
	log_line_puts(l, json ? "\",\"proc\":\"" : " ");
	(void)log_line_escape(l, log_format, log_proc, LOG_LINE_MAX / 4);
	log_line_puts(l, json ? "\",\"msg\":\"" : ": ");
}

void
log_tail(struct log_line *l)
{
	log_line_puts(l, log_format == LOG_FORMAT_JSON ? "\"}\n" : "\n");
}

struct manner {
	enum log_level level;
	int error;	   /* the errno to name, or 0 for none */
	const char *audit; /* event of the audit log, or NULL */
	const char *event; /* of a record, or NULL */
	const struct log_field *fields;
	size_t field_count;
};

/* What stands between the process and the message. */
static void
put_kind(struct log_line *l, const struct manner *how)
{
	if (log_format == LOG_FORMAT_TEXT) {
		if (how->audit != NULL) {
			log_line_puts(l, "audit: ");
			log_line_puts(l, how->audit);
			log_line_puts(l, ": ");
		}
		return;
	}
	if (how->audit == NULL && how->event == NULL)
		return;
	l->len -= strlen("\"msg\":\"");
	if (how->audit != NULL)
		log_line_puts(l, "\"category\":\"audit\",");
	log_line_puts(l, "\"event\":\"");
	log_line_puts(l, how->audit != NULL ? how->audit : how->event);
	log_line_puts(l, "\",\"msg\":\"");
}

static void
put_end(struct log_line *l, const struct manner *how)
{
	bool json = log_format == LOG_FORMAT_JSON;

	if (how->error != 0) {
		log_line_puts(l, ": ");
		(void)log_line_escape(
		    l, log_format, strerror(how->error), LOG_LINE_MAX - 4);
	}
	if (how->field_count == 0) {
		log_tail(l);
		return;
	}
	log_line_puts(l, json ? "\"" : ";");
	log_line_fields(
	    l, log_format, how->fields, how->field_count, LOG_LINE_MAX - 4);
	log_line_puts(l, json ? "}\n" : "\n");
}

static void __attribute__((format(printf, 2, 0)))
say_so(const struct manner *how, const char *fmt, va_list ap)
{
	/* The fields of a record come first: they are bounded, it is not. */
	size_t max = how->field_count > 0 ? LOG_RECORD_TEXT_MAX
					  : LOG_LINE_MAX - LOG_TAIL;
	char msg[LOG_LINE_MAX];
	struct log_line l;
	int saved = errno, n;

	if (how->level < log_level && how->audit == NULL)
		return;
	l.len = 0;
	log_head(&l, how->level);
	put_kind(&l, how);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	if (n < 0)
		util_strlcpy(
		    msg, "(a message that cannot be formatted)", sizeof(msg));
	/* What vsnprintf cuts is longer than what the line takes. */
	if (!log_line_escape(&l, log_format, msg, max))
		log_line_puts(&l, LOG_CUT);
	put_end(&l, how);
	log_line_write(&l, how->level);
	errno = saved;
}

static void __attribute__((format(printf, 3, 0)))
say(enum log_level level, int error, const char *fmt, va_list ap)
{
	struct manner how = {.level = level, .error = error};

	say_so(&how, fmt, ap);
}

void
log_audit(enum log_level level, const char *event, const char *fmt, ...)
{
	struct manner how = {.level = level, .audit = event};
	va_list ap;

	va_start(ap, fmt);
	say_so(&how, fmt, ap);
	va_end(ap);
}

void
log_record(const struct log_record *r, const char *fmt, ...)
{
	struct manner how = {
	    .level = r->level,
	    .event = r->event,
	    .fields = r->fields,
	    .field_count = r->field_count,
	};
	va_list ap;

	va_start(ap, fmt);
	say_so(&how, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_WARN, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_WARN, 0, fmt, ap);
	va_end(ap);
}

void
log_errorx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_ERROR, errno, fmt, ap);
	va_end(ap);
	exit(EX_OSERR);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
	exit(EX_SOFTWARE);
}

void
log_exit(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
	exit(code);
}

/* --- from a signal handler ------------------------------------------------ */

void
log_async(enum log_level level, const char *proc, const char *what,
    const char *name, int number)
{
	bool json = log_format == LOG_FORMAT_JSON;
	struct log_line l = {.len = 0};

	log_line_puts(&l, json ? "{\"ts\":\"" : "");
	log_line_stamp(&l, util_wall_ms());
	log_line_puts(&l, json ? "\",\"level\":\"" : " ");
	log_line_puts(&l, level_names[level]);
	log_line_puts(&l, json ? "\",\"proc\":\"" : " ");
	log_line_puts(&l, proc);
	log_line_puts(&l, json ? "\",\"msg\":\"" : ": ");
	log_line_puts(&l, what);
	log_line_puts(&l, name);
	log_line_puts(&l, " (");
	log_line_int(&l, number < 0 ? 0 : number, 1);
	log_line_puts(&l, json ? ")\"}\n" : ")\n");
	log_line_write(&l, level);
}

const char *
log_plain(char *dst, size_t size, const char *text)
{
	struct log_line l;

	l.len = 0;
	(void)log_line_escape(&l, LOG_FORMAT_TEXT, text,
	    size - 1 < LOG_LINE_MAX ? size - 1 : LOG_LINE_MAX);
	memcpy(dst, l.data, l.len);
	dst[l.len] = '\0';
	return dst;
}

const char *
log_stamp(char space[LOG_STAMP_MAX], int64_t wall_ms)
{
	struct log_line l = {.len = 0};

	log_line_stamp(&l, wall_ms < 0 ? 0 : wall_ms);
	memcpy(space, l.data, l.len);
	space[l.len] = '\0';
	return space;
}
