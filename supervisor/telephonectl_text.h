/* SPDX-License-Identifier: MIT */
/*
 * Texts of outsiders and numbers as cells of a table on a terminal: so many
 * columns and no more, and nothing in them that a terminal obeys. What is a
 * control or format character, no UTF-8, or not ASCII where the locale is not
 * one of UTF-8, stands there as \xNN. Pure, but for the locale.
 */
#ifndef SUPERVISOR_TELEPHONECTL_TEXT_H
#define SUPERVISOR_TELEPHONECTL_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Takes the locale of the environment; without it: ASCII. */
void text_init(void);

/* The columns of standard output: those of the terminal, else COLUMNS, else
 * 80; from min to max. */
unsigned text_width(unsigned min, unsigned max);

/* A cell of so many columns needs so many bytes at most: a character and what
 * combines with it. */
#define TEXT_SIZE(columns) ((size_t)(columns)*16 + 1)

enum text_cut {
	TEXT_CUT_END,
	TEXT_CUT_MIDDLE, /* of a path both ends count */
};

/* Writes what fits into width columns, and how it goes on is an ellipsis. The
 * columns that it takes. */
unsigned text_fit(
    char *dst, size_t size, const char *text, unsigned width, enum text_cut);

/* Numbers of at most six columns: "1.2ms", "12.3s", "4m05s"; "999", "1.2k",
 * "34M". */
#define TEXT_NUMBER_MAX 16
const char *text_took(char space[TEXT_NUMBER_MAX], int64_t us);
const char *text_amount(char space[TEXT_NUMBER_MAX], uint64_t);

#endif
