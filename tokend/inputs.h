/* SPDX-License-Identifier: MIT */
/*
 * What the operator gave, on descriptors: read, judged and wiped here, and
 * nowhere else in telephone. Each fault is logged with the key's name.
 */
#ifndef TOKEND_INPUTS_H
#define TOKEND_INPUTS_H

#include "jwt.h"
#include "seal.h"
#include "token.h"

/* Received and not yet read; -1: there is none. */
struct inputs {
	int secret, previous, jwt_key, token;
};
void inputs_init(struct inputs *);
void inputs_close(struct inputs *);

/*
 * Each returns 0 or a sysexits code (logged). *out is NULL when there is
 * none, which is a fault of SECRET_KEY_BASE only.
 */
int inputs_secret(const struct inputs *, struct seal **out);
int inputs_previous(const struct inputs *, struct seal **out);
int inputs_jwt_key(const struct inputs *, struct jwt_key **out);
void inputs_free_jwt_key(struct jwt_key *); /* wipes; NULL is fine */

/* Reads and judges the given token into the candidates; *out is it, or NULL
 * when none is given. */
int inputs_token(const struct inputs *, struct tokens *, struct token **out);

/*
 * A token that telephonectl sent: a sealed memfd, or it is refused. NULL with
 * *error (static).
 */
struct token *inputs_sent(int fd, struct tokens *, const char **error);

#endif
