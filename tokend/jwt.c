/* SPDX-License-Identifier: MIT */
/*
 * base64url by hand (RFC 4648 §5, without padding), the JSON by cJSON, which
 * forgives too much: what it hands out is checked again.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "jwt.h"
#include "utf8.h"
#include "util.h"
#include "wipe.h"

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

/* json ends with a NUL, and nothing may stand behind the value. What cJSON
 * holds of it is wiped when it is freed. */
static cJSON *
parse_json(const char *json, size_t len)
{
	cJSON_Hooks hooks = {malloc, wipe_free};
	const char *end;

	cJSON_InitHooks(&hooks);
	return cJSON_ParseWithLengthOpts(json, len + 1, &end, 1);
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

/* Of both sets: a terminal obeys U+0080 to U+009F, too. */
static bool
is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f ||
	    (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0);
}

static bool
take_string(const cJSON *item, char *dst)
{
	const char *s = cJSON_GetStringValue(item);
	size_t i;

	if (s == NULL || s[0] == '\0' ||
	    util_strlcpy(dst, s, PROTO_ID_MAX) >= PROTO_ID_MAX)
		return false;
	for (i = 0; s[i] != '\0'; i++)
		if (is_control((const unsigned char *)s + i))
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
	const char *error = check_text(json, len);
	cJSON *root;

	if (error != NULL)
		return error;
	root = parse_json(json, len);
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
	error = "its claims are not base64url";
	if (len != -1) {
		json[len] = '\0';
		error = parse_claims(jwt, json, (size_t)len);
	}
	if (error != NULL)
		memset(jwt, 0, sizeof(*jwt));
	explicit_bzero(json, sizeof(json));
	return error;
}

/* --- the signature -------------------------------------------------------- */

/* The digest that the header names, or NULL with *error: no junk, so that it
 * can mean one thing only (RFC 8725 §3.1). */
static const EVP_MD *
take_algorithm(const cJSON *root, const char **error)
{
	static const struct {
		const char *name;
		const EVP_MD *(*digest)(void);
	} algorithms[] = {
	    {"HS256", EVP_sha256},
	    {"HS384", EVP_sha384},
	    {"HS512", EVP_sha512},
	};
	const char *alg = NULL, *text;
	const cJSON *item;
	bool many = false;
	size_t i;

	*error = "its header holds more than alg, typ and kid";
	cJSON_ArrayForEach(item, root)
	{
		text = cJSON_GetStringValue(item);
		(void)member(root, item->string, &many);
		if (text == NULL || many)
			return NULL;
		if (strcmp(item->string, "alg") == 0)
			alg = text;
		else if (strcmp(item->string, "typ") == 0
			? strcmp(text, "JWT") != 0
			: strcmp(item->string, "kid") != 0)
			return NULL;
	}
	*error = "it is not signed with HS256, HS384 or HS512";
	for (i = 0; alg != NULL && i < UTIL_COUNT(algorithms); i++)
		if (strcmp(alg, algorithms[i].name) == 0)
			return algorithms[i].digest();
	return NULL;
}

static const EVP_MD *
parse_header(const char *token, size_t len, const char **error)
{
	char json[PROTO_TOKEN_MAX];
	const EVP_MD *md = NULL;
	cJSON *root;
	long n = decode(token, len, json);

	*error = "its header is not base64url";
	if (n == -1)
		return NULL;
	json[n] = '\0';
	*error = "its header is not JSON";
	if (check_text(json, (size_t)n) != NULL)
		return NULL;
	root = parse_json(json, (size_t)n);
	if (cJSON_IsObject(root))
		md = take_algorithm(root, error);
	cJSON_Delete(root);
	return md;
}

const char *
jwt_verify(const struct jwt_key *key, const char *token)
{
	uint8_t want[EVP_MAX_MD_SIZE];
	char got[PROTO_TOKEN_MAX];
	unsigned want_len = 0;
	const EVP_MD *md;
	const char *error;
	size_t part[3], signed_len;
	bool good;
	long len;

	if (strlen(token) >= PROTO_TOKEN_MAX || !split(token, part))
		return "it does not have three parts with a dot between them";
	md = parse_header(token, part[0], &error);
	if (md == NULL)
		return error;
	signed_len = part[0] + 1 + part[1];
	len = decode(token + signed_len + 1, part[2], got);
	if (HMAC(md, key->text, (int)key->len, (const uint8_t *)token,
		signed_len, want, &want_len) == NULL)
		return "OpenSSL cannot verify it";
	good = len == (long)want_len && CRYPTO_memcmp(got, want, want_len) == 0;
	explicit_bzero(want, sizeof(want));
	explicit_bzero(got, sizeof(got));
	return good ? NULL
		    : "its signature is not by the key in "
		      "PLUGBOARD_JWT_SECRET_FILE";
}
