/* SPDX-License-Identifier: MIT */
/*
 * base64url by hand (RFC 4648 §5, without padding), the JSON by cJSON, which
 * forgives too much: what it hands out is checked again.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "jwt.h"
#include "utf8.h"
#include "util.h"

/* Integers above this cannot be told apart in a double. */
#define EXACT_MAX 9007199254740992.0

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Returns the length, or -1; out takes len bytes. */
static long
decode(const char *in, size_t len, char *out)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t i, n = 0;
	int v;

	if (len % 4 == 1)
		return -1;
	for (i = 0; i < len; i++) {
		v = sextet(in[i]);
		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have & 0xff);
		}
	}
	/* The bits left over must be zero, or one token had many spellings. */
	return (bits & ((1u << have) - 1)) == 0 ? (long)n : -1;
}

/* Length of each of the three parts; false when there are not three. */
static bool
split(const char *token, size_t part[3])
{
	int i;

	for (i = 0; i < 3; i++) {
		part[i] = strcspn(token, ".");
		token += part[i];
		if (i < 2 && *token++ != '.')
			return false;
	}
	return *token == '\0';
}

static const char *
check_text(const char *json, size_t len)
{
	if (!utf8_is_valid((const uint8_t *)json, len))
		return "its claims are not UTF-8";
	if (memchr(json, '\0', len) != NULL || strstr(json, "\\u0000") != NULL)
		return "its claims hold a NUL";
	return NULL;
}

/* The one member of that name; *many when there are several. */
static const cJSON *
member(const cJSON *object, const char *name, bool *many)
{
	const cJSON *item, *found = NULL;

	cJSON_ArrayForEach(item, object)
	{
		if (strcmp(item->string, name) != 0)
			continue;
		if (found != NULL)
			*many = true;
		found = item;
	}
	return found;
}

struct claim {
	const char *name;
	size_t offset;
	const char *missing, *wrong;
};

#define STRING(f)                                                           \
	{                                                                   \
#f, offsetof(struct jwt, f), "the claim " #f " is missing", \
		    "the claim " #f                                         \
		    " is not a text of 1 to 255 printable bytes"            \
	}
#define NUMBER(n, f)                                                      \
	{                                                                 \
		n, offsetof(struct jwt, f), "the claim " n " is missing", \
		    "the claim " n " is not a whole number of seconds"    \
	}

static const struct claim strings[] = {
    STRING(sub), STRING(path_id), STRING(jti)};
static const struct claim numbers[] = {
    NUMBER("iat", iat_s), NUMBER("exp", exp_s)};

static bool
take_string(const cJSON *item, char *dst)
{
	const char *s = cJSON_GetStringValue(item);
	size_t i;

	if (s == NULL || s[0] == '\0' ||
	    util_strlcpy(dst, s, PROTO_ID_MAX) >= PROTO_ID_MAX)
		return false;
	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	/* An escaped lone surrogate gets past the first check. */
	return utf8_is_valid((const uint8_t *)s, i);
}

static bool
take_number(const cJSON *item, int64_t *dst)
{
	double v = item->valuedouble;

	if (!cJSON_IsNumber(item) || !(v >= 0 && v < EXACT_MAX))
		return false;
	*dst = (int64_t)v;
	return (double)*dst == v;
}

static const char *
take_claims(struct jwt *jwt, const cJSON *root)
{
	const cJSON *item;
	bool many = false;
	size_t i;

	for (i = 0; i < UTIL_COUNT(strings); i++) {
		item = member(root, strings[i].name, &many);
		if (item == NULL)
			return strings[i].missing;
		if (!take_string(item, (char *)jwt + strings[i].offset))
			return strings[i].wrong;
	}
	for (i = 0; i < UTIL_COUNT(numbers); i++) {
		item = member(root, numbers[i].name, &many);
		if (item == NULL)
			return numbers[i].missing;
		if (!take_number(item,
			(int64_t *)(void *)((char *)jwt + numbers[i].offset)))
			return numbers[i].wrong;
	}
	if (many)
		return "a claim stands in it twice";
	return jwt->exp_s > jwt->iat_s ? NULL
				       : "it expires before it was issued";
}

static const char *
parse_claims(struct jwt *jwt, const char *json, size_t len)
{
	const char *error = check_text(json, len), *end;
	cJSON *root;

	if (error != NULL)
		return error;
	root = cJSON_ParseWithLengthOpts(json, len + 1, &end, 1);
	if (root == NULL)
		return "its claims are not JSON";
	error = cJSON_IsObject(root) ? take_claims(jwt, root)
				     : "its claims are not a JSON object";
	cJSON_Delete(root);
	return error;
}

const char *
jwt_parse(struct jwt *jwt, const char *token)
{
	char json[PROTO_TOKEN_MAX];
	size_t part[3];
	const char *error;
	long len;

	memset(jwt, 0, sizeof(*jwt));
	if (token[0] == '\0')
		return "it is empty";
	if (strlen(token) >= PROTO_TOKEN_MAX)
		return "it is longer than 16383 bytes";
	if (!split(token, part))
		return "it does not have three parts with a dot between them";
	if (part[0] == 0 || part[1] == 0 || part[2] == 0)
		return "one of its three parts is empty";
	if (decode(token, part[0], json) == -1)
		return "its header is not base64url";
	if (decode(token + part[0] + 1 + part[1] + 1, part[2], json) == -1)
		return "its signature is not base64url";
	len = decode(token + part[0] + 1, part[1], json);
	if (len == -1)
		return "its claims are not base64url";
	json[len] = '\0';
	error = parse_claims(jwt, json, (size_t)len);
	if (error != NULL)
		memset(jwt, 0, sizeof(*jwt));
	return error;
}
