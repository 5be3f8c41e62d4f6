/* SPDX-License-Identifier: MIT */
/*
 * `tokend --check WORD…`: judges what was given and the store, without a
 * running telephone, and leaves. `telephone -n` and `telephonectl token check`
 * execute it, so that neither reads a secret. The words:
 *
 *   secret, previous, jwt_key, token  one descriptor each, from 3 on
 *   report, json                      look at the store too, and print
 *   db=PATH                           the store (with report or json)
 *   move-aside                        rename a store that cannot be read
 */
#ifndef TOKEND_DIAGNOSE_H
#define TOKEND_DIAGNOSE_H

#include "inputs.h"
#include "store.h"

struct diagnosis {
	bool json, report, move_aside;
	const char *db;
	struct inputs inputs;
	/* What was found. Codes are sysexits; 0: good. */
	int secret_code, previous_code, jwt_key_code, token_code;
	struct tokens tokens;
	struct token *given;
	enum store_fault fault;
	unsigned rows, readable, by_previous, expired, no_tokens;
	char moved_to[1100]; /* where a store was moved, or "" */
};

/* The exit code: 0: there is a usable token; 1: there is none; else what is
 * wrong. */
int diagnose_main(char **words);

/* diagnose_print.c: what was found and what to do, to standard output. */
void diagnose_print(const struct diagnosis *, int code);
void diagnose_print_json(const struct diagnosis *, int code);

#endif
