/* SPDX-License-Identifier: MIT */
/* The cells of telephonectl_text.h. */
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "telephonectl_text.h"
#include "util.h"

/* Longer texts are cut here, whatever the width. */
#define UNITS_MAX 1024

static bool has_utf8;

/* What stays together: a character with what combines with it, or an escape. */
struct unit {
	const char *at;
	uint8_t len;	/* in the text */
	uint8_t width;	/* on the terminal */
	bool is_escape; /* of the one byte there */
};

void
text_init(void)
{
	has_utf8 = setlocale(LC_CTYPE, "") != NULL &&
	    strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

unsigned
text_width(unsigned min, unsigned max)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long n = columns == NULL ? 0 : strtol(columns, NULL, 10);
	unsigned width;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		n = size.ws_col;
	width = n > 0 ? (unsigned)n : 80;
	return width < min ? min : width > max ? max : width;
}

/* --- units ---------------------------------------------------------------- */

/* They have no width, and turn the text around or hide in it. */
static bool
is_format(wchar_t c)
{
	return c == 0xad || c == 0x61c || c == 0x180e ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	    (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* The length of the character at s that may be shown, and its width; 0: it may
 * not. */
static size_t
shown_len(const char *s, int *width)
{
	mbstate_t state = {0};
	wchar_t c;
	size_t n;

	*width = 1;
	if ((unsigned char)*s < 0x80)
		return *s >= 0x20 && *s < 0x7f;
	if (!has_utf8)
		return 0;
	n = mbrtowc(&c, s, strlen(s), &state);
	if (n == 0 || n > 4 || is_format(c))
		return 0;
	*width = wcwidth(c);
	return *width < 0 ? 0 : n;
}

/* A character without width is shown with the one before it, few of them, and
 * never alone. */
static bool
joins(const struct unit *before, size_t len)
{
	return before != NULL && !before->is_escape && before->width > 0 &&
	    before->len + len <= 12;
}

static size_t
split(struct unit *units, const char *text)
{
	struct unit *last = NULL;
	size_t n, count = 0;
	int width;

	for (; *text != '\0' && count < UNITS_MAX; text += n) {
		n = shown_len(text, &width);
		if (n > 0 && width == 0 && joins(last, n)) {
			last->len = (uint8_t)(last->len + n);
			continue;
		}
		last = &units[count++];
		if (n == 0 || width == 0) {
			*last = (struct unit){text, 1, 4, true};
			n = 1;
		} else {
			*last = (struct unit){
			    text, (uint8_t)n, (uint8_t)width, false};
		}
	}
	return count;
}

/* --- cells ---------------------------------------------------------------- */

struct cell {
	char *dst;
	size_t size, len;
	unsigned columns;
};

static void
put(struct cell *c, const char *s, size_t len, unsigned width)
{
	if (len >= c->size - c->len)
		return;
	memcpy(c->dst + c->len, s, len);
	c->len += len;
	c->columns += width;
	c->dst[c->len] = '\0';
}

static void
put_unit(struct cell *c, const struct unit *u)
{
	char escape[8];

	if (!u->is_escape) {
		put(c, u->at, u->len, u->width);
		return;
	}
	(void)util_fmt(
	    escape, sizeof(escape), "\\x%02x", (unsigned char)u->at[0]);
	put(c, escape, 4, 4);
}

/* How many units from the start fit into width, or from the end (step -1). */
static size_t
fitting(const struct unit *units, size_t count, unsigned width, bool from_end)
{
	size_t n;

	for (n = 0; n < count; n++) {
		const struct unit *u = &units[from_end ? count - 1 - n : n];

		if (u->width > width)
			break;
		width -= u->width;
	}
	return n;
}

static void
put_cut(struct cell *c, const struct unit *units, size_t count, unsigned width,
    enum text_cut cut)
{
	const char *ellipsis = has_utf8 ? "\xe2\x80\xa6" : "~";
	unsigned tail_width;
	size_t i, head, tail = 0;

	if (width == 0)
		return;
	tail_width = cut == TEXT_CUT_MIDDLE ? (width - 1) / 2 : 0;
	head = fitting(units, count, width - 1 - tail_width, false);
	tail = fitting(units + head, count - head, tail_width, true);
	for (i = 0; i < head; i++)
		put_unit(c, &units[i]);
	put(c, ellipsis, strlen(ellipsis), 1);
	for (i = count - tail; i < count; i++)
		put_unit(c, &units[i]);
}

unsigned
text_fit(
    char *dst, size_t size, const char *text, unsigned width, enum text_cut cut)
{
	static struct unit units[UNITS_MAX];
	struct cell c = {.dst = dst, .size = size};
	size_t i, count = split(units, text);

	dst[0] = '\0';
	if (fitting(units, count, width, false) < count) {
		put_cut(&c, units, count, width, cut);
		return c.columns;
	}
	for (i = 0; i < count; i++)
		put_unit(&c, &units[i]);
	return c.columns;
}

/* --- numbers -------------------------------------------------------------- */

const char *
text_took(char space[TEXT_NUMBER_MAX], int64_t us)
{
	int64_t ms = us / 1000, s = ms / 1000;

	if (us < 0)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "-");
	else if (ms < 10)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%d.%dms", (int)ms,
		    (int)(us % 1000 / 100));
	else if (s < 1)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%dms", (int)ms);
	else if (s < 100)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%d.%ds", (int)s,
		    (int)(ms % 1000 / 100));
	else if (s < 6000)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%dm%02ds",
		    (int)(s / 60), (int)(s % 60));
	else if (s < 100 * 3600)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%dh%02dm",
		    (int)(s / 3600), (int)(s % 3600 / 60));
	else if (s / 86400 < 100000)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%dd", (int)(s / 86400));
	else
		(void)util_fmt(space, TEXT_NUMBER_MAX, "long");
	return space;
}

const char *
text_amount(char space[TEXT_NUMBER_MAX], uint64_t v)
{
	static const char units[] = "kMGTPE";
	size_t i = 0;

	if (v < 1000) {
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%" PRIu64, v);
		return space;
	}
	for (; v >= 1000000; v /= 1000)
		i++;
	if (v < 10000)
		(void)util_fmt(space, TEXT_NUMBER_MAX, "%d.%d%c",
		    (int)(v / 1000), (int)(v % 1000 / 100), units[i]);
	else
		(void)util_fmt(
		    space, TEXT_NUMBER_MAX, "%d%c", (int)(v / 1000), units[i]);
	return space;
}
