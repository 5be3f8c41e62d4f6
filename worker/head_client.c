/* SPDX-License-Identifier: MIT */
/*
 * Who the client is, by what proxies in front of plugboard have appended:
 * X-Forwarded-For, and Forwarded (RFC 7239 §4) where there is none. Entries
 * are counted from the right, since those on the left are the client's own
 * word.
 */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "head.h"

struct span {
	const char *at;
	size_t len;
};

static struct span
trim(struct span s)
{
	while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cuts off what stands before the next mark outside of a quoted string. */
static bool
cut(struct span *rest, char mark, struct span *out)
{
	bool quoted = false;
	size_t n;

	if (rest->at == NULL)
		return false;
	out->at = rest->at;
	for (n = 0; n < rest->len && (quoted || rest->at[n] != mark); n++) {
		if (rest->at[n] == '"')
			quoted = !quoted;
		else if (quoted && rest->at[n] == '\\' && n + 1 < rest->len)
			n++;
	}
	out->len = n;
	if (n == rest->len) {
		rest->at = NULL;
	} else {
		rest->at += n + 1;
		rest->len -= n + 1;
	}
	*out = trim(*out);
	return true;
}

/* The n-th entry from the right, 1 the last. */
static bool
entry_from_right(const struct head_field *f, unsigned n, struct span *out)
{
	struct span rest = {f->value, f->len};
	size_t count = 0, i;

	while (cut(&rest, ',', out))
		count++;
	if (n == 0 || n > count)
		return false;
	rest = (struct span){f->value, f->len};
	for (i = 0; i <= count - n; i++)
		(void)cut(&rest, ',', out);
	return true;
}

/* RFC 7239 §6: the value of for=, without its quotes. */
static bool
take_for(struct span element, struct span *out)
{
	struct span pair;

	while (cut(&element, ';', &pair)) {
		if (pair.len < 4 || strncasecmp(pair.at, "for=", 4) != 0)
			continue;
		*out = (struct span){pair.at + 4, pair.len - 4};
		if (out->len >= 2 && out->at[0] == '"' &&
		    out->at[out->len - 1] == '"') {
			out->at++;
			out->len -= 2;
		}
		return true;
	}
	return false;
}

/* An address with or without port, "[v6]:port" or a bare v6. */
static bool
put_address(struct span s, char out[HEAD_CLIENT_MAX])
{
	char text[HEAD_CLIENT_MAX], *end;
	struct in6_addr address;
	const char *colon = memchr(s.at, ':', s.len);

	if (s.len > 0 && s.at[0] == '[') {
		end = memchr(s.at, ']', s.len);
		if (end == NULL)
			return false;
		s.at++;
		s.len = (size_t)(end - s.at);
	} else if (colon != NULL &&
	    memchr(colon + 1, ':', s.len - (size_t)(colon + 1 - s.at)) ==
		NULL) {
		s.len = (size_t)(colon - s.at);
	}
	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, &address) == 1)
		return inet_ntop(AF_INET, &address, out, HEAD_CLIENT_MAX) !=
		    NULL;
	return inet_pton(AF_INET6, text, &address) == 1 &&
	    inet_ntop(AF_INET6, &address, out, HEAD_CLIENT_MAX) != NULL;
}

bool
head_client(const struct head *h, unsigned hops, char out[HEAD_CLIENT_MAX])
{
	const struct head_field *f = head_find(h, "x-forwarded-for");
	struct span s;

	if (f != NULL)
		return entry_from_right(f, hops, &s) && put_address(s, out);
	f = head_find(h, "forwarded");
	return f != NULL && entry_from_right(f, hops, &s) && take_for(s, &s) &&
	    put_address(s, out);
}
