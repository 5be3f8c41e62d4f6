/* SPDX-License-Identifier: MIT */
/*
 * What is kept of a message that is too long to be kept: who has to be told.
 * The bytes of [join_ref, ref, topic, event, payload] go through in pieces of
 * any length, and a short message of the same form is left, whose payload has
 * only the members that name a request or a WebSocket, wherever they stood:
 *
 *     ["1",null,"telephone:x","proxy_req",{"request_id":"…"}]
 *
 * It is read as any other message (phx.h), which judges what strings hold;
 * here only the structure is. The bytes held are those of this struct. Pure.
 */
#ifndef WORKER_ENVELOPE_H
#define WORKER_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* Of the short message: a topic whose every character is escaped fits. */
#define ENVELOPE_MAX 3072

struct envelope {
	enum {
		ENVELOPE_START,
		ENVELOPE_VALUE,	 /* must begin, or the array ends */
		ENVELOPE_NAME,	 /* must begin, or the object ends */
		ENVELOPE_COLON,	 /* must follow a name */
		ENVELOPE_STRING, /* within one … */
		ENVELOPE_ESCAPE, /* … behind its backslash */
		ENVELOPE_SCALAR, /* within a number, true, false or null */
		ENVELOPE_AFTER,	 /* a value: a comma, or an end */
		ENVELOPE_END,
	} state;
	unsigned depth;
	uint64_t objects; /* a bit for each depth: an object, else an array */
	unsigned element; /* of the outermost array, from 0 */
	bool fresh;	  /* nothing stands in this container yet */
	bool is_name;	  /* this string is one */
	bool copies;	  /* this value is kept */
	bool wanted;	  /* … so is the one behind this name */
	bool has_member;
	size_t name_len;
	uint8_t name[96];
	size_t len;
	uint8_t text[ENVELOPE_MAX];
	const char *fault; /* NULL: none so far */
};

_Static_assert(JSON_DEPTH_MAX <= 64, "a bit for each depth");

/* A message begins. */
void envelope_init(struct envelope *);

/* More of it. After a fault the rest is of no interest. */
void envelope_feed(struct envelope *, const uint8_t *, size_t len);

/* It is over. NULL, and the short message stands in text (len bytes of it,
 * which may be changed); or a static text that says what is wrong. */
const char *envelope_end(const struct envelope *);

#endif
