/* SPDX-License-Identifier: MIT */
#ifndef QUERY_H
#define QUERY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "head.h"

/* Parameters of a query string: name=value joined by '&'.  Pure. */

/*
 * Copies the percent-decoded value of the first parameter of this name
 * into out and ends it with a NUL ('+' stays a plus, bytes may be NUL).
 * Returns its length, -1 without such a parameter, -2 when it does not
 * fit in size or is badly encoded.
 */
ssize_t query_get(struct span query, const char *name, char *out, size_t size);

/*
 * A decimal parameter of at most max.  Returns 0 with *value set, which
 * is fallback without the parameter, and -1 when it is no such number.
 */
int query_number(struct span query, const char *name, uint64_t max,
    uint64_t fallback, uint64_t *value);

/* Digits only, at most max: 0, else -1. */
int query_digits(const char *p, size_t len, uint64_t max, uint64_t *value);

/* One hexadecimal digit, or -1. */
int query_hex(char c);

#endif
