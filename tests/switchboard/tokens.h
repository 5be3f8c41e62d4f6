/* SPDX-License-Identifier: MIT */
/*
 * tokens: which tokens are good for a handshake.  A refresh supersedes every
 * token of its path known until then (issued here, or seen in a handshake);
 * tokens issued afterwards are good again.
 */
#ifndef SWITCHBOARD_TOKENS_H
#define SWITCHBOARD_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "jwt.h"

/* Sign and note a token with these claims; the caller frees it. */
char *tokens_issue(const struct jwt *);

/*
 * Judge a token for a handshake.  0: good.  -1: refused, *why says how in a
 * word or two.  The claims are filled whenever the signature is good and are
 * for jwt_clear in any case.
 */
int tokens_judge(const char *token, struct jwt *, const char **why);

/*
 * A new token for the path that supersedes its others; within one second of
 * the last refresh of that path, the same one again.  Gives the claims
 * (for jwt_clear); the caller frees the token.
 */
char *tokens_refresh(const char *path_id, const char *sub, struct jwt *);

/* Make a jti invalid, known or not. */
void tokens_revoke(const char *jti);
bool tokens_is_revoked(const char *jti);
void tokens_free(void);

#endif
