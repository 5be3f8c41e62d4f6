/* SPDX-License-Identifier: MIT */
/*
 * Sealing of stored tokens, as the Go Telephone does it: AES-256-GCM, a random
 * nonce of 12 bytes in front, the tag of 16 behind, all in standard base64;
 * the key by PBKDF2-HMAC-SHA256 from SECRET_KEY_BASE as text (100000 rounds,
 * a fixed salt).
 */
#ifndef TOKEND_SEAL_H
#define TOKEND_SEAL_H

#include <stddef.h>

struct seal;

/* Longest sealed text of a token of n bytes, with its NUL. */
#define SEAL_TEXT_MAX(n) (((n) + 12 + 16 + 2) / 3 * 4 + 1)

/* NULL, or a static text: what is wrong with a SECRET_KEY_BASE. */
const char *seal_judge_secret(const char *secret);

/* Derives the key, which takes some 30 ms. Fatal when OpenSSL cannot. */
struct seal *seal_create(const char *secret);
void seal_free(struct seal *); /* wipes the key; NULL is fine */

/* Seals text into out. 0, or -1: it does not fit. */
int seal_close(struct seal *, const char *text, char *out, size_t size);

/* Opens a sealed text into out, with its NUL. 0, or -1: it is not base64, it
 * is cut or changed, or sealed with another key. */
int seal_open(struct seal *, const char *sealed, char *out, size_t size);

#endif
