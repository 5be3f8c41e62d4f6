/* SPDX-License-Identifier: MIT */
/* jwt: signs and verifies HS256 tokens (RFC 7519).  Pure but for the secret. */
#ifndef SWITCHBOARD_JWT_H
#define SWITCHBOARD_JWT_H

#include <stdint.h>

struct jwt {
	char *sub, *path_id, *jti;
	int64_t iat, exp; /* wall clock seconds */
};

/* The secret is kept by reference; it must outlive all use. */
void jwt_set_secret(const char *);

/* The signed token, for the caller to free. */
char *jwt_sign(const struct jwt *);

/*
 * Check form, signature and claims, not the time; on success the claims are
 * for jwt_clear.  -1 and *why (a constant word) when it is refused.
 */
int jwt_verify(const char *token, struct jwt *, const char **why);

/* Free the claims' strings. */
void jwt_clear(struct jwt *);

#endif
