/* SPDX-License-Identifier: MIT */
/* The base64 of RFC 4648 §4, one way: for an Authorization field. Pure. */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With padding and a NUL. False when it does not fit. */
bool base64_encode(char *dst, size_t size, const uint8_t *data, size_t len);

#endif
