/* SPDX-License-Identifier: MIT */
/* The head of a proxy's answer to CONNECT (RFC 9112 §4). Pure. */
#ifndef WORKER_VIA_HEAD_H
#define WORKER_VIA_HEAD_H

#include <stddef.h>

/* How many bytes the head in data has, its empty line with it; 0: it is not
 * complete yet. */
size_t via_head_len(const char *data, size_t len);

/* The status, 100 to 999, of a head of HTTP/1.x; -1: it is none. */
int via_head_status(const char *data, size_t len);

#endif
