/* SPDX-License-Identifier: MIT */
/* The blocks of cidr.h. */
#include <arpa/inet.h>
#include <string.h>

#include "cidr.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool
cidr_addr_parse(struct cidr_addr *a, const char *text)
{
	memcpy(a->byte, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, a->byte + sizeof(mapped)) == 1 ||
	    inet_pton(AF_INET6, text, a->byte) == 1;
}

bool
cidr_addr_is_v4(const struct cidr_addr *a)
{
	return memcmp(a->byte, mapped, sizeof(mapped)) == 0;
}

/* How many of the first bits two addresses share, up to this many. */
static unsigned
shared_bits(const struct cidr_addr *a, const struct cidr_addr *b, unsigned bits)
{
	unsigned n;

	for (n = 0; n < bits; n++)
		if (((a->byte[n / 8] ^ b->byte[n / 8]) & (0x80 >> n % 8)) != 0)
			break;
	return n;
}

/* --- one block ------------------------------------------------------------ */

static const char *
parse_bits(struct cidr *c, const char *text)
{
	unsigned max = c->v4 ? 32 : 128, bits = 0;
	const char *at;

	for (at = text; *at >= '0' && *at <= '9' && bits <= max; at++)
		bits = bits * 10 + (unsigned)(*at - '0');
	if (at == text || *at != '\0' || bits > max)
		return "the number behind a \"/\" is no length of a prefix";
	c->bits = bits + (c->v4 ? 96 : 0);
	return NULL;
}

static const char *
check_rest(const struct cidr *c)
{
	struct cidr_addr prefix = c->addr;
	unsigned n;

	for (n = c->bits; n < 128; n++)
		prefix.byte[n / 8] &= (uint8_t) ~(0x80 >> n % 8);
	return shared_bits(&prefix, &c->addr, 128) == 128
	    ? NULL
	    : "an address has bits beyond the length of its prefix";
}

static const char *
parse_item(struct cidr *c, char *text)
{
	char *slash = strchr(text, '/');
	const char *fault = NULL;

	if (slash != NULL)
		*slash = '\0';
	if (!cidr_addr_parse(&c->addr, text))
		return "an item is neither an address nor a block of "
		       "addresses (192.0.2.0/24, 2001:db8::/32)";
	/* A mapped one counts its bits as IPv6, and means IPv4. */
	c->v4 = strchr(text, ':') == NULL;
	c->bits = 128;
	if (slash != NULL)
		fault = parse_bits(c, slash + 1);
	if (cidr_addr_is_v4(&c->addr) && c->bits >= 96)
		c->v4 = true;
	return fault != NULL ? fault : check_rest(c);
}

/* --- a list --------------------------------------------------------------- */

const char *
cidr_list_parse(struct cidr_list *l, const char *text)
{
	char item[64];
	const char *fault;
	size_t n;

	l->count = 0;
	for (;;) {
		text += strspn(text, " \t,");
		n = strcspn(text, " \t,");
		if (n == 0)
			return l->count == 0 ? "there is no address in it"
					     : NULL;
		if (n >= sizeof(item))
			return "an item is too long for an address";
		if (l->count == CIDR_LIST_MAX)
			return "there are more than 256 items";
		memcpy(item, text, n);
		item[n] = '\0';
		fault = parse_item(&l->item[l->count], item);
		if (fault != NULL)
			return fault;
		l->count++;
		text += n;
	}
}

bool
cidr_list_has(const struct cidr_list *l, const struct cidr_addr *a)
{
	bool v4 = cidr_addr_is_v4(a);
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->item[i].v4 == v4 &&
		    shared_bits(&l->item[i].addr, a, l->item[i].bits) ==
			l->item[i].bits)
			return true;
	return false;
}
