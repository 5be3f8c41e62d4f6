/* SPDX-License-Identifier: MIT */
/* Base64 as ws_frame carries it: RFC 4648 §4, padded, one line. Pure. */
#ifndef WORKER_WS_BASE64_H
#define WORKER_WS_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* How many characters len bytes become. */
#define WS_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes WS_BASE64_LEN(len) characters. */
void ws_base64_encode(const uint8_t *in, size_t len, uint8_t *out);

/* Decodes where the text stands. False for anything that an encoder would not
 * have written: other characters, missing padding, left-over bits; the text
 * is of no use then. */
bool ws_base64_decode(struct json_str *);

#endif
