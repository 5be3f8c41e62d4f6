/* SPDX-License-Identifier: MIT */
/*
 * handshake: may this request become a telephone's socket?  (PROTOCOL 1.)
 * Used by phx only.
 */
#ifndef SWITCHBOARD_HANDSHAKE_H
#define SWITCHBOARD_HANDSHAKE_H

#include <stdint.h>

#include "http.h"
#include "jwt.h"

/*
 * Judge and record the request.  0: it may be upgraded, and the claims are
 * the caller's to clear.  -1: it has been answered (or is held unanswered).
 * socket is the id it would get.
 */
int handshake_judge(struct http *, uint64_t socket, struct jwt *);

#endif
