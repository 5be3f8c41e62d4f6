/* SPDX-License-Identifier: MIT */
#ifndef BODY_H
#define BODY_H

#include <stdint.h>

struct evbuffer;
struct head;

/*
 * The body of a request, taken out of its framing (content-length or
 * chunked) as it arrives.  Knows evbuffers, no socket.
 */

#define BODY_MAX (256ULL << 20)

enum body_result {
	BODY_MORE,     /* wants more input */
	BODY_DONE,     /* complete, the next request follows */
	BODY_BAD,      /* broken framing: 400 */
	BODY_TOO_LARGE /* above BODY_MAX: 413 */
};

struct body {
	int state;
	uint64_t left;	  /* of the length or of the chunk */
	uint64_t total;	  /* announced so far */
	uint64_t trailer; /* bytes of trailer fields so far */
};

void body_init(struct body *body, const struct head *head);

/*
 * Moves what it can from in to out (without copying); out NULL throws the
 * content away.  Trailer fields and chunk extensions are checked for form
 * and dropped.
 */
enum body_result
body_read(struct body *body, struct evbuffer *in, struct evbuffer *out);

#endif
