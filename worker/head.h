/* SPDX-License-Identifier: MIT */
/*
 * What may stand in a request's and an answer's head, and what may be passed
 * on (RFC 9110 §5 and §7.6; protocol.md §3 and §4). Pure.
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
 * NULL, or a static text for a 400: a path (percent-decoded) that could leave
 * the application or be read as something else than a path. Control
 * characters, "//" or no "/" at the beginning, ".." that climbs out.
 */
const char *head_path_fault(struct json_str path);

/*
 * Appends the request target in origin-form and a NUL behind it (which len
 * counts). The path was percent-decoded by Phoenix, so each byte that may not
 * stand in one is encoded again (RFC 3986 §3.3), "%" too; nothing is
 * normalised. The query is raw: only what would break the request line or
 * be cut off there (controls, space, "#", bytes above 0x7e) is encoded. 0 or
 * -1.
 */
int head_target(struct buf *, struct json_str path, struct json_str query);

/*
 * Appends what a lenient application may take the path for: without ".", "..",
 * "//", parameters and a "/" at the end, "\\" read as "/"; "" for "/". Never
 * sent, only compared. 0 or -1.
 */
int head_path_clean(struct buf *, struct json_str path);

/* Takes one field of a request. NULL, or a static text for a 400. */
const char *
head_request_add(struct head *, struct json_str name, struct json_str value);

/* Appends a field of our own; join: to the value of the last field of that
 * name, where there is one. NULL, or a static text. */
const char *head_put(struct head *, const char *name, const char *value);
const char *head_join(struct head *, const char *name, const char *value);

/* Removes each field for which goes() says so. */
void head_filter(struct head *, bool (*goes)(const char *name, const void *arg),
    const void *arg);

/*
 * The client's address as X-Forwarded-For says it, or Forwarded (RFC 7239)
 * where there is none: the entry that the hops-th trusted proxy from here has
 * appended (1: the last entry). Written without port and brackets, in the
 * form of inet_ntop(3). False when hops is 0, there are not so many entries,
 * or that one is no IP address. Ask before head_request_finish, since a
 * Connection field can take these fields away.
 */
#define HEAD_CLIENT_MAX 46
bool head_client(const struct head *, unsigned hops, char out[HEAD_CLIENT_MAX]);

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
