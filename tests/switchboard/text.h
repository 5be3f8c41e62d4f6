/* SPDX-License-Identifier: MIT */
/*
 * text: small pure conversions of bytes (UTF-8, base64, hex, percent, query
 * strings, digests).  Everything takes bytes and gives bytes.
 */
#ifndef SWITCHBOARD_TEXT_H
#define SWITCHBOARD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define TEXT_UUID_SIZE 37 /* with the NUL */
#define TEXT_SHA256_SIZE 65

/* RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF. */
bool text_is_utf8(const void *, size_t);
/* RFC 9110 token, not empty. */
bool text_is_token(const void *, size_t);

/* Standard base64 with padding; unbase64 is strict and returns -1. */
void text_base64(struct buf *, const void *, size_t);
int text_unbase64(const void *, size_t, struct buf *);

/* Percent-decode, `+` to space when asked; -1 on a broken escape. */
int text_percent_decode(const char *, size_t, bool plus, struct buf *);

/* Hex digits to bytes; -1 when they are not pairs of hex digits. */
int text_unhex(const char *, struct buf *);

/*
 * The decoded value of the last `key=` in a query string, for the caller to
 * free; NULL when there is none, or it is broken or holds a NUL.
 */
char *text_query_get(const char *query, const char *key);

/* A whole decimal number, -1 when it is none or does not fit. */
int text_int(const char *, int64_t *);

/* The code point as UTF-8, appended. */
void text_put_utf8(struct buf *, uint32_t cp);

void text_sha256(const void *, size_t, char out[TEXT_SHA256_SIZE]);
void text_uuid(char out[TEXT_UUID_SIZE]);
void text_lower(char *);

#endif
