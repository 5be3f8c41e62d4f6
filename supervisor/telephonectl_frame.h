/* SPDX-License-Identifier: MIT */
/*
 * One frame of `telephonectl top`: at most so many lines of at most so many
 * columns, whatever there is to show, and nothing in them that a terminal obeys
 * (telephonectl_text.h). Pure, but for the locale and the time zone.
 */
#ifndef SUPERVISOR_TELEPHONECTL_FRAME_H
#define SUPERVISOR_TELEPHONECTL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "exchange.h"
#include "telephonectl_model.h"
#include "telephonectl_status.h"

#define FRAME_ROWS_MAX 200
#define FRAME_COLUMNS_MAX 500

/* The longest list of a terminal as high as may be. */
#define FRAME_LIST_MAX 100

struct view {
	const struct status *status; /* NULL: none has come yet */
	const char *status_fault;    /* why there is no newer one, or NULL */
	const char *worker_fault;    /* why the worker is not seen, or NULL */
	const struct model *model;
	const struct exchange *slowest, *failures; /* in the order to show */
	unsigned slowest_count, failure_count;
	int64_t wall_ms;
	const char *help; /* the last line, or NULL */
};

struct frame {
	unsigned rows, columns;
	struct buf text; /* of all lines; no newlines in it */
	unsigned count;
	struct {
		size_t at, len; /* in text */
		bool heading;
	} line[FRAME_ROWS_MAX];
};

void frame_init(struct frame *);
void frame_clear(struct frame *);

/* Out of memory is fatal. */
void frame_render(
    struct frame *, const struct view *, unsigned rows, unsigned columns);

#endif
