/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash for tables whose keys an
 * outsider chooses, since without the key he cannot have them collide. Pure.
 */
#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16

uint64_t
siphash(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t len);

#endif
