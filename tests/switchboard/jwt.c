/* SPDX-License-Identifier: MIT */
/* jwt: compact HS256 tokens; must never print what it handles. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "json.h"
#include "jwt.h"
#include "text.h"

#define MAC_LEN 32

static const char *secret = "";

void
jwt_set_secret(const char *s)
{
	secret = s;
}

static void
put_base64url(struct buf *out, const void *data, size_t len)
{
	size_t from = out->len;

	text_base64(out, data, len);
	while (out->len > from && out->data[out->len - 1] == '=')
		out->len--;
	for (size_t i = from; i < out->len; i++)
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '_';
}

static int
get_base64url(const char *p, size_t len, struct buf *out)
{
	struct buf tmp = BUF_INIT;
	int r = -1;

	buf_add(&tmp, p, len);
	for (size_t i = 0; i < len; i++)
		switch (tmp.data[i]) {
		case '-':
			tmp.data[i] = '+';
			break;
		case '_':
			tmp.data[i] = '/';
			break;
		case '+':
		case '/':
		case '=':
			goto done;
		}
	while (tmp.len % 4 != 0)
		buf_addc(&tmp, '=');
	r = text_unbase64(tmp.data, tmp.len, out);
done:
	buf_clear(&tmp);
	return r;
}

static void
mac(const void *data, size_t len, unsigned char out[MAC_LEN])
{
	unsigned int n = 0;

	if (HMAC(EVP_sha256(), secret, (int)strlen(secret), data, len, out,
		&n) == NULL ||
	    n != MAC_LEN)
		abort();
}

char *
jwt_sign(const struct jwt *t)
{
	static const char head[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	struct buf claims = BUF_INIT, out = BUF_INIT;
	unsigned char sum[MAC_LEN];

	buf_adds(&claims, "{\"sub\":");
	json_puts(&claims, t->sub);
	buf_adds(&claims, ",\"path_id\":");
	json_puts(&claims, t->path_id);
	buf_adds(&claims, ",\"jti\":");
	json_puts(&claims, t->jti);
	buf_addf(&claims, ",\"iat\":%lld,\"exp\":%lld}", (long long)t->iat,
	    (long long)t->exp);
	put_base64url(&out, head, sizeof(head) - 1);
	buf_addc(&out, '.');
	put_base64url(&out, claims.data, claims.len);
	mac(out.data, out.len, sum);
	buf_addc(&out, '.');
	put_base64url(&out, sum, MAC_LEN);
	buf_clear(&claims);
	return buf_str(&out);
}

static int
read_claims(struct json j, struct jwt *t)
{
	static const char *const keys[] = {
	    "sub", "path_id", "jti", "iat", "exp"};
	struct json v[5];

	json_pick(j, keys, v, 5);
	t->sub = json_strdup(v[0]);
	t->path_id = json_strdup(v[1]);
	t->jti = json_strdup(v[2]);
	if (t->sub == NULL || t->path_id == NULL || t->jti == NULL ||
	    json_int(v[3], &t->iat) == -1 || json_int(v[4], &t->exp) == -1)
		return -1;
	return 0;
}

/* One part of the token as a checked JSON document in buf. */
static int
read_part(const char *p, size_t len, struct buf *buf, struct json *out)
{
	if (get_base64url(p, len, buf) == -1 ||
	    !text_is_utf8(buf->data, buf->len) ||
	    json_check(buf->data, buf->len, out) == -1)
		return -1;
	return 0;
}

static bool
is_signed(const char *token, const char *dot)
{
	struct buf given = BUF_INIT;
	unsigned char sum[MAC_LEN];
	bool good;

	mac(token, (size_t)(dot - token), sum);
	good = get_base64url(dot + 1, strlen(dot + 1), &given) == 0 &&
	    given.len == MAC_LEN &&
	    CRYPTO_memcmp(given.data, sum, MAC_LEN) == 0;
	buf_clear(&given);
	return good;
}

int
jwt_verify(const char *token, struct jwt *t, const char **why)
{
	static const char *const alg_key[] = {"alg"};
	struct buf head = BUF_INIT, body = BUF_INIT;
	const char *dot1 = strchr(token, '.');
	const char *dot2 = dot1 != NULL ? strchr(dot1 + 1, '.') : NULL;
	struct json j, alg;
	int r = -1;

	memset(t, 0, sizeof(*t));
	*why = "malformed";
	if (dot2 == NULL || strchr(dot2 + 1, '.') != NULL ||
	    read_part(token, (size_t)(dot1 - token), &head, &j) == -1)
		goto done;
	json_pick(j, alg_key, &alg, 1);
	*why = "bad signature";
	if (!json_is_string(alg, "HS256") || !is_signed(token, dot2))
		goto done;
	*why = "bad claims";
	if (read_part(dot1 + 1, (size_t)(dot2 - dot1 - 1), &body, &j) == 0)
		r = read_claims(j, t);
done:
	buf_clear(&head);
	buf_clear(&body);
	if (r == -1)
		jwt_clear(t);
	return r;
}

void
jwt_clear(struct jwt *t)
{
	free(t->sub);
	free(t->path_id);
	free(t->jti);
	memset(t, 0, sizeof(*t));
}
