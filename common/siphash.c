/* SPDX-License-Identifier: MIT */
#include "siphash.h"

static uint64_t
load(const uint8_t *p, size_t len)
{
	uint64_t n = 0;

	while (len > 0)
		n = n << 8 | p[--len];
	return n;
}

static uint64_t
rotate(uint64_t n, unsigned by)
{
	return n << by | n >> (64 - by);
}

static void
rounds(uint64_t *v, unsigned count)
{
	while (count-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void
absorb(uint64_t *v, uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t len)
{
	uint64_t k0 = load(key, 8), k1 = load(key + 8, 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
	    k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; data += 8, len -= 8)
		absorb(v, load(data, 8));
	absorb(v, last | load(data, len));
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
