/* SPDX-License-Identifier: MIT */
/* Query strings: the endpoints read their parameters with these. */
#include <string.h>

#include "query.h"

int
query_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Finds the raw value of a parameter; a name without '=' has an empty one. */
static int
find(struct span query, const char *name, struct span *value)
{
	size_t name_len = strlen(name), len;
	const char *end;

	while (query.len > 0) {
		end = memchr(query.p, '&', query.len);
		len = end == NULL ? query.len : (size_t)(end - query.p);
		if (len >= name_len && memcmp(query.p, name, name_len) == 0 &&
		    (len == name_len || query.p[name_len] == '=')) {
			if (len > name_len)
				name_len++;
			value->p = query.p + name_len;
			value->len = len - name_len;
			return 0;
		}
		if (end != NULL)
			len++;
		query.p += len;
		query.len -= len;
	}
	return -1;
}

ssize_t
query_get(struct span query, const char *name, char *out, size_t size)
{
	struct span value;
	size_t n = 0;

	if (find(query, name, &value) == -1)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '%') {
			int high, low;

			if (value.len - i < 3)
				return -2;
			high = query_hex(value.p[i + 1]);
			low = query_hex(value.p[i + 2]);
			if (high < 0 || low < 0)
				return -2;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (n + 1 >= size)
			return -2;
		out[n++] = c;
	}
	if (n >= size)
		return -2;
	out[n] = '\0';
	return (ssize_t)n;
}

int
query_digits(const char *p, size_t len, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (len == 0 || len > 18)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		n = n * 10 + (uint64_t)(p[i] - '0');
	}
	if (n > max)
		return -1;
	*value = n;
	return 0;
}

int
query_number(struct span query, const char *name, uint64_t max,
    uint64_t fallback, uint64_t *value)
{
	char text[32];
	ssize_t len = query_get(query, name, text, sizeof(text));

	*value = fallback;
	if (len == -1)
		return 0;
	if (len < 0)
		return -1;
	return query_digits(text, (size_t)len, max, value);
}
