/* SPDX-License-Identifier: MIT */
/* scan: the JSON checker behind json_check.  Pure; used by json only. */
#ifndef SWITCHBOARD_SCAN_H
#define SWITCHBOARD_SCAN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Check a document of valid UTF-8 (RFC 8259, no lone surrogate escapes).
 * Returns where its value begins and how long it is, NULL when it is no JSON.
 */
const char *scan_document(const void *, size_t, size_t *value_len);

/* Four hex digits as a number, -1 when they are not there. */
int32_t scan_hex4(const char *p, const char *end);

#endif
