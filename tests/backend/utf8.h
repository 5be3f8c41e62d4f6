/* SPDX-License-Identifier: MIT */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is this UTF-8 (RFC 3629): complete, shortest form, no surrogate? */
bool utf8_is_valid(const uint8_t *p, size_t len);

#endif
