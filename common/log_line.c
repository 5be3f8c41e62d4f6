/* SPDX-License-Identifier: MIT */
/*
 * Lines are built and written without allocation or locks: log_async() comes
 * by here from a signal handler.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_line.h"
#include "util.h"

static bool journal, torn; /* torn: the last line was taken in part */
static uint64_t dropped, told;

bool
log_line_put(struct log_line *l, const char *s, size_t len, size_t max)
{
	if (l->len > max || len > max - l->len)
		return false;
	memcpy(l->data + l->len, s, len);
	l->len += len;
	return true;
}

void
log_line_puts(struct log_line *l, const char *s)
{
	log_line_put(l, s, strlen(s), LOG_LINE_MAX);
}

/* --- what may stand in a line --------------------------------------------- */

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
escape(char esc[8], const unsigned char *s, enum log_format format)
{
	size_t n = plain_len(s);

	if (format == LOG_FORMAT_TEXT) {
		if (n == 0)
			(void)snprintf(esc, 8, "\\x%02x", s[0]);
		return n == 0;
	}
	if (n == 1 && (s[0] == '"' || s[0] == '\\'))
		(void)snprintf(esc, 8, "\\%c", s[0]);
	else if (n == 0 && s[0] < 0x80)
		(void)snprintf(esc, 8, "\\u%04x", s[0]);
	else if (n == 0) /* JSON has no bytes: the replacement character */
		(void)snprintf(esc, 8, "\\ufffd");
	else
		return 0;
	return 1;
}

bool
log_line_escape(
    struct log_line *l, enum log_format format, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	char esc[8];
	size_t n;

	while (*s != '\0') {
		n = escape(esc, s, format);
		if (n > 0) {
			if (!log_line_put(l, esc, strlen(esc), max))
				return false;
		} else {
			n = plain_len(s);
			if (!log_line_put(l, (const char *)s, n, max))
				return false;
		}
		s += n;
	}
	return true;
}

/* --- numbers -------------------------------------------------------------- */

void
log_line_int(struct log_line *l, int64_t v, int digits)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0 || (int)(sizeof(text) - at) < digits);
	log_line_put(l, text + at, sizeof(text) - at, LOG_LINE_MAX);
}

/* The proleptic Gregorian calendar, by eras of 400 years from March on. */
static void
put_date(struct log_line *l, int64_t days)
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
	log_line_int(l, year, 4);
	log_line_puts(l, "-");
	log_line_int(l, month < 10 ? month + 3 : month - 9, 2);
	log_line_puts(l, "-");
	log_line_int(l, day + 1, 2);
}

void
log_line_stamp(struct log_line *l, int64_t ms)
{
	int64_t s = ms / 1000;

	put_date(l, s / 86400);
	log_line_puts(l, "T");
	log_line_int(l, s % 86400 / 3600, 2);
	log_line_puts(l, ":");
	log_line_int(l, s % 3600 / 60, 2);
	log_line_puts(l, ":");
	log_line_int(l, s % 60, 2);
	log_line_puts(l, ".");
	log_line_int(l, ms % 1000, 3);
	log_line_puts(l, "Z");
}

/* --- fields --------------------------------------------------------------- */

static bool
is_set(const struct log_field *f)
{
	return f->type == LOG_FIELD_TEXT ? f->text != NULL : f->num >= 0;
}

/* Whether logfmt wants quotes around it. */
static bool
wants_quotes(const char *text)
{
	return text[0] == '\0' || strpbrk(text, " \"=\\") != NULL;
}

static bool
put_text(
    struct log_line *l, enum log_format format, const char *text, size_t max)
{
	bool quotes = format == LOG_FORMAT_JSON || wants_quotes(text);
	/* Within quotes text has JSON's escapes: one rule for readers. */
	enum log_format manner = quotes ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;

	if (quotes && !log_line_put(l, "\"", 1, max))
		return false;
	if (!log_line_escape(l, manner, text, max))
		return false;
	return !quotes || log_line_put(l, "\"", 1, max);
}

static bool
put_field(struct log_line *l, enum log_format format, const struct log_field *f,
    size_t max)
{
	bool json = format == LOG_FORMAT_JSON;
	char num[48];

	if (!log_line_put(l, json ? ",\"" : " ", json ? 2 : 1, max) ||
	    !log_line_put(l, f->key, strlen(f->key), max) ||
	    !log_line_put(l, json ? "\":" : "=", json ? 2 : 1, max))
		return false;
	if (f->type == LOG_FIELD_TEXT)
		return put_text(l, format, f->text, max);
	if (f->type == LOG_FIELD_INT)
		(void)util_fmt(num, sizeof(num), "%lld", (long long)f->num);
	else
		(void)util_fmt(num, sizeof(num), "%lld.%03d",
		    (long long)(f->num / 1000), (int)(f->num % 1000));
	return log_line_put(l, num, strlen(num), max);
}

void
log_line_fields(struct log_line *l, enum log_format format,
    const struct log_field *fields, size_t count, size_t max)
{
	size_t i, before;

	for (i = 0; i < count; i++) {
		before = l->len;
		if (is_set(&fields[i]) &&
		    !put_field(l, format, &fields[i], max))
			l->len = before;
	}
}

/* --- out ------------------------------------------------------------------ */

void
log_set_journal(bool on)
{
	journal = on;
}

uint64_t
log_dropped(void)
{
	return dropped;
}

/* sd-daemon(3): the journal takes the level from here. */
static const char *
priority(enum log_level level)
{
	static const char *const p[] = {"<7>", "<6>", "<4>", "<3>"};

	return journal ? p[level] : "";
}

void
log_own_stream(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) == -1 ||
	    (!S_ISFIFO(st.st_mode) && isatty(STDERR_FILENO) == 0))
		return;
	fd = open(
	    "/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return;
	(void)dup2(fd, STDERR_FILENO);
	(void)close(fd);
}

/*
 * False: not now, or not all of it. Where log_own_stream() could not make the
 * descriptor our own it is shared with the supervisor's parent, and O_NONBLOCK
 * not ours to set: a pipe that poll calls writable has a free page, a socket
 * three quarters of its buffer, and a line is half a page. (Of two processes
 * that find the same last page, one waits until the reader takes the next.)
 */
static bool
emit(const char *data, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t n;

	if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
		return false;
	do
		n = write(STDERR_FILENO, data, len);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		torn = (size_t)n < len;
	return n == (ssize_t)len;
}

static void
tell_dropped(void)
{
	struct log_line l = {.len = 0};

	/* What was torn counts as dropped, and is ended here. */
	log_line_puts(&l, torn ? "\n" : "");
	log_line_puts(&l, priority(LOG_LEVEL_WARN));
	log_head(&l, LOG_LEVEL_WARN);
	log_line_int(&l, (int64_t)(dropped - told), 1);
	log_line_puts(&l,
	    " lines of the log were dropped: whoever reads it is "
	    "slower than they come");
	log_tail(&l);
	if (emit(l.data, l.len))
		told = dropped;
}

void
log_line_write(const struct log_line *line, enum log_level level)
{
	const char *prefix = priority(level);
	char whole[LOG_LINE_MAX + 4];
	size_t len = strlen(prefix);

	if (dropped > told)
		tell_dropped();
	memcpy(whole, prefix, len);
	memcpy(whole + len, line->data, line->len);
	if (dropped > told || !emit(whole, len + line->len))
		dropped++;
}
