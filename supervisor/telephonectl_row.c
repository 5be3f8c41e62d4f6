/* SPDX-License-Identifier: MIT */
/* The columns of telephonectl_row.h. */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "telephonectl_row.h"
#include "util.h"

enum {
	TIME,
	METHOD,
	STATUS,
	TOOK,
	AMOUNT,
	NOTE,
	PATH,
	COLUMNS
};

static const struct {
	const char *name;
	unsigned width;
	bool right;
} columns[COLUMNS] = {
    [TIME] = {"TIME", 8, false},
    [METHOD] = {"METHOD", 6, false},
    [STATUS] = {"STAT", 4, true},
    [TOOK] = {"TOOK", 6, true},
    [AMOUNT] = {"SIZE", 5, true},
    [NOTE] = {"NOTE", 16, false},
    [PATH] = {"PATH", 0, false}, /* what is left */
};

struct line {
	char *dst;
	size_t size, len;
	unsigned left; /* columns */
};

static void
put_spaces(struct line *l, unsigned n)
{
	while (n-- > 0 && l->left > 0 && l->len + 1 < l->size) {
		l->dst[l->len++] = ' ';
		l->left--;
	}
	l->dst[l->len] = '\0';
}

static void
put_cell(struct line *l, int column, const char *text)
{
	char cell[TEXT_SIZE(ROW_WIDTH_MAX)];
	unsigned width = columns[column].width, used;
	size_t len;

	if (l->len > 0)
		put_spaces(l, 1);
	if (width == 0 || width > l->left)
		width = l->left;
	used = text_fit(cell, sizeof(cell), text, width,
	    column == PATH ? TEXT_CUT_MIDDLE : TEXT_CUT_END);
	if (columns[column].right)
		put_spaces(l, width - used);
	len = strlen(cell);
	if (len >= l->size - l->len)
		return;
	memcpy(l->dst + l->len, cell, len + 1);
	l->len += len;
	l->left -= used;
	if (!columns[column].right && column != PATH)
		put_spaces(l, width - used);
}

static struct line
begin(char *dst, size_t size, unsigned width)
{
	struct line l = {dst, size, 0, width};

	if (l.left > ROW_WIDTH_MAX)
		l.left = ROW_WIDTH_MAX;
	dst[0] = '\0';
	return l;
}

static void
end(struct line *l)
{
	while (l->len > 0 && l->dst[l->len - 1] == ' ')
		l->dst[--l->len] = '\0';
}

void
row_head(char *dst, size_t size, unsigned width)
{
	struct line l = begin(dst, size, width);
	int i;

	for (i = 0; i < COLUMNS; i++)
		put_cell(&l, i, columns[i].name);
	end(&l);
}

static void
put_time(char *dst, size_t size, int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (localtime_r(&s, &tm) == NULL ||
	    strftime(dst, size, "%H:%M:%S", &tm) == 0)
		(void)util_strlcpy(dst, "?", size);
}

void
row_put(char *dst, size_t size, const struct exchange *e, unsigned width)
{
	struct line l = begin(dst, size, width);
	bool runs = e->seq == 0;
	char when[16], status[16] = "-", number[TEXT_NUMBER_MAX];

	put_time(when, sizeof(when), e->began_ms);
	if (e->status != 0)
		(void)util_fmt(status, sizeof(status), "%u", e->status);
	put_cell(&l, TIME, when);
	put_cell(&l, METHOD, e->method);
	put_cell(&l, STATUS, status);
	put_cell(&l, TOOK, text_took(number, e->took_us));
	put_cell(&l, AMOUNT, text_amount(number, (uint64_t)e->bytes_out));
	put_cell(&l, NOTE,
	    runs ? e->ws && e->phase == EXCHANGE_BODY
		    ? "open"
		    : exchange_phase_name(e->phase)
		 : e->cause);
	put_cell(&l, PATH, e->path);
	end(&l);
}
