/* SPDX-License-Identifier: MIT */
/*
 * Pins of public keys, as RFC 7469 §2.4 has them: the base64 of the SHA-256
 * of a SubjectPublicKeyInfo. Several are separated by commas. Pure.
 */
#ifndef COMMON_PIN_H
#define COMMON_PIN_H

#include <stddef.h>
#include <stdint.h>

#define PIN_LEN 32
#define PIN_MAX 16 /* in one list */

/* Takes a list apart: how many there are, or -1: it is no list of pins, or of
 * more than PIN_MAX. An empty list is none. White space around a pin, and
 * "sha256/" or "sha256//" before it, are tolerated. */
int pin_parse(uint8_t pins[PIN_MAX][PIN_LEN], const char *list);

#endif
