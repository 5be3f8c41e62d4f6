/* SPDX-License-Identifier: MIT */
/* The cursor coding of pack.h. */
#include <string.h>

#include "pack.h"

void
pack_init(struct pack *p, uint8_t *data, size_t cap)
{
	p->data = data;
	p->len = 0;
	p->cap = cap;
	p->failed = false;
}

static void
put(struct pack *p, const void *data, size_t len)
{
	if (p->failed || len > p->cap - p->len) {
		p->failed = true;
		return;
	}
	if (len > 0)
		memcpy(p->data + p->len, data, len);
	p->len += len;
}

/* Little endian, whatever the machine is. */
static void
put_number(struct pack *p, uint64_t v, size_t width)
{
	uint8_t bytes[8];
	size_t i;

	for (i = 0; i < width; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	put(p, bytes, width);
}

void
pack_u8(struct pack *p, uint8_t v)
{
	put_number(p, v, 1);
}

void
pack_u16(struct pack *p, uint16_t v)
{
	put_number(p, v, 2);
}

void
pack_u32(struct pack *p, uint32_t v)
{
	put_number(p, v, 4);
}

void
pack_u64(struct pack *p, uint64_t v)
{
	put_number(p, v, 8);
}

void
pack_i64(struct pack *p, int64_t v)
{
	put_number(p, (uint64_t)v, 8);
}

void
pack_bytes(struct pack *p, const void *data, size_t len)
{
	if (len > UINT32_MAX) {
		p->failed = true;
		return;
	}
	pack_u32(p, (uint32_t)len);
	put(p, data, len);
}

void
pack_str(struct pack *p, const char *s)
{
	pack_bytes(p, s, s == NULL ? 0 : strlen(s));
}

bool
pack_ok(const struct pack *p)
{
	return !p->failed;
}

void
unpack_init(struct unpack *u, const uint8_t *data, size_t len)
{
	u->data = data;
	u->len = len;
	u->failed = false;
}

/* The next len bytes, or NULL and nothing more is read. */
static const uint8_t *
take(struct unpack *u, size_t len)
{
	const uint8_t *at = u->data;

	if (u->failed || len > u->len) {
		u->failed = true;
		return NULL;
	}
	u->data += len;
	u->len -= len;
	return at;
}

static uint64_t
take_number(struct unpack *u, size_t width)
{
	const uint8_t *at = take(u, width);
	uint64_t v = 0;
	size_t i;

	for (i = 0; at != NULL && i < width; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

uint8_t
unpack_u8(struct unpack *u)
{
	return (uint8_t)take_number(u, 1);
}

uint16_t
unpack_u16(struct unpack *u)
{
	return (uint16_t)take_number(u, 2);
}

uint32_t
unpack_u32(struct unpack *u)
{
	return (uint32_t)take_number(u, 4);
}

uint64_t
unpack_u64(struct unpack *u)
{
	return take_number(u, 8);
}

int64_t
unpack_i64(struct unpack *u)
{
	return (int64_t)take_number(u, 8);
}

size_t
unpack_bytes(struct unpack *u, const uint8_t **data)
{
	size_t len = unpack_u32(u);

	*data = take(u, len);
	return u->failed ? 0 : len;
}

void
unpack_str(struct unpack *u, char *dst, size_t size)
{
	const uint8_t *data;
	size_t len = unpack_bytes(u, &data);

	if (len >= size || (len > 0 && memchr(data, 0, len) != NULL)) {
		u->failed = true;
		len = 0;
	}
	if (len > 0)
		memcpy(dst, data, len);
	dst[len] = '\0';
}

bool
unpack_done(const struct unpack *u)
{
	return !u->failed && u->len == 0;
}
