/* SPDX-License-Identifier: MIT */
/*
 * IP addresses and blocks of them (RFC 4632, RFC 4291 §2.3), as ALLOW_CLIENTS
 * lists them:
 *
 *	192.0.2.0/24, 2001:db8::/32, 198.51.100.7
 *
 * An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is that IPv4 address, and no
 * block of IPv6 shorter than ::ffff:0:0/96 covers an IPv4 address. Pure.
 */
#ifndef COMMON_CIDR_H
#define COMMON_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIDR_LIST_MAX 256

struct cidr_addr {
	uint8_t byte[16]; /* an IPv4 address stands here as ::ffff:a.b.c.d */
};

struct cidr {
	struct cidr_addr addr;
	unsigned bits; /* of the 128 */
	bool v4;
};

struct cidr_list {
	size_t count;
	struct cidr item[CIDR_LIST_MAX];
};

/* An address in the forms of inet_pton(3). False: it is none. */
bool cidr_addr_parse(struct cidr_addr *, const char *text);

bool cidr_addr_is_v4(const struct cidr_addr *);

/* NULL, or what is wrong. A block with bits beyond its prefix is refused: one
 * of the two is a slip. */
const char *cidr_list_parse(struct cidr_list *, const char *text);

bool cidr_list_has(const struct cidr_list *, const struct cidr_addr *);

#endif
