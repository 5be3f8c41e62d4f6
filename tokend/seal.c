/* SPDX-License-Identifier: MIT */
/* libcrypto's side of seal.h. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "log.h"
#include "seal.h"
#include "secret.h"
#include "util.h"

#define KEY_LEN 32
#define NONCE_LEN 12
#define TAG_LEN 16
#define ROUNDS 100000
#define SECRET_DIGITS 64

/* Part of the format: stores in the field were sealed with it. */
static const char salt[] = "telephone-token-encryption-v1";

struct seal {
	uint8_t key[KEY_LEN];
};

const char *
seal_judge_secret(const char *secret)
{
	size_t len = strlen(secret);

	if (len == 0)
		return "it is empty";
	if (len != SECRET_DIGITS ||
	    strspn(secret, "0123456789abcdefABCDEF") != len)
		return "it is not 64 hex digits (openssl rand -hex 32 makes "
		       "one)";
	return NULL;
}

struct seal *
seal_create(const char *secret)
{
	struct seal *s = secret_alloc(sizeof(*s));

	if (PKCS5_PBKDF2_HMAC(secret, (int)strlen(secret),
		(const uint8_t *)salt, sizeof(salt) - 1, ROUNDS, EVP_sha256(),
		KEY_LEN, s->key) != 1)
		fatalx("OpenSSL cannot derive a key");
	return s;
}

void
seal_free(struct seal *s)
{
	secret_free(s, sizeof(*s));
}

/* raw: nonce, room for len bytes, room for the tag; the nonce is set. */
static bool
encrypt(const struct seal *s, const char *text, size_t len, uint8_t *raw)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *out = raw + NONCE_LEN;
	int n;
	bool ok;

	ok = ctx != NULL &&
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, s->key, raw) ==
		1 &&
	    EVP_EncryptUpdate(ctx, out, &n, (const uint8_t *)text, (int)len) ==
		1 &&
	    EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(
		ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, out + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

int
seal_close(struct seal *s, const char *text, char *out, size_t size)
{
	size_t len = strlen(text), raw_len = NONCE_LEN + len + TAG_LEN;
	uint8_t *raw;
	int result = -1;

	if (SEAL_TEXT_MAX(len) > size || (raw = malloc(raw_len)) == NULL)
		return -1;
	util_random(raw, NONCE_LEN);
	if (encrypt(s, text, len, raw)) {
		(void)EVP_EncodeBlock((uint8_t *)out, raw, (int)raw_len);
		result = 0;
	}
	free(raw);
	return result;
}

/* Standard base64 with padding; the length, or -1. raw takes len / 4 * 3. */
static long
from_base64(const char *text, size_t len, uint8_t *raw)
{
	size_t pad = 0;
	int n;

	if (len == 0 || len % 4 != 0 ||
	    strspn(text,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/=") != len)
		return -1;
	while (pad < 2 && text[len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(raw, (const uint8_t *)text, (int)len);
	return n < 0 ? -1 : (long)n - (long)pad;
}

static bool
decrypt(const struct seal *s, uint8_t *raw, size_t len, char *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t text_len = len - NONCE_LEN - TAG_LEN;
	int n;
	bool ok;

	ok = ctx != NULL &&
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, s->key, raw) ==
		1 &&
	    EVP_DecryptUpdate(
		ctx, (uint8_t *)out, &n, raw + NONCE_LEN, (int)text_len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN,
		raw + NONCE_LEN + text_len) == 1 &&
	    EVP_DecryptFinal_ex(ctx, (uint8_t *)out + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	out[text_len] = '\0';
	return ok && memchr(out, '\0', text_len) == NULL;
}

int
seal_open(struct seal *s, const char *sealed, char *out, size_t size)
{
	size_t len = strlen(sealed);
	uint8_t *raw = len < 1 << 20 ? malloc(len / 4 * 3 + 3) : NULL;
	long raw_len;
	int result = -1;

	if (raw == NULL)
		return -1;
	raw_len = from_base64(sealed, len, raw);
	if (raw_len > NONCE_LEN + TAG_LEN &&
	    (size_t)raw_len - NONCE_LEN - TAG_LEN < size &&
	    decrypt(s, raw, (size_t)raw_len, out))
		result = 0;
	else if (size > 0)
		explicit_bzero(out, size);
	free(raw);
	return result;
}
