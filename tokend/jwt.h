/* SPDX-License-Identifier: MIT */
/*
 * The claims of a JWT (RFC 7519) in compact form (RFC 7515 §7.1): taken
 * apart, not verified, since only Plugboard has the key. Pure.
 */
#ifndef TOKEND_JWT_H
#define TOKEND_JWT_H

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

#endif
