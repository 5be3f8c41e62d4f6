/* SPDX-License-Identifier: MIT */
/*
 * Memory for libraries that handle the token and do not wipe what they free:
 * libwebsockets (the handshake's URL), OpenSSL (records), cJSON (claims).
 * realloc and free that overwrite what is given back.
 */
#ifndef COMMON_WIPE_H
#define COMMON_WIPE_H

#include <stddef.h>

/* As realloc(3), but that size 0 frees. */
void *wipe_realloc(void *, size_t);
void wipe_free(void *); /* NULL is fine */

#endif
