/* SPDX-License-Identifier: MIT */
/*
 * jwt.h. The first byte says what the rest is: a token as it stands, or the
 * JSON of header and claims, with a line feed between them, which are encoded
 * and signed here, so that the search is not spent on base64.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz.h"
#include "jwt.h"

static const struct jwt_key key = {
    40, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"};

static size_t
encode(char *out, const uint8_t *in, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				     "opqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	size_t i, n = 0;
	int have = 0;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		out[n++] = digits[bits << (6 - have) & 63];
	return n;
}

static void
check_claims(const struct jwt *jwt, const char *error)
{
	struct jwt none;

	if (error == NULL) {
		FUZZ_MUST(jwt->sub[0] != '\0' && jwt->path_id[0] != '\0' &&
		    jwt->jti[0] != '\0');
		FUZZ_MUST(jwt->iat_s >= 0 && jwt->exp_s > jwt->iat_s);
		return;
	}
	/* Of what is no token, nothing is left to be used by mistake. */
	memset(&none, 0, sizeof(none));
	FUZZ_MUST(memcmp(jwt, &none, sizeof(none)) == 0);
}

static void
as_it_stands(const uint8_t *data, size_t len)
{
	char *token = (char *)fuzz_copy(data, len, 1);
	struct jwt jwt;

	check_claims(&jwt, jwt_parse(&jwt, token));
	/* Nobody signs by chance. */
	FUZZ_MUST(jwt_verify(&key, token) != NULL);
	free(token);
}

static size_t
sign(char *token, size_t n, const EVP_MD *md)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	FUZZ_MUST(HMAC(md, key.text, (int)key.len, (uint8_t *)token, n, mac,
		      &mac_len) != NULL);
	token[n++] = '.';
	n += encode(token + n, mac, mac_len);
	token[n] = '\0';
	return n;
}

static void
made_here(const uint8_t *data, size_t len)
{
	static char token[PROTO_TOKEN_MAX];
	const EVP_MD *const mds[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
	const uint8_t *line = memchr(data, '\n', len);
	size_t head = line == NULL ? 0 : (size_t)(line - data), n, end, i;
	struct jwt jwt;
	int verified = 0;

	if (line == NULL || len > PROTO_TOKEN_MAX / 2)
		return;
	n = encode(token, data, head);
	token[n++] = '.';
	n += encode(token + n, line + 1, len - head - 1);
	for (i = 0; i < 3; i++) {
		end = sign(token, n, mds[i]);
		check_claims(&jwt, jwt_parse(&jwt, token));
		if (jwt_verify(&key, token) != NULL)
			continue;
		verified++;
		/* What is signed cannot be changed. */
		token[0] = token[0] == 'e' ? 'f' : 'e';
		FUZZ_MUST(jwt_verify(&key, token) != NULL);
		n = encode(token, data, head);
		token[n++] = '.';
		n += encode(token + n, line + 1, len - head - 1);
		token[end - 10] = token[end - 10] == 'x' ? 'y' : 'x';
		FUZZ_MUST(jwt_verify(&key, token) != NULL);
	}
	/* A header means one algorithm, or none. */
	FUZZ_MUST(verified <= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] == 't')
		as_it_stands(data + 1, len - 1);
	else
		made_here(data + 1, len - 1);
	return 0;
}
