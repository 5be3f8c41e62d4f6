/* SPDX-License-Identifier: MIT */
/*
 * The terminal while `telephonectl top` has it: the alternate screen, no echo,
 * keys as they are pressed; given back as it was however this ends. Plain ANSI
 * sequences that every terminal of today knows: a library of terminals
 * (ncurses) would bring its data base and its environment for eight of them.
 */
#ifndef SUPERVISOR_TELEPHONECTL_SCREEN_H
#define SUPERVISOR_TELEPHONECTL_SCREEN_H

#include <stdbool.h>

struct frame;

/* Whether standard input and output are one that can do this. */
bool screen_is_there(void);

/* Takes the terminal and the signals. 0, or -1 with errno. */
int screen_open(void);
void screen_close(void);

/* Readable when a signal has come: wait for it with everything else. */
int screen_signal_fd(void);

enum screen_event {
	SCREEN_NOTHING,
	SCREEN_QUIT,   /* asked to: leave with `code` */
	SCREEN_REDRAW, /* another size, or back from a stop */
};
/* What keys and signals say; a stop (Ctrl-Z) happens in here. */
enum screen_event screen_read(bool has_input, int *code);

/* At least 1; 80 and 24 when the terminal does not say. */
void screen_size(unsigned *rows, unsigned *columns);

/* Each line of the frame at its place. A terminal that takes nothing for a
 * while, or a signal, ends it early. */
void screen_draw(const struct frame *);

#endif
