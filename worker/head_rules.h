/* SPDX-License-Identifier: MIT */
/*
 * What head.c shares with head_request.c and head_response.c, and with nobody
 * else. Errors are static texts, NULL: none.
 */
#ifndef WORKER_HEAD_RULES_H
#define WORKER_HEAD_RULES_H

#include "head.h"

/* Appends a field; name and value are copied. */
const char *head_append(
    struct head *, const struct json_str *name, const char *value, size_t len);

/* Appends ", value" to a field. */
const char *
head_extend(struct head *, struct head_field *, const char *value, size_t len);

/* True when a comma separated list has this member, any case. */
bool head_list_has(const char *list, const char *name);

/* Judges a Content-Length (RFC 9110 §8.6) into length and length_bad. */
void head_note_length(struct head *, const char *value);

/* Removes hop-by-hop fields and those that Connection names. */
void head_strip(struct head *);

#endif
