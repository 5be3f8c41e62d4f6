/* SPDX-License-Identifier: MIT */
/*
 * Values of the configuration that have a grammar of their own: lists of
 * header names, header fields, methods and paths, and the few single texts
 * beside them. `telephone -n` judges with the functions that the worker
 * compiles its rules with, so that they cannot differ. Pure.
 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define LIST_TEXT_MAX 4000 /* of a whole value */

enum list_kind {
	LIST_ADD_REQUEST,     /* "Name: value | Name: value", "||" for "|" */
	LIST_ADD_RESPONSE,    /* the same */
	LIST_REMOVE_REQUEST,  /* "Name, Name", "X-Internal-*" for a prefix */
	LIST_REMOVE_RESPONSE, /* the same */
	LIST_METHODS,	      /* "GET, POST": tokens */
	LIST_PATHS,	      /* "/a, /b c": prefixes; %XX is decoded */
};

/* One item, in memory of its own. */
struct list_item {
	char name[LIST_TEXT_MAX + 1]; /* or method, or path without "/" at its
					 end; "" is the path "/" */
	char value[LIST_TEXT_MAX + 1];
	bool prefix; /* the name stood before a "*" */
};

#define LIST_FAULT_MAX 256
/*
 * Takes the next item off *text. 1, 0 at the end, or -1 with a sentence that
 * names the item and the remedy, never a field's value (it may be a secret).
 */
int list_next(enum list_kind, const char **text, struct list_item *,
    char fault[LIST_FAULT_MAX]);

/* Judges a whole list: 0, or -1 and the fault. A header that is added twice is
 * one, too. */
int list_judge(enum list_kind, const char *text, char fault[LIST_FAULT_MAX]);

/* NULL, or what is wrong with a value of HOST_HEADER ("backend", "pass", a
 * host with or without port), and of VIA ("off", or RFC 9110 §7.6.3's
 * received-by). */
const char *list_host_header_fault(const char *text);
const char *list_via_fault(const char *text);

/* True for what may stand in a Host field (RFC 9110 §7.2). */
bool list_is_authority(const char *text);

/* Header names as an application may see them: any case, and "_" for "-",
 * which CGI and its heirs (WSGI, Rack, PHP) cannot tell apart. */
bool list_same_name(const char *a, const char *b);
/* … and the beginning of one. */
bool list_same_prefix(const char *name, const char *prefix);

#endif
