/* SPDX-License-Identifier: MIT */
/*
 * Cursor coding of IPC payloads: integers little endian of fixed width,
 * strings and bytes with a u32 length in front. Writing goes to a fixed
 * array, reading from one; both remember the first failure, so that a whole
 * message is coded first and checked once (pack_ok, unpack_done).
 */
#ifndef COMMON_PACK_H
#define COMMON_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack {
	uint8_t *data;
	size_t len;
	size_t cap;
	bool failed;
};

void pack_init(struct pack *, uint8_t *data, size_t cap);
void pack_u8(struct pack *, uint8_t);
void pack_u16(struct pack *, uint16_t);
void pack_u32(struct pack *, uint32_t);
void pack_u64(struct pack *, uint64_t);
void pack_i64(struct pack *, int64_t);
void pack_bytes(struct pack *, const void *data, size_t len);
void pack_str(struct pack *, const char *s); /* NULL is the empty string */
bool pack_ok(const struct pack *);

struct unpack {
	const uint8_t *data;
	size_t len; /* bytes not yet read */
	bool failed;
};

void unpack_init(struct unpack *, const uint8_t *data, size_t len);
uint8_t unpack_u8(struct unpack *);
uint16_t unpack_u16(struct unpack *);
uint32_t unpack_u32(struct unpack *);
uint64_t unpack_u64(struct unpack *);
int64_t unpack_i64(struct unpack *);

/* Points *data into the payload and returns the length; 0 after a failure. */
size_t unpack_bytes(struct unpack *, const uint8_t **data);

/* Copies a string and terminates it. Too long for size, or a NUL inside it,
 * is a failure; dst is then the empty string. */
void unpack_str(struct unpack *, char *dst, size_t size);

/* True when nothing failed and every byte was read. */
bool unpack_done(const struct unpack *);

#endif
