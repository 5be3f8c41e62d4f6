/* SPDX-License-Identifier: MIT */
/*
 * One exchange as one line of a table, for `telephonectl requests` and `top`:
 *
 *	TIME     METHOD STAT   TOOK   SIZE NOTE             PATH
 *	12:00:01 GET    502   1.2ms     34 backend_cut      /api/v1/o…ers/42
 *
 * TIME is when it began, by the clock of whoever looks; SIZE is what the
 * application sent; NOTE is the cause of a failure, or where one that runs is.
 * Pure, but for the locale and the time zone.
 */
#ifndef SUPERVISOR_TELEPHONECTL_ROW_H
#define SUPERVISOR_TELEPHONECTL_ROW_H

#include <stddef.h>

#include "exchange.h"
#include "telephonectl_text.h"

/* Narrower ones lack the last columns. */
#define ROW_WIDTH_MIN 20
#define ROW_WIDTH_MAX 500
#define ROW_SIZE TEXT_SIZE(ROW_WIDTH_MAX)

/* At most so many columns, no newline, nothing behind the last letter. */
void row_head(char *dst, size_t size, unsigned width);
void row_put(char *dst, size_t size, const struct exchange *, unsigned width);

#endif
