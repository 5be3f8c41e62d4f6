/* SPDX-License-Identifier: MIT */
/*
 * What may stand in a request's and an answer's head, and what may be passed
 * on (RFC 9110 §5 and §7.6; PROTOCOL.md §3 and §4). Pure.
 */
#ifndef WORKER_HEAD_H
#define WORKER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"

struct head_field {
	char *name;  /* as received in a request, lower case in an answer */
	char *value; /* without white space around it */
	size_t len;  /* of value */
};

/* A bounded list of fields. */
struct head {
	struct head_field *field;
	size_t count, room, count_max;
	size_t bytes, bytes_max; /* of names and values together */
	int64_t length;		 /* declared Content-Length, -1: none */
	bool length_bad;	 /* … malformed, or two that differ */
	size_t cookies_dropped;
};

void head_init(struct head *, size_t count_max, size_t bytes_max);
void head_clear(struct head *);

size_t head_count(const struct head *);
const struct head_field *head_field(const struct head *, size_t i);
/* The field of that name, any case, or NULL. */
const struct head_field *head_find(const struct head *, const char *name);

/* --- requests ------------------------------------------------------------- */

/*
 * Appends the request target in origin-form and a NUL behind it (which len
 * counts). The path was percent-decoded by Phoenix, so each byte that may not
 * stand in one is encoded again (RFC 3986 §3.3), "%" too; nothing is
 * normalised. The query is raw: only what would break the request line or
 * be cut off there (controls, space, "#", bytes above 0x7e) is encoded. 0 or
 * -1.
 */
int head_target(struct buf *, struct json_str path, struct json_str query);

/* Takes one field of a request. NULL, or a static text for a 400. */
const char *
head_request_add(struct head *, struct json_str name, struct json_str value);

/* Removes what is for one hop only (RFC 9110 §7.6.1), what Connection names,
 * and the framing. Returns the declared Content-Length, or -1. */
int64_t head_request_finish(struct head *);

/* --- answers -------------------------------------------------------------- */

/* True when plugboard has a name for this final status: anything else becomes
 * a 500 there. */
bool head_status_known(int status);

/* True when an answer of this status has no body (RFC 9110 §15.3.5 and
 * §15.4.5). */
bool head_status_is_bodiless(int status);

/*
 * Takes one field line as received, with its line end. The name is put in
 * lower case; a value that is not UTF-8 is read as ISO-8859-1; a further field
 * of the same name is appended with a comma (RFC 9110 §5.3), but for
 * Set-Cookie, of which the wire carries only one. NULL, or a static text for
 * a 502.
 */
const char *head_response_add(struct head *, const char *line, size_t len);

/* As head_request_finish. Returns how many Set-Cookie fields were dropped. */
size_t head_response_finish(struct head *);

#endif
