/* SPDX-License-Identifier: MIT */
/*
 * A JWT (RFC 7519) in compact form (RFC 7515 §7.1): its claims taken apart,
 * and its signature verified where the operator has given Plugboard's key
 * (HS256, HS384, HS512: RFC 7518 §3.2). Pure.
 */
#ifndef TOKEND_JWT_H
#define TOKEND_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

struct jwt {
	char sub[PROTO_ID_MAX];
	char path_id[PROTO_ID_MAX];
	char jti[PROTO_ID_MAX];
	int64_t iat_s, exp_s; /* seconds since 1970 */
};

/* NULL, or a static text that says what is wrong; never the token itself. */
const char *jwt_parse(struct jwt *, const char *token);

/* The key that Plugboard signs with, as it stands in its configuration. */
#define JWT_KEY_MAX 1024
struct jwt_key {
	size_t len;
	char text[JWT_KEY_MAX];
};

/*
 * NULL when the token was signed with this key; else a static text. The
 * header must be an object of alg (HS256, HS384 or HS512) and at most typ
 * (JWT) and kid; the comparison takes the same time wherever they differ.
 */
const char *jwt_verify(const struct jwt_key *, const char *token);

#endif
