/* SPDX-License-Identifier: MIT */
/*
 * One proxy_res message (protocol.md §4), encoded piece by piece from a body
 * that is never turned into text as a whole: UTF-8 as strings, anything else
 * as iodata, arrays of bytes and strings that Plugboard writes out octet for
 * octet. Pure.
 */
#ifndef WORKER_RESPONSE_H
#define WORKER_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "head.h"

struct response;

struct response_params {
	const char *join_ref, *ref, *topic;
	const char *request_id;
	int status;		 /* one that head_status_known accepts */
	const struct head *head; /* finished; NULL: no fields */
	struct body *body;	 /* taken over in any case; NULL: empty */
	size_t chunk_max;	 /* body bytes of one chunk, at least 16 */
};

/* NULL when out of memory. */
struct response *response_create(const struct response_params *);

/* About how many bytes the message will have. */
size_t response_estimate(const struct response *);

/* Whether the message has at most max bytes, exactly. Where bounds on its
 * length do not tell, it is encoded for nothing; only before the first
 * response_read. */
bool response_fits(struct response *, uint64_t max);

void response_free(struct response *); /* NULL is fine */

/*
 * Writes the next bytes of the message, at most cap; *done with the last. When
 * the body cannot be read any more (a disk that fails), the message ends
 * unfinished: Plugboard then refuses all of it, and closes the socket, since
 * what has begun cannot be taken back and may not look whole.
 */
size_t response_read(struct response *, uint8_t *out, size_t cap, bool *done);

/* The errno of that, 0: none. */
int response_failure(const struct response *);

#endif
