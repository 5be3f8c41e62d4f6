/* SPDX-License-Identifier: MIT */
/* What the handshake asks Plugboard for (protocol.md §1). Pure. */
#ifndef WORKER_TARGET_H
#define WORKER_TARGET_H

#include "url.h"

/* PATH?QUERY&token=…&vsn=2.0.0 with the token percent-encoded (RFC 3986
 * §2.1); the caller wipes and frees it. NULL when out of memory. */
char *target_make(const struct url *, const char *token);

#endif
