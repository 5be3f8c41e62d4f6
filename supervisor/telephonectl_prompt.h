/* SPDX-License-Identifier: MIT */
/* A secret from a terminal: one line that is not shown. */
#ifndef SUPERVISOR_TELEPHONECTL_PROMPT_H
#define SUPERVISOR_TELEPHONECTL_PROMPT_H

#include <stddef.h>

/*
 * Standard input must be a terminal. Asks for it on standard error, and writes
 * at most size - 1 bytes, without the end of the line and not terminated;
 * returns how many. The terminal is as it was afterwards, also when a signal
 * ends it: then this does not return. The line may be longer than the 4095
 * bytes that a terminal would keep of it.
 */
size_t prompt_read(const char *prompt, char *text, size_t size);

#endif
