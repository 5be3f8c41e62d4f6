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
#include "util.h"

#define LOG_LINE_MAX 2048
/* Kept free behind the message for the cut mark, the errno text and the end
 * of the line. */
#define LOG_TAIL 192
#define LOG_CUT "..."

static const char *log_proc = "telephone";
static enum log_level log_level = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

struct line {
	char data[LOG_LINE_MAX];
	size_t len;
};

void
log_init(const char *proc, enum log_level level, enum log_format format)
{
	log_proc = proc;
	log_level = level;
	log_format = format;
	tzset(); /* else gmtime_r opens files, later, in the sandbox */
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

/* All of s, or nothing and false when it does not fit below max. */
static bool
put(struct line *l, const char *s, size_t len, size_t max)
{
	if (len > max - l->len)
		return false;
	memcpy(l->data + l->len, s, len);
	l->len += len;
	return true;
}

static void
put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s), LOG_LINE_MAX);
}

/*
 * Length of the UTF-8 character at s that may stand in a line as it is, 0
 * when it may not: control characters of both sets (a terminal obeys U+0080
 * to U+009F too) and what is no UTF-8 (RFC 3629).
 */
static size_t
plain_len(const unsigned char *s)
{
	static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
	uint32_t c = s[0];
	size_t i, n = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (n == 1)
		return c >= 0x20 && c < 0x7f;
	if (c > 0xf4)
		return 0;
	c &= 0x7fU >> n;
	for (i = 1; i < n; i++) {
		/* The terminating NUL ends the loop too. */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

/* Writes the escape of the character at s to esc and returns how much of s
 * it stands for; 0: none is needed. */
static size_t
escape(char esc[8], const unsigned char *s)
{
	size_t n = plain_len(s);

	if (log_format == LOG_FORMAT_TEXT) {
		if (n == 0)
			snprintf(esc, 8, "\\x%02x", s[0]);
		return n == 0;
	}
	if (n == 1 && (s[0] == '"' || s[0] == '\\'))
		snprintf(esc, 8, "\\%c", s[0]);
	else if (n == 0 && s[0] < 0x80)
		snprintf(esc, 8, "\\u%04x", s[0]);
	else if (n == 0) /* JSON has no bytes: the replacement character */
		snprintf(esc, 8, "\\ufffd");
	else
		return 0;
	return 1;
}

/* Returns false when the text had to be cut at max. */
static bool
put_escaped(struct line *l, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	char esc[8];
	size_t n;

	while (*s != '\0') {
		n = escape(esc, s);
		if (n > 0) {
			if (!put(l, esc, strlen(esc), max))
				return false;
		} else {
			n = plain_len(s);
			if (!put(l, (const char *)s, n, max))
				return false;
		}
		s += n;
	}
	return true;
}

/* event is NULL but for a line of the audit log. */
static void
put_head(struct line *l, enum log_level level, const char *event)
{
	int64_t now = util_wall_ms();
	time_t s = (time_t)(now / 1000);
	char stamp[32], ms[8];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ms, sizeof(ms), ".%03dZ", (int)(now % 1000));
	put_str(l, log_format == LOG_FORMAT_JSON ? "{\"ts\":\"" : "");
	put_str(l, stamp);
	put_str(l, ms);
	put_str(l, log_format == LOG_FORMAT_JSON ? "\",\"level\":\"" : " ");
	put_str(l, level_names[level]);
	put_str(l, log_format == LOG_FORMAT_JSON ? "\",\"proc\":\"" : " ");
	put_escaped(l, log_proc, LOG_LINE_MAX / 4);
	if (log_format == LOG_FORMAT_JSON) {
		if (event != NULL) {
			put_str(l, "\",\"category\":\"audit\",\"event\":\"");
			put_str(l, event);
		}
		put_str(l, "\",\"msg\":\"");
		return;
	}
	put_str(l, ": ");
	if (event != NULL) {
		put_str(l, "audit: ");
		put_str(l, event);
		put_str(l, ": ");
	}
}

static void
write_line(const struct line *l)
{
	ssize_t n;

	/* A full pipe or a closed descriptor loses the line: a log must not
	 * stop a loop. */
	do
		n = write(STDERR_FILENO, l->data, l->len);
	while (n == -1 && errno == EINTR);
}

struct manner {
	enum log_level level;
	int error;	   /* the errno to name, or 0 for none */
	const char *event; /* of the audit log, or NULL */
};

static void __attribute__((format(printf, 2, 0)))
say_so(struct manner how, const char *fmt, va_list ap)
{
	char msg[LOG_LINE_MAX];
	struct line l;
	int saved = errno, n;

	if (how.level < log_level && how.event == NULL)
		return;
	l.len = 0;
	put_head(&l, how.level, how.event);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	if (n < 0)
		util_strlcpy(
		    msg, "(a message that cannot be formatted)", sizeof(msg));
	/* What vsnprintf cuts is longer than what the line takes. */
	if (!put_escaped(&l, msg, LOG_LINE_MAX - LOG_TAIL))
		put_str(&l, LOG_CUT);
	if (how.error != 0) {
		put_str(&l, ": ");
		put_escaped(&l, strerror(how.error), LOG_LINE_MAX - 4);
	}
	put_str(&l, log_format == LOG_FORMAT_JSON ? "\"}\n" : "\n");
	write_line(&l);
	errno = saved;
}

static void __attribute__((format(printf, 3, 0)))
say(enum log_level level, int error, const char *fmt, va_list ap)
{
	say_so((struct manner){level, error, NULL}, fmt, ap);
}

void
log_audit(enum log_level level, const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_so((struct manner){level, 0, event}, fmt, ap);
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

static void
put_int(struct line *l, int64_t v, int digits)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
		digits--;
	} while (at > 0 && (v > 0 || digits > 0));
	(void)put(l, text + at, sizeof(text) - at, LOG_LINE_MAX);
}

/* The proleptic Gregorian calendar, in years that begin in March, so that a
 * leap day is the last one: gmtime_r takes a lock. */
static void
put_date(struct line *l, int64_t days)
{
	int64_t era, day, year, month;

	days += 719468; /* from 0000-03-01 */
	era = days / 146097;
	day = days % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	year += era * 400 + (month >= 10);
	put_int(l, year, 4);
	put_str(l, "-");
	put_int(l, month < 10 ? month + 3 : month - 9, 2);
	put_str(l, "-");
	put_int(l, day + 1, 2);
}

static void
put_stamp(struct line *l, int64_t ms)
{
	int64_t s = ms / 1000;

	put_date(l, s / 86400);
	put_str(l, "T");
	put_int(l, s % 86400 / 3600, 2);
	put_str(l, ":");
	put_int(l, s % 3600 / 60, 2);
	put_str(l, ":");
	put_int(l, s % 60, 2);
	put_str(l, ".");
	put_int(l, ms % 1000, 3);
	put_str(l, "Z");
}

void
log_async(enum log_level level, const char *proc, const char *what,
    const char *name, int number)
{
	bool json = log_format == LOG_FORMAT_JSON;
	struct line l = {.len = 0};

	put_str(&l, json ? "{\"ts\":\"" : "");
	put_stamp(&l, util_wall_ms());
	put_str(&l, json ? "\",\"level\":\"" : " ");
	put_str(&l, level_names[level]);
	put_str(&l, json ? "\",\"proc\":\"" : " ");
	put_str(&l, proc);
	put_str(&l, json ? "\",\"msg\":\"" : ": ");
	put_str(&l, what);
	put_str(&l, name);
	put_str(&l, " (");
	put_int(&l, number < 0 ? 0 : number, 1);
	put_str(&l, json ? ")\"}\n" : ")\n");
	write_line(&l);
}
