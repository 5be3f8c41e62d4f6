/* SPDX-License-Identifier: MIT */
/*
 * The payload of a proxy_req (protocol.md §3), taken apart where it stands.
 * Pure.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define REQUEST_ID_MAX 128
#define REQUEST_METHOD_MAX 32

struct request {
	struct json_str request_id; /* data NULL: there is none to answer */
	struct json_str method;	    /* a token (RFC 9110 §5.6.2) */
	struct json_str path;	    /* percent-decoded: any byte, NUL too */
	struct json_str query;	    /* raw */
	struct json_str body;
	struct json_str headers; /* raw JSON object */
};

/*
 * NULL, or a static text for a 400. All strings are unescaped. When only the
 * request_id could be read, it is set all the same, so that the error has
 * somewhere to go.
 */
const char *request_parse(struct request *, uint8_t *payload, size_t len);

struct request_fields {
	struct json_cursor cursor;
	const char *error; /* set when next returned false for a fault */
};
void request_fields_init(struct request_fields *, const struct request *);

/* The next header field, unescaped; false at the end or at a fault. May be
 * walked once only. */
bool request_next_field(
    struct request_fields *, struct json_str *name, struct json_str *value);

#endif
