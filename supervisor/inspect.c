/* SPDX-License-Identifier: MIT */
/* The page's token, and where it is shown. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "inspect.h"
#include "util.h"

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* An IPv4 address in IPv6's clothes is what it is underneath. */
static bool
is_local(const union address *a)
{
	const struct in6_addr *in6 = &a->in6.sin6_addr;

	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	return a->sa.sa_family == AF_INET6 &&
	    (IN6_IS_ADDR_LOOPBACK(in6) ||
		(IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127));
}

/* Where it listens on all addresses, that of this machine. */
static void
name_where(const union address *a, char *dst, size_t size)
{
	unsigned port = ntohs(a->in.sin_port); /* it is the same member */
	struct in6_addr in6 = a->in6.sin6_addr;
	char text[INET6_ADDRSTRLEN];
	struct in_addr in = a->in.sin_addr;
	bool fits = true;

	if (a->sa.sa_family == AF_INET) {
		if (in.s_addr == htonl(INADDR_ANY))
			in.s_addr = htonl(INADDR_LOOPBACK);
		(void)inet_ntop(AF_INET, &in, text, sizeof(text));
		fits = util_fmt(dst, size, "%s:%u", text, port);
	} else {
		if (IN6_IS_ADDR_UNSPECIFIED(&in6))
			in6 = in6addr_loopback;
		(void)inet_ntop(AF_INET6, &in6, text, sizeof(text));
		fits = util_fmt(dst, size, "[%s]:%u", text, port);
	}
	if (!fits)
		dst[0] = '\0';
}

void
inspect_init(struct inspect *in, int listener)
{
	uint8_t bytes[PROTO_INSPECT_LEN / 2];
	union address a;
	socklen_t len = sizeof(a);
	size_t i;

	memset(in, 0, sizeof(*in));
	util_random(bytes, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		(void)util_fmt(in->token + 2 * i, 3, "%02x", bytes[i]);
	memset(&a, 0, sizeof(a));
	if (listener == -1 || getsockname(listener, &a.sa, &len) == -1)
		return;
	in->listens = true;
	in->local = is_local(&a);
	name_where(&a, in->where, sizeof(in->where));
}

const char *
inspect_fault(const struct inspect *in, const struct conf *conf)
{
	return conf_inspect_fault(conf, !in->listens || in->local);
}

bool
inspect_is_on(const struct inspect *in, const struct conf *conf)
{
	return in->listens && conf_num(conf, CONF_INSPECT) != CONF_INSPECT_OFF;
}

void
inspect_url(
    const struct inspect *in, const struct conf *conf, char *dst, size_t size)
{
	if (!inspect_is_on(in, conf) ||
	    !util_fmt(dst, size, "http://%s/inspect/%s/", in->where, in->token))
		dst[0] = '\0';
}
