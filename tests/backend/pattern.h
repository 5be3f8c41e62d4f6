/* SPDX-License-Identifier: MIT */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Content of any size that a test can compute for itself.  Each function
 * writes bytes off … off + len - 1 of a content of total bytes.  Pure.
 * None of them repeats at a power of two below 16 MiB, so that a block
 * lost, doubled or out of order shows.
 */
typedef void
pattern_fill(uint8_t *buf, size_t len, uint64_t off, uint64_t total);

/*
 * ASCII: byte i is L[i % 61], L being the 61 bytes
 * "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX\n".
 */
void pattern_ascii(uint8_t *buf, size_t len, uint64_t off, uint64_t total);

/*
 * UTF-8: byte i is byte i % 13 of the 13 bytes "aé€😀 z\n", characters of
 * 1, 2, 3, 4, 1, 1 and 1 bytes.  A character that would cross the end is
 * replaced by one '.' for each of its bytes left.
 */
void pattern_utf8(uint8_t *buf, size_t len, uint64_t off, uint64_t total);

/* Binary: byte i is (i * 7 + i / 256 + i / 65536) & 255. */
void pattern_binary(uint8_t *buf, size_t len, uint64_t off, uint64_t total);

#endif
